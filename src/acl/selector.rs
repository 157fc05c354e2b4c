//! A selector: commands, keys and channels that are allowed together.

use super::commands::AllowedCommands;
use super::patterns::{Access, ChannelPatterns, KeyPatterns};

/// What a request asks for. The engine knows it from the command's row.
pub(crate) trait Asked {
    /// The number of the command in the catalogue.
    fn command(&self) -> usize;

    /// Whether every user may call the command, as AUTH.
    fn is_for_everybody(&self) -> bool;

    /// The argument behind the command's name.
    fn first_arg(&self) -> Option<&[u8]>;

    /// The position in the request of the first key that `may_use` refuses.
    fn refused_key(&self, may_use: &dyn Fn(&[u8], Access) -> bool) -> Option<usize>;

    /// The position in the request of the first channel, or pattern of channels, that `may_use` refuses.
    fn refused_channel(&self, may_use: &dyn Fn(&[u8], bool) -> bool) -> Option<usize>;
}

/// Why a request is refused. A later one is closer to being allowed, and so says more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Refusal {
    /// The command is not allowed.
    Command,
    /// The key at this position is not allowed, or not in this way.
    Key(usize),
    /// The channel at this position is not allowed.
    Channel(usize),
}

/// Commands, keys and channels that are allowed together.
#[derive(Clone, Debug)]
pub(crate) struct Selector {
    pub(super) commands: AllowedCommands,
    pub(super) keys: KeyPatterns,
    pub(super) channels: ChannelPatterns,
}

impl Selector {
    /// Nothing, or all channels and nothing else.
    pub(super) fn new(allows_channels: bool) -> Selector {
        Selector {
            commands: AllowedCommands::all(false),
            keys: KeyPatterns::default(),
            channels: ChannelPatterns::all(allows_channels),
        }
    }

    /// Whether it allows every request.
    pub(super) fn allows_all(&self) -> bool {
        self.commands.is_all() && self.keys.allows_all && self.channels.allows_all
    }

    /// Checks a request.
    ///
    /// # Errors
    /// The first thing that is not allowed.
    pub(super) fn check(&self, asked: &impl Asked) -> Result<(), Refusal> {
        if !asked.is_for_everybody() && !self.commands.allow(asked.command(), asked.first_arg()) {
            return Err(Refusal::Command);
        }
        if !self.keys.allows_all
            && let Some(at) = asked.refused_key(&|key, access| self.keys.allow(key, access))
        {
            return Err(Refusal::Key(at));
        }
        if !self.channels.allows_all
            && let Some(at) = asked
                .refused_channel(&|channel, is_pattern| self.channels.allow(channel, is_pattern))
        {
            return Err(Refusal::Channel(at));
        }
        Ok(())
    }

    /// The commands that are allowed, as ACL GETUSER shows them.
    pub(crate) fn shown_commands(&self) -> String {
        self.commands.describe()
    }

    /// The keys that are allowed, as ACL GETUSER shows them.
    pub(crate) fn shown_keys(&self) -> Vec<u8> {
        self.keys.describe()
    }

    /// The channels that are allowed, as ACL GETUSER shows them.
    pub(crate) fn shown_channels(&self) -> Vec<u8> {
        self.channels.describe()
    }

    /// All of it, as a line of an ACL file has it.
    pub(super) fn describe(&self) -> Vec<u8> {
        let mut text = self.shown_keys();
        if !text.is_empty() {
            text.push(b' ');
        }
        if !self.channels.allows_all {
            text.extend_from_slice(b"resetchannels ");
        }
        let channels = self.shown_channels();
        text.extend_from_slice(&channels);
        if !channels.is_empty() {
            text.push(b' ');
        }
        text.extend_from_slice(self.shown_commands().as_bytes());
        text
    }
}
