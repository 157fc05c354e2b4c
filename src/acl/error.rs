//! Why users and their rules are refused.

use thiserror::Error;

/// What is wrong with a user that the settings declare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserFault {
    /// Its number among the `user` directives; `None` for an error in the ACL file or with it.
    pub user: Option<usize>,
    /// The reason, with the user or the line of the file.
    pub reason: String,
}

/// Why a modifier is refused. The texts are Redis'.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(crate) enum ModifierError {
    #[error("Syntax error")]
    Syntax,
    #[error("Unknown command or category name in ACL")]
    Unknown,
    #[error("Allowing first-arg of a subcommand is not supported")]
    FirstArgOfSubcommand,
    #[error(
        "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have \
         any effect. Try 'resetkeys' to start with an empty list of patterns"
    )]
    KeyAfterAll,
    #[error(
        "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not \
         have any effect. Try 'resetchannels' to start with an empty list of channels"
    )]
    ChannelAfterAll,
    #[error("The password you are trying to remove from the user does not exist")]
    NoSuchPassword,
    #[error(
        "The password hash must be exactly 64 characters and contain only lowercase hexadecimal \
         characters"
    )]
    BadHash,
}

/// Why a user is not created or changed. The texts are Redis'.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub(crate) enum UsersError {
    #[error("Usernames can't contain spaces or null characters")]
    BadName,
    #[error("Unmatched parenthesis in acl selector starting at '{}'.", .0.escape_ascii())]
    UnmatchedParenthesis(Vec<u8>),
    #[error("Error in ACL SETUSER modifier '{}': {reason}", modifier.escape_ascii())]
    Modifier { modifier: Vec<u8>, reason: ModifierError },
}
