//! The words of ACL SETUSER, of `user` directives and of ACL files.
//! <https://redis.io/docs/latest/commands/acl-setuser/>

use super::catalogue::Catalogue;
use super::error::ModifierError;
use super::password::PasswordHash;
use super::patterns::{Access, ChannelPatterns, KeyPatterns};
use super::selector::Selector;
use super::user::User;
use std::borrow::Cow;

/// What modifiers refer to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms<'a> {
    pub(super) catalogue: &'a Catalogue,
    /// Whether new users and selectors may use all channels (`acl-pubsub-default`).
    pub(super) allows_channels: bool,
}

/// Joins words that are parts of one selector: `(+get`, `~a)`.
///
/// # Errors
/// The word that begins a selector without an end.
pub(super) fn join_selectors<'a>(
    words: impl Iterator<Item = &'a [u8]>,
) -> Result<Vec<Cow<'a, [u8]>>, &'a [u8]> {
    let mut joined = Vec::new();
    let mut open: Option<(&[u8], Vec<u8>)> = None;
    for word in words {
        match &mut open {
            Some((_, text)) => {
                text.push(b' ');
                text.extend_from_slice(word);
            }
            None if word.starts_with(b"(") => open = Some((word, word.to_vec())),
            None => joined.push(Cow::Borrowed(word)),
        }
        if word.ends_with(b")")
            && let Some((_, text)) = open.take()
        {
            joined.push(Cow::Owned(text));
        }
    }
    match open {
        Some((start, _)) => Err(start),
        None => Ok(joined),
    }
}

/// Whether a modifier is this word, in any case.
fn is(modifier: &[u8], word: &str) -> bool {
    modifier.eq_ignore_ascii_case(word.as_bytes())
}

impl User {
    /// Changes the user by one modifier.
    ///
    /// # Errors
    /// The modifier is wrong; the user is unchanged.
    pub(super) fn modify(
        &mut self,
        terms: Terms<'_>,
        modifier: &[u8],
    ) -> Result<(), ModifierError> {
        match modifier {
            // As in Redis.
            [] => {}
            _ if is(modifier, "on") => self.is_on = true,
            _ if is(modifier, "off") => self.is_on = false,
            _ if is(modifier, "nopass") => {
                self.needs_no_password = true;
                self.passwords.clear();
            }
            _ if is(modifier, "resetpass") => {
                self.needs_no_password = false;
                self.passwords.clear();
            }
            _ if is(modifier, "sanitize-payload") => self.skips_sanitizing = false,
            _ if is(modifier, "skip-sanitize-payload") => self.skips_sanitizing = true,
            _ if is(modifier, "reset") => {
                *self = User::new(&self.name, terms.allows_channels);
            }
            _ if is(modifier, "clearselectors") => self.selectors.clear(),
            [b'>', password @ ..] => self.add_password(PasswordHash::of(password)),
            [b'#', digits @ ..] => self.add_password(hash(digits)?),
            [b'<', password @ ..] => self.remove_password(PasswordHash::of(password))?,
            [b'!', digits @ ..] => self.remove_password(hash(digits)?)?,
            [b'(', inner @ .., b')'] => {
                let mut selector = Selector::new(terms.allows_channels);
                let words = inner.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
                for word in words {
                    selector.modify(terms, word)?;
                }
                self.selectors.push(selector);
            }
            _ => self.root.modify(terms, modifier)?,
        }
        self.is_unrestricted = self.root.allows_all();
        Ok(())
    }

    fn add_password(&mut self, hash: PasswordHash) {
        self.needs_no_password = false;
        if !self.passwords.iter().any(|own| own.is_same(&hash)) {
            self.passwords.push(hash);
        }
    }

    fn remove_password(&mut self, hash: PasswordHash) -> Result<(), ModifierError> {
        let position = self.passwords.iter().position(|own| own.is_same(&hash));
        self.passwords.remove(position.ok_or(ModifierError::NoSuchPassword)?);
        Ok(())
    }
}

fn hash(digits: &[u8]) -> Result<PasswordHash, ModifierError> {
    PasswordHash::parse(digits).ok_or(ModifierError::BadHash)
}

impl Selector {
    /// Changes the selector by one modifier.
    fn modify(&mut self, terms: Terms<'_>, modifier: &[u8]) -> Result<(), ModifierError> {
        match modifier {
            b"~*" => self.allow_all_keys(),
            b"&*" => self.allow_all_channels(),
            _ if is(modifier, "allkeys") => self.allow_all_keys(),
            _ if is(modifier, "resetkeys") => self.keys = KeyPatterns::default(),
            _ if is(modifier, "allchannels") => self.allow_all_channels(),
            _ if is(modifier, "resetchannels") => self.channels = ChannelPatterns::all(false),
            _ if is(modifier, "allcommands") => {
                self.commands.change(terms.catalogue, b"@all", true)?;
            }
            _ if is(modifier, "nocommands") => {
                self.commands.change(terms.catalogue, b"@all", false)?;
            }
            [b'~', pattern @ ..] => self.add_keys(pattern, Access::ALL)?,
            [b'%', rest @ ..] => {
                let (access, pattern) = split_access(rest).ok_or(ModifierError::Syntax)?;
                self.add_keys(pattern, access)?;
            }
            [b'&', pattern @ ..] => self.add_channels(pattern)?,
            [b'+', what @ ..] => {
                self.commands.change(terms.catalogue, what, true)?;
                // The first argument of a call may be anything.
                check_pattern(what)?;
            }
            [b'-', what @ ..] => self.commands.change(terms.catalogue, what, false)?,
            _ => return Err(ModifierError::Syntax),
        }
        Ok(())
    }

    fn allow_all_keys(&mut self) {
        self.keys = KeyPatterns::all();
    }

    fn allow_all_channels(&mut self) {
        self.channels = ChannelPatterns::all(true);
    }

    fn add_keys(&mut self, pattern: &[u8], access: Access) -> Result<(), ModifierError> {
        check_pattern(pattern)?;
        if self.keys.allows_all {
            return Err(ModifierError::KeyAfterAll);
        }
        self.keys.add(pattern, access);
        Ok(())
    }

    fn add_channels(&mut self, pattern: &[u8]) -> Result<(), ModifierError> {
        check_pattern(pattern)?;
        if self.channels.allows_all {
            return Err(ModifierError::ChannelAfterAll);
        }
        self.channels.add(pattern);
        Ok(())
    }
}

/// Whether a name or a pattern is one word of an ACL file: with a space or a NUL it could not be read back.
pub(super) fn is_word_of_file(text: &[u8]) -> bool {
    let is_odd = |byte: &u8| byte.is_ascii_whitespace() || *byte == 0 || *byte == 0x0b;
    !text.iter().any(is_odd)
}

fn check_pattern(pattern: &[u8]) -> Result<(), ModifierError> {
    if is_word_of_file(pattern) { Ok(()) } else { Err(ModifierError::Syntax) }
}

/// Splits `RW~pattern` into the access and the pattern.
fn split_access(text: &[u8]) -> Option<(Access, &[u8])> {
    let tilde = memchr::memchr(b'~', text)?;
    let (letters, pattern) = (&text[..tilde], &text[tilde + 1..]);
    let access = match letters.to_ascii_uppercase().as_slice() {
        b"R" => Access { reads: true, writes: false },
        b"W" => Access { reads: false, writes: true },
        b"RW" | b"WR" => Access::ALL,
        _ => return None,
    };
    Some((access, pattern))
}
