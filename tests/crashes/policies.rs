//! Queue policies drawn at random from the table of options, so that new options are included.

use super::script::Dice;
use std::collections::BTreeMap;
use tidegate::policy::{Policy, QueuePolicy, Takes};

/// Draws until a policy is valid: most options need others.
const DRAWS_MAX: usize = 100_000;

/// The policies drawn so far.
#[derive(Default)]
pub struct Drawn {
    /// Whether delivery limits are never reached: otherwise messages would be removed during loading,
    /// and the result would not be a state the broker was in.
    pub never_gives_up: bool,
    /// How often each option was drawn with a value other than its default.
    pub counts: BTreeMap<&'static str, usize>,
}

impl Drawn {
    /// Words of a policy: its name, its pattern, and options with values. Each option has the same
    /// chance, however many others it needs.
    pub fn policy(&mut self, dice: &mut Dice, name: &str, pattern: &str) -> String {
        let rows = QueuePolicy::rows();
        let wanted = rows[dice.below(rows.len() as u64) as usize].name;
        self.policy_with(dice, name, pattern, wanted)
    }

    /// The same, including this option.
    pub fn policy_with(
        &mut self,
        dice: &mut Dice,
        name: &str,
        pattern: &str,
        wanted: &str,
    ) -> String {
        for _ in 0..DRAWS_MAX {
            let others = dice.below(5);
            let mut words = vec![name.to_string(), pattern.to_string()];
            for row in QueuePolicy::rows() {
                let is_drawn = dice.below(QueuePolicy::rows().len() as u64) < others;
                if row.name == wanted || is_drawn {
                    words.extend([row.name.to_string(), self.value(dice, row.name, &row.takes)]);
                }
            }
            let bytes: Vec<&[u8]> = words.iter().map(String::as_bytes).collect();
            let Ok(policy) = QueuePolicy::parse(&bytes) else { continue };
            let options = policy.options();
            if options.iter().any(|(name, _)| *name == wanted) {
                options.iter().for_each(|(name, _)| *self.counts.entry(name).or_default() += 1);
                return words.join(" ");
            }
        }
        panic!("no valid policy with {wanted}")
    }

    /// Panics if an option was never drawn, so that no run covers it.
    pub fn check(&self) {
        if std::env::var("TIDEGATE_CRASH_SEED").is_ok() {
            return;
        }
        for row in QueuePolicy::rows() {
            assert!(self.counts.contains_key(row.name), "'{}' was in force in no run", row.name);
        }
    }

    /// A value that has an effect in a short run.
    fn value(&self, dice: &mut Dice, name: &str, takes: &Takes) -> String {
        let mut pick = |values: &[i64]| values[dice.below(values.len() as u64) as usize];
        match takes {
            Takes::Number { .. } if name.ends_with("-ms") => {
                pick(&[50, 250, 300, 500, 700, 900]).to_string()
            }
            Takes::Number { max, .. } if self.never_gives_up && name == "delivery-limit" => {
                max.to_string()
            }
            Takes::Number { .. } if name.ends_with("-bytes") => pick(&[20, 60, 200]).to_string(),
            Takes::Number { min, .. } => pick(&[1, 2, 3, 5, 20, *min]).to_string(),
            Takes::Word(words) => words[dice.below(words.len() as u64) as usize].to_string(),
            Takes::Key => ["dead", "dead", "dead-{queue}"][dice.below(3) as usize].to_string(),
        }
    }
}
