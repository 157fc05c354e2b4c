//! Common to all kinds of policies: a name, a pattern, and options, with one row each for reading,
//! printing and the help.

/// Names are read by people and appear in errors.
const NAME_BYTES_MAX: usize = 128;
/// Matching takes longer with longer patterns.
const PATTERN_BYTES_MAX: usize = 1024;
/// Stands for the queue's key in a dead-letter key.
pub(super) const PLACEHOLDER: &[u8] = b"{queue}";

/// The type of an option's value.
pub enum Takes {
    /// A whole number in a range.
    Number {
        /// The minimum.
        min: i64,
        /// The maximum.
        max: i64,
    },
    /// One of these words.
    Word(&'static [&'static str]),
    /// A key, which may contain the placeholder.
    Key,
}

/// A parsed value.
pub enum Given<'a> {
    /// A whole number in the range.
    Number(i64),
    /// The index of a word among the choices.
    Word(usize),
    /// A key.
    Key(&'a [u8]),
}

impl Given<'_> {
    /// The number. Only for rows that take a number.
    pub(super) fn number(&self) -> i64 {
        if let Given::Number(number) = self { *number } else { 0 }
    }

    /// The index of the word. Only for rows that take a word.
    pub(super) fn word(&self) -> usize {
        if let Given::Word(place) = self { *place } else { 0 }
    }
}

/// One option of the policies of a kind.
pub struct Row<P> {
    /// The option's name.
    pub name: &'static str,
    /// The type of its value.
    pub takes: Takes,
    /// Stores a parsed value.
    pub write: fn(&mut P, Given<'_>),
    /// The value, if it is not the default.
    pub show: fn(&P) -> Option<Vec<u8>>,
}

/// A number as text, if there is one.
pub(super) fn digits(number: Option<impl ToString>) -> Option<Vec<u8>> {
    number.map(|number| number.to_string().into_bytes())
}

/// The word at an index, unless it is the first, which is the default.
pub(super) fn chosen(words: &[&str], place: usize) -> Option<Vec<u8>> {
    (place > 0).then(|| words[place].as_bytes().to_vec())
}

/// A kind of policy.
pub trait Policy: Clone + 'static {
    /// The options.
    fn rows() -> &'static [Row<Self>];

    /// A policy with default options.
    fn without_options(name: &[u8], pattern: &[u8]) -> Self;

    /// Refuses options that require another one; `given` are the names of the options given.
    ///
    /// # Errors
    /// A sentence that names the missing option.
    fn check(&self, given: &[&str]) -> Result<(), String>;

    /// The operator's name for it.
    fn name(&self) -> &[u8];

    /// A glob pattern, as for KEYS.
    fn pattern(&self) -> &[u8];

    /// Reads a policy: name, pattern, then options with their values.
    ///
    /// # Errors
    /// A sentence with the error and what would be valid.
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

    /// The options with values other than the default.
    fn options(&self) -> Vec<(&'static str, Vec<u8>)> {
        Self::rows().iter().filter_map(|row| Some((row.name, (row.show)(self)?))).collect()
    }

    /// The policy as words that `parse` reads: name, pattern, and the options with values other than the
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

/// Reads one option and its value; returns the option's name.
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

/// Whether bytes can be one word in a settings file and in a list of policies.
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
