//! All policies, and which of them holds for a key.

use super::pattern_index::PatternIndex;
use super::{DELAYED, IN_FLIGHT, QueuePolicy};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The policies of the settings, overlaid by those that were set or deleted while the server ran.
#[derive(Clone, Debug, Default)]
pub struct Policies {
    configured: Vec<QueuePolicy>,
    /// By name; none for one that was deleted.
    runtime: BTreeMap<Vec<u8>, Option<QueuePolicy>>,
    /// What holds, the highest priority first; of equal ones the first by name.
    ranked: Vec<Arc<QueuePolicy>>,
    /// The patterns of these.
    patterns: PatternIndex,
}

/// Each new key may have to be matched against all of them.
const POLICIES_MAX: usize = 1_000;

impl Policies {
    /// Makes these hold, and no others, as those of the settings. What was said while the server ran
    /// is forgotten as far as they say something else: the last word counts. Gives the names of the
    /// policies of which something was forgotten.
    pub fn configure(&mut self, configured: &[QueuePolicy]) -> Vec<Vec<u8>> {
        let now = |name: &[u8]| configured.iter().find(|policy| policy.name == name);
        let forgotten = self.runtime.iter().filter(|(name, said)| now(name) != said.as_ref());
        let names: Vec<Vec<u8>> = forgotten.map(|(name, _)| name.clone()).collect();
        names.iter().for_each(|name| drop(self.runtime.remove(name)));
        self.configured = configured.to_vec();
        self.rank();
        names
    }

    /// Makes what holds the policies of the settings, since they are written there now. Gives the
    /// names of those of which nothing else remembers that they were set or deleted.
    pub fn adopt(&mut self) -> Vec<Vec<u8>> {
        self.configured = self.effective();
        std::mem::take(&mut self.runtime).into_keys().collect()
    }

    /// What holds, in the order of the settings, and then of the names.
    pub fn effective(&self) -> Vec<QueuePolicy> {
        let configured = self.configured.iter().map(|policy| &policy.name);
        let is_new = |name: &&Vec<u8>| self.configured_as(name).is_none();
        let names = configured.chain(self.runtime.keys().filter(is_new));
        names.filter_map(|name| self.find(name).map(|policy| QueuePolicy::clone(policy))).collect()
    }

    /// What the settings say of a policy, whether it holds or not.
    pub fn configured_as(&self, name: &[u8]) -> Option<&QueuePolicy> {
        self.configured.iter().find(|policy| policy.name == name)
    }

    /// Whether the settings have this policy.
    pub fn is_configured(&self, policy: &QueuePolicy) -> bool {
        self.configured.contains(policy)
    }

    /// Forgets what was said of a policy while the server ran.
    pub fn forget(&mut self, name: &[u8]) {
        self.runtime.remove(name);
        self.rank();
    }

    /// Sets a policy, in the place of the one with its name if there is one.
    ///
    /// # Errors
    /// There are too many.
    pub fn set(&mut self, policy: QueuePolicy) -> Result<(), String> {
        let is_new = self.find(&policy.name).is_none();
        if is_new && self.ranked.len() >= POLICIES_MAX {
            return Err(format!(
                "there are {POLICIES_MAX} policies, which is the most there can be"
            ));
        }
        self.runtime.insert(policy.name.clone(), Some(policy));
        self.rank();
        Ok(())
    }

    /// Deletes a policy; false if there is none of this name.
    pub fn delete(&mut self, name: &[u8]) -> bool {
        if self.find(name).is_none() {
            return false;
        }
        if self.configured.iter().any(|policy| policy.name == name) {
            self.runtime.insert(name.to_vec(), None);
        } else {
            self.runtime.remove(name);
        }
        self.rank();
        true
    }

    fn rank(&mut self) {
        let mut by_name: BTreeMap<&[u8], &QueuePolicy> = BTreeMap::new();
        for policy in &self.configured {
            by_name.insert(&policy.name, policy);
        }
        for (name, policy) in &self.runtime {
            match policy {
                Some(policy) => by_name.insert(name, policy),
                None => by_name.remove(&name[..]),
            };
        }
        self.ranked = by_name.into_values().cloned().map(Arc::new).collect();
        // Stable: equal ones stay in the order of their names.
        self.ranked.sort_by_key(|policy| std::cmp::Reverse(policy.priority));
        self.patterns = PatternIndex::new(self.ranked.iter().map(|policy| &policy.pattern[..]));
    }

    /// Warns of each policy in older files that does not say what acknowledges: it is the next pop.
    pub fn warn_of_assumptions(&self) {
        for policy in self.ranked.iter().filter(|policy| policy.check_acknowledge().is_err()) {
            log::warn!(
                "queue policy '{}' does not say what acknowledges, which older versions took for \
                 `acknowledge next-pop`; set it to that, or to `acknowledge explicit`",
                policy.name.escape_ascii()
            );
        }
    }

    /// Whether any of them needs names of lists in the append files.
    pub fn reserve_names(&self) -> bool {
        self.ranked.iter().any(|policy| policy.is_at_least_once() || policy.delay_ms.is_some())
    }

