//! What all kinds of policies have in common: a name, a pattern, and options, of which one row each
//! drives reading, showing and the help.

/// A name is read by people, and is part of errors.
const NAME_BYTES_MAX: usize = 128;
/// Names are matched against the pattern, which takes longer the longer it is.
const PATTERN_BYTES_MAX: usize = 1024;
/// What stands for the source's name in a dead-letter key.
pub(super) const PLACEHOLDER: &[u8] = b"{queue}";

/// What an option's value is.
pub enum Takes {
    /// A whole number in a range.
    Number {
        /// The least.
        min: i64,
        /// The most.
        max: i64,
    },
    /// One of these words.
    Word(&'static [&'static str]),
    /// A key, in which the placeholder may stand for another one.
    Key,
}

/// A value of the right shape.
pub enum Given<'a> {
    /// A whole number in the range.
    Number(i64),
    /// The place of a word among the choices.
    Word(usize),
    /// A key.
    Key(&'a [u8]),
}

impl Given<'_> {
    /// The number. Rows that take a number are given one.
    pub(super) fn number(&self) -> i64 {
        if let Given::Number(number) = self { *number } else { 0 }
    }

    /// The place of the word. Rows that take a word are given one.
    pub(super) fn word(&self) -> usize {
        if let Given::Word(place) = self { *place } else { 0 }
    }
}

/// One option of the policies of a kind.
pub struct Row<P> {
    /// What the operator writes.
    pub name: &'static str,
    /// What its value is.
    pub takes: Takes,
    /// Stores a value of the right shape.
    pub write: fn(&mut P, Given<'_>),
    /// The value, if it is not the default.
    pub show: fn(&P) -> Option<Vec<u8>>,
}

/// A number as text, if there is one.
pub(super) fn digits(number: Option<impl ToString>) -> Option<Vec<u8>> {
    number.map(|number| number.to_string().into_bytes())
}

/// The word at a place, unless it is the first: that is the default.
pub(super) fn chosen(words: &[&str], place: usize) -> Option<Vec<u8>> {
    (place > 0).then(|| words[place].as_bytes().to_vec())
}

/// A kind of policy.
pub trait Policy: Clone + 'static {
    /// The options.
    fn rows() -> &'static [Row<Self>];

    /// One whose options are all the default.
    fn without_options(name: &[u8], pattern: &[u8]) -> Self;

    /// Refuses options that miss another one; `given` are their names.
    ///
    /// # Errors
    /// A sentence that says what is missing.
    fn check(&self, given: &[&str]) -> Result<(), String>;

    /// What the operator calls it.
    fn name(&self) -> &[u8];

    /// A glob pattern, as KEYS has it.
    fn pattern(&self) -> &[u8];

    /// Reads a policy: name, pattern, then options with their values.
    ///
    /// # Errors
    /// A sentence that says what is wrong and what would be valid.
    fn parse(words: &[&[u8]]) -> Result<Self, String> {
        let [name, pattern, options @ ..] = words else {
            return Err("a policy has a name, a pattern, and options with values".into());
        };
        if name.is_empty() || name.len() > NAME_BYTES_MAX || !is_word(name) {
            return Err(format!(
                "a policy's name has 1 to {NAME_BYTES_MAX} printable characters, without spaces"
            ));
        }
        if pattern.is_empty() || pattern.len() > PATTERN_BYTES_MAX {
            return Err(format!("a policy's pattern has 1 to {PATTERN_BYTES_MAX} bytes"));
        }
        let mut policy = Self::without_options(name, pattern);
        let mut given: Vec<&str> = Vec::new();
        for option in options.chunks(2) {
            let row = read_option(&mut policy, option)?;
            if given.contains(&row) {
                return Err(format!("option '{row}' is given twice"));
            }
            given.push(row);
        }
        policy.check(&given)?;
        Ok(policy)
    }

    /// The options that are not the default.
    fn options(&self) -> Vec<(&'static str, Vec<u8>)> {
        Self::rows().iter().filter_map(|row| Some((row.name, (row.show)(self)?))).collect()
    }

    /// The policy as the words that `parse` reads: name, pattern, and the options that are not the
    /// default.
    fn to_words(&self) -> Vec<Vec<u8>> {
        let mut words = vec![self.name().to_vec(), self.pattern().to_vec()];
        for (name, value) in self.options() {
            words.extend([name.as_bytes().to_vec(), value]);
        }
        words
    }

    /// All options with their values, for errors and help.
    fn options_help() -> String {
        let each = Self::rows().iter().map(|row| match &row.takes {
            Takes::Number { .. } => format!("{} N", row.name),
            Takes::Word(words) => format!("{} {}", row.name, words.join("|")),
            Takes::Key => format!("{} KEY", row.name),
        });
        each.collect::<Vec<_>>().join(", ")
    }
}

/// Reads one option and its value; gives the option's name.
fn read_option<P: Policy>(policy: &mut P, option: &[&[u8]]) -> Result<&'static str, String> {
    let name = option.first().copied().unwrap_or_default();
    let row = P::rows().iter().find(|row| name.eq_ignore_ascii_case(row.name.as_bytes()));
    let row = row.ok_or_else(|| {
        let (name, help) = (name.escape_ascii(), P::options_help());
        format!("unknown option '{name}'; the options are: {help}")
    })?;
    let [_, value] = option else {
        return Err(format!(
            "option '{}' has no value; it takes {}",
            row.name,
            row.takes.describe()
        ));
    };
    let given = row.takes.read(value).ok_or_else(|| {
        let value = value.escape_ascii();
        format!("option '{}' takes {}, not '{value}'", row.name, row.takes.describe())
    })?;
    (row.write)(policy, given);
    Ok(row.name)
}

/// Whether bytes can stand as one word in a settings file and in a list of policies.
fn is_word(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| byte.is_ascii_graphic() && !b";\"'".contains(byte))
}

impl Takes {
    fn describe(&self) -> String {
        match *self {
            Takes::Number { min: i64::MIN, .. } => "a whole number".into(),
            Takes::Number { min, max } => format!("a whole number from {min} to {max}"),
            Takes::Word(words) => format!("one of {}", words.join(", ")),
            Takes::Key => "a key, which may have {queue} in it".into(),
        }
    }

    fn read<'a>(&self, value: &'a [u8]) -> Option<Given<'a>> {
        match *self {
            Takes::Number { min, max } => {
                let number: i64 = std::str::from_utf8(value).ok()?.parse().ok()?;
                (min..=max).contains(&number).then_some(Given::Number(number))
            }
            Takes::Word(words) => {
                let is_it = |word: &&str| value.eq_ignore_ascii_case(word.as_bytes());
                words.iter().position(is_it).map(Given::Word)
            }
            Takes::Key if value.is_empty() || value == PLACEHOLDER => None,
            Takes::Key => Some(Given::Key(value)),
        }
    }
}
