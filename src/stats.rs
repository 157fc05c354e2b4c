//! Counters since the start, for INFO. CONFIG RESETSTAT clears them.

/// What happened to one command so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct CommandStats {
    pub calls: u64,
    /// Microseconds in those calls that were timed; commands that are flagged `fast` are not.
    pub usec: u64,
    /// Calls refused before they ran.
    pub rejected: u64,
    /// Calls that ran and answered with an error.
    pub failed: u64,
}

/// Counters of the whole broker.
#[derive(Debug, Default)]
pub struct Stats {
    pub connections_received: u64,
    pub connections_rejected: u64,
    pub commands_processed: u64,
    pub input_bytes: u64,
    pub output_bytes: u64,
    pub keyspace_hits: u64,
    pub keyspace_misses: u64,
    pub error_replies: u64,
    pub closed_by_output_limit: u64,
    pub closed_by_query_limit: u64,
    pub peak_used_bytes: usize,
    /// Pub/sub messages handed to clients.
    pub messages_delivered: u64,
    /// By position in the command table.
    pub commands: Vec<CommandStats>,
    /// Error replies by their first word.
    pub errors: std::collections::BTreeMap<String, u64>,
}

impl Stats {
    /// The counters of the command at a position of the table.
    #[inline]
    pub fn command(&mut self, index: usize) -> &mut CommandStats {
        if self.commands.len() <= index {
            self.commands.resize(index + 1, CommandStats::default());
        }
        &mut self.commands[index]
    }

    /// Counts an error reply under its first word, as INFO errorstats shows it.
    pub fn count_error(&mut self, text: &[u8]) {
        self.error_replies += 1;
        let word = text.split(|&byte| byte == b' ').next().unwrap_or_default();
        let word = String::from_utf8_lossy(word).into_owned();
        // The words are ours, but for errors that echo; a bound keeps them from filling memory.
        if self.errors.len() < 128 || self.errors.contains_key(&word) {
            *self.errors.entry(word).or_default() += 1;
        }
    }

    /// CONFIG RESETSTAT: all but the peak, which starts at what is used now.
    pub fn reset(&mut self, used_bytes: usize) {
        *self = Stats { peak_used_bytes: used_bytes, ..Stats::default() };
    }
}
