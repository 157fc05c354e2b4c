//! A user: whether and how it can authenticate, and what it may do.

use super::password::PasswordHash;
use super::patterns::Access;
use super::selector::{Asked, Refusal, Selector};

/// A user.
#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(super) name: Vec<u8>,
    /// Whether clients can authenticate as this user. Clients that have done so stay.
    pub(super) is_on: bool,
    /// Whether any password is right.
    pub(super) needs_no_password: bool,
    /// Shown, without effect: RESTORE always checks all of its payload.
    pub(super) skips_sanitizing: bool,
    pub(super) passwords: Vec<PasswordHash>,
    /// What the user may do by modifiers outside parentheses.
    pub(super) root: Selector,
    /// What it may do besides, each by itself.
    pub(super) selectors: Vec<Selector>,
    /// Whether every request is allowed: the answer to most checks.
    pub(super) is_unrestricted: bool,
}

impl User {
    /// A user that is off and may do nothing; but use all channels, if so wanted.
    pub(super) fn new(name: &[u8], allows_channels: bool) -> User {
        User {
            name: name.to_vec(),
            is_on: false,
            needs_no_password: false,
            skips_sanitizing: false,
            passwords: Vec::new(),
            root: Selector::new(allows_channels),
            selectors: Vec::new(),
            is_unrestricted: false,
        }
    }

    /// The name: bytes without spaces and NULs.
    pub(crate) fn name(&self) -> &[u8] {
        &self.name
    }

    /// Whether clients can authenticate as this user.
    pub(crate) fn is_on(&self) -> bool {
        self.is_on
    }

    /// Whether clients are this user without a password.
    pub(crate) fn is_open(&self) -> bool {
        self.is_on && self.needs_no_password
    }

    /// Whether any password is right.
    pub(crate) fn needs_no_password(&self) -> bool {
        self.needs_no_password
    }

    /// Whether this is a password of the user, and the user is on.
    pub(super) fn accepts(&self, hash: &PasswordHash) -> bool {
        // All are compared, so that the time does not show which one is right.
        let is_right = self.passwords.iter().fold(false, |found, own| own.is_same(hash) | found);
        self.is_on && (self.needs_no_password || is_right)
    }

    /// Whether every request is allowed.
    #[inline]
    pub(crate) fn is_unrestricted(&self) -> bool {
        self.is_unrestricted
    }

    /// Checks a request: one selector must allow all of it.
    ///
    /// # Errors
    /// What the selector refuses that allows most of it.
    pub(crate) fn check(&self, asked: &impl Asked) -> Result<(), Refusal> {
        let mut result = self.root.check(asked);
        for selector in &self.selectors {
            match (result, selector.check(asked)) {
                (Ok(()), _) => break,
                (Err(_), Ok(())) => result = Ok(()),
                (Err(before), Err(own)) => result = Err(before.max(own)),
            }
        }
        result
    }

    /// Whether some selector allows this command together with this use of a key. `first_arg` is the
    /// argument behind the command's name.
    pub(crate) fn may_use(
        &self,
        command: usize,
        first_arg: Option<&[u8]>,
        (key, access): (&[u8], Access),
    ) -> bool {
        self.all_selectors().any(|selector| {
            selector.commands.allow(command, first_arg) && selector.keys.allow(key, access)
        })
    }

    /// Whether some selector allows this command together with this use of every key.
    pub(crate) fn may_use_every_key(
        &self,
        command: usize,
        first_arg: Option<&[u8]>,
        access: Access,
    ) -> bool {
        self.all_selectors().any(|selector| {
            selector.commands.allow(command, first_arg) && selector.keys.allow_every(access)
        })
    }

    /// Whether some selector allows this channel, or this pattern of channels.
    pub(crate) fn may_subscribe(&self, channel: &[u8], is_pattern: bool) -> bool {
        self.all_selectors().any(|selector| selector.channels.allow(channel, is_pattern))
    }

    fn all_selectors(&self) -> impl Iterator<Item = &Selector> {
        std::iter::once(&self.root).chain(&self.selectors)
    }

    /// What the user may do by modifiers outside parentheses.
    pub(crate) fn root(&self) -> &Selector {
        &self.root
    }

    /// What the user may do besides, each by itself.
    pub(crate) fn selectors(&self) -> &[Selector] {
        &self.selectors
    }

    /// The flags that ACL GETUSER shows.
    pub(crate) fn flags(&self) -> Vec<&'static str> {
        let mut flags = vec![if self.is_on { "on" } else { "off" }];
        if self.needs_no_password {
            flags.push("nopass");
        }
        let skips = self.skips_sanitizing;
        flags.push(if skips { "skip-sanitize-payload" } else { "sanitize-payload" });
        flags
    }

    /// The hashes of the passwords, in hexadecimal digits.
    pub(crate) fn shown_passwords(&self) -> impl ExactSizeIterator<Item = String> {
        self.passwords.iter().map(PasswordHash::to_string)
    }

    /// The words that make this user again, of an ACL file or ACL LIST, behind `user` and the name.
    pub(crate) fn describe_rules(&self) -> Vec<u8> {
        let mut text = self.flags().join(" ").into_bytes();
        for hash in self.shown_passwords() {
            text.extend_from_slice(b" #");
            text.extend_from_slice(hash.as_bytes());
        }
        text.push(b' ');
        text.extend_from_slice(&self.root.describe());
        for selector in &self.selectors {
            text.extend_from_slice(b" (");
            text.extend_from_slice(&selector.describe());
            text.push(b')');
        }
        text
    }

    /// The line of an ACL file.
    pub(crate) fn describe(&self) -> Vec<u8> {
        [b"user ", &self.name[..], b" ", &self.describe_rules()].concat()
    }
}