    /// The policy for whose queues the append files need a list of this name.
    pub fn reserving(&self, key: &[u8]) -> Option<&QueuePolicy> {
        let policy_of = |queue: Option<&[u8]>| queue.and_then(|queue| self.of(queue));
        let in_flight = policy_of(key.strip_suffix(IN_FLIGHT));
        let delayed = policy_of(key.strip_suffix(DELAYED));
        in_flight
            .filter(|policy| policy.is_at_least_once())
            .or_else(|| delayed.filter(|policy| policy.delay_ms.is_some()))
            .map(|policy| &**policy)
    }

    /// Whether there is none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.ranked.is_empty()
    }

    /// What holds, the highest priority first.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<QueuePolicy>> {
        self.ranked.iter()
    }

    /// The policy of this name.
    pub fn find(&self, name: &[u8]) -> Option<&Arc<QueuePolicy>> {
        self.ranked.iter().find(|policy| policy.name == name)
    }

    /// The policy that holds for a key.
    pub fn of(&self, key: &[u8]) -> Option<&Arc<QueuePolicy>> {
        let rank = self.patterns.first(key, |rank| self.ranked[rank].matches(key))?;
        self.ranked.get(rank)
    }

    /// With how many patterns a key is compared at most.
    pub fn comparisons_max(&self) -> usize {
        self.patterns.comparisons_max()
    }

    /// What was set, or deleted, while the server ran: it outlives the process in the append files.
    pub fn runtime(&self) -> impl Iterator<Item = (&[u8], Option<&QueuePolicy>)> {
        self.runtime.iter().map(|(name, policy)| (&name[..], policy.as_ref()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(text: &str) -> QueuePolicy {
        let words: Vec<&[u8]> = text.split(' ').map(str::as_bytes).collect();
        QueuePolicy::parse(&words).expect("valid")
    }

    fn name_of(policies: &Policies, key: &[u8]) -> Option<String> {
        policies.of(key).map(|policy| String::from_utf8_lossy(&policy.name).into_owned())
    }

    #[test]
    fn the_highest_priority_alone_holds() {
        let mut policies = Policies::default();
        policies.configure(&[policy("b q*"), policy("a q*"), policy("low q1 priority -1")]);
        assert_eq!(name_of(&policies, b"q1").as_deref(), Some("a"));
        policies.set(policy("high q1 priority 1")).expect("room");
        assert_eq!(name_of(&policies, b"q1").as_deref(), Some("high"));
        assert_eq!(name_of(&policies, b"x"), None);
    }

    #[test]
    fn what_was_set_at_run_time_overlays_the_settings() {
        let mut policies = Policies::default();
        policies.configure(&[policy("a q max-length 1")]);
        policies.set(policy("a q max-length 2")).expect("room");
        policies.configure(&[policy("a q max-length 2")]);
        assert_eq!(policies.runtime().count(), 1, "it is the same");
        policies.configure(&[policy("a q max-length 1")]);
        assert_eq!(policies.of(b"q").and_then(|policy| policy.max_length), Some(1));
        policies.set(policy("a q max-length 2")).expect("room");
        let forgotten = policies.configure(&[policy("a q max-length 3")]);
        assert_eq!(forgotten, [b"a"]);
        assert_eq!(policies.of(b"q").and_then(|policy| policy.max_length), Some(3));
        policies.set(policy("b x")).expect("room");
        assert!(policies.delete(b"b"));
        assert_eq!(policies.runtime().count(), 0, "nothing is left of it");
        assert!(policies.delete(b"a"));
        assert!(!policies.delete(b"a"));
        assert!(policies.is_empty());
        assert_eq!(policies.runtime().collect::<Vec<_>>(), [(&b"a"[..], None)]);
    }

    #[test]
    fn what_holds_is_what_the_settings_show() {
        let mut policies = Policies::default();
        policies.configure(&[policy("b x"), policy("a x")]);
        policies.set(policy("b y")).expect("room");
        policies.set(policy("c z")).expect("room");
        assert!(policies.delete(b"a"));
        let effective = [policy("b y"), policy("c z")];
        assert_eq!(policies.effective(), effective);
        assert_eq!(policies.clone().configure(&effective), [b"a"; 0]);
        assert_eq!(policies.clone().configure(&[]), [b"b", b"c"]);

        assert_eq!(policies.adopt(), [b"a", b"b", b"c"]);
        assert_eq!(policies.effective(), effective);
        assert_eq!(policies.runtime().count(), 0);
        assert_eq!(policies.configured_as(b"c"), Some(&policy("c z")));
    }

    #[test]
    fn there_is_a_limit() {
        let mut policies = Policies::default();
        for number in 0..POLICIES_MAX {
            policies.set(policy(&format!("p{number} q"))).expect("room");
        }
        assert!(policies.set(policy("another q")).is_err());
        policies.set(policy("p1 other")).expect("not a new one");
    }
}
