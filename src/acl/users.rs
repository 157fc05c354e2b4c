//! All users, by name and by number.

use super::catalogue::Catalogue;
use super::error::{ModifierError, UsersError};
use super::modifiers::{Terms, is_word_of_file, join_selectors};
use super::password::PasswordHash;
use super::user::User;
use std::collections::{BTreeMap, BTreeSet};

/// The number of a user. It stays the same when the user is changed, and may be given to another user
/// once this one is deleted and no client has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct UserId(u32);

impl UserId {
    /// The user of clients that have not authenticated. It cannot be deleted.
    pub(crate) const DEFAULT: UserId = UserId(0);
}

/// All users.
#[derive(Debug)]
pub(crate) struct Users {
    /// By number. A deleted user's place has one that may do nothing.
    all: Vec<User>,
    free: Vec<UserId>,
    by_name: BTreeMap<Vec<u8>, UserId>,
    catalogue: &'static Catalogue,
    /// Whether new users and selectors may use all channels (`acl-pubsub-default`).
    allows_channels: bool,
    changes: u64,
}

impl Users {
    /// The default user alone, which may do everything and needs this password; none if it is empty.
    pub(crate) fn new(
        catalogue: &'static Catalogue,
        requirepass: &str,
        allows_channels: bool,
    ) -> Users {
        let by_name = BTreeMap::from([(b"default".to_vec(), UserId::DEFAULT)]);
        let all = vec![User::new(b"default", allows_channels)];
        let mut users =
            Users { all, free: Vec::new(), by_name, catalogue, allows_channels, changes: 0 };
        let terms = users.terms();
        for modifier in [b"on", &b"allkeys"[..], b"allchannels", b"allcommands"] {
            let changed = users.all[0].modify(terms, modifier);
            debug_assert_eq!(changed, Ok(()));
        }
        users.set_default_password(requirepass);
        users
    }

    /// Changes `acl-pubsub-default` for users and selectors that are made from now on.
    pub(crate) fn set_allows_channels(&mut self, allows_channels: bool) {
        self.allows_channels = allows_channels;
    }

    fn terms(&self) -> Terms<'static> {
        Terms { catalogue: self.catalogue, allows_channels: self.allows_channels }
    }

    /// Grows when any user changes: a password that was right before may be wrong now.
    #[cfg(feature = "http")]
    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }

    /// The names and categories of commands.
    pub(crate) fn catalogue(&self) -> &'static Catalogue {
        self.catalogue
    }

    /// The user with this number.
    #[inline]
    pub(crate) fn get(&self, id: UserId) -> &User {
        // Numbers come from this table only, and it never gets shorter.
        &self.all[id.0 as usize]
    }

    /// The number of the user with this name.
    pub(crate) fn find(&self, name: &[u8]) -> Option<UserId> {
        self.by_name.get(name).copied()
    }

    /// All users, in the order of their names.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = &User> {
        self.by_name.values().map(|id| self.get(*id))
    }

    /// Whether clients need not authenticate: the default user is on and has no password.
    #[inline]
    pub(crate) fn is_open(&self) -> bool {
        self.get(UserId::DEFAULT).is_open()
    }

    /// The user with this name and password, if it is on. Takes as long for an unknown name.
    pub(crate) fn authenticate(&self, name: &[u8], password: &[u8]) -> Option<UserId> {
        let hash = PasswordHash::of(password);
        let id = self.find(name)?;
        self.get(id).accepts(&hash).then_some(id)
    }

    /// Makes this the only password of the default user (`requirepass`); none if it is empty.
    pub(crate) fn set_default_password(&mut self, password: &str) {
        self.changes += 1;
        let default = &mut self.all[0];
        default.passwords.clear();
        default.needs_no_password = password.is_empty();
        if !password.is_empty() {
            default.passwords.push(PasswordHash::of(password.as_bytes()));
        }
    }

    /// Creates or changes a user by these modifiers.
    ///
    /// # Errors
    /// A modifier is wrong, or the name; nothing is changed.
    pub(crate) fn set<'a>(
        &mut self,
        name: &[u8],
        modifiers: impl Iterator<Item = &'a [u8]>,
    ) -> Result<UserId, UsersError> {
        let known = self.find(name);
        let user = match known {
            Some(id) => self.get(id).clone(),
            None => User::new(name, self.allows_channels),
        };
        let changed = self.changed(user, modifiers)?;
        Ok(self.put(changed))
    }

    /// The user, changed by these modifiers.
    fn changed<'a>(
        &self,
        mut user: User,
        modifiers: impl Iterator<Item = &'a [u8]>,
    ) -> Result<User, UsersError> {
        if !is_word_of_file(&user.name) {
            return Err(UsersError::BadName);
        }
        let joined = join_selectors(modifiers)
            .map_err(|start| UsersError::UnmatchedParenthesis(start.to_vec()))?;
        for modifier in joined {
            user.modify(self.terms(), &modifier).map_err(|reason| {
                let modifier = modifier.into_owned();
                UsersError::Modifier { modifier, reason }
            })?;
        }
        Ok(user)
    }

    /// Stores a user under its name.
    fn put(&mut self, user: User) -> UserId {
        self.changes += 1;
        if let Some(id) = self.find(&user.name) {
            self.all[id.0 as usize] = user;
            return id;
        }
        let name = user.name.clone();
        let id = match self.free.pop() {
            Some(id) => {
                self.all[id.0 as usize] = user;
                id
            }
            None => {
                self.all.push(user);
                // Each user takes more than a byte, so their number is far below 32 bits.
                UserId((self.all.len() - 1) as u32)
            }
        };
        self.by_name.insert(name, id);
        id
    }

    /// Deletes a user other than the default one. The caller takes it from all clients.
    pub(crate) fn remove(&mut self, name: &[u8]) -> Option<UserId> {
        let id = self.find(name).filter(|id| *id != UserId::DEFAULT)?;
        self.changes += 1;
        self.by_name.remove(name);
        self.all[id.0 as usize] = User::new(b"", false);
        self.free.push(id);
        Some(id)
    }

    /// Creates or changes a user as a `user` directive says: a user that exists begins anew.
    ///
    /// # Errors
    /// A word is wrong. Then the user is off and may do nothing, so that a mistake opens no door.
    pub(crate) fn declare(&mut self, words: &[String]) -> Result<(), UsersError> {
        let mut words = words.iter().map(String::as_bytes);
        let name = words.next().unwrap_or_default();
        let fresh = User::new(name, self.allows_channels);
        match self.changed(fresh.clone(), words) {
            Ok(user) => {
                self.put(user);
                Ok(())
            }
            Err(error) => {
                self.put(fresh);
                Err(error)
            }
        }
    }

    /// Reads the text of an ACL file; errors name it `path`.
    ///
    /// # Errors
    /// All errors of the file, in Redis' words.
    pub(crate) fn parse_file(&self, path: &str, text: &[u8]) -> Result<Vec<User>, Vec<String>> {
        let (mut users, mut names, mut errors) = (Vec::new(), BTreeSet::new(), Vec::new());
        for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
            let number = index + 1;
            let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
            match (words.next(), words.next()) {
                (None, _) => {}
                (Some(b"user"), Some(name)) => {
                    if !names.insert(name.to_vec()) {
                        let name = String::from_utf8_lossy(name);
                        errors.push(format!(
                            "WARNING: Duplicate user '{name}' found on line {number}."
                        ));
                        continue;
                    }
                    match self.changed(User::new(name, self.allows_channels), words) {
                        Ok(user) => users.push(user),
                        Err(UsersError::Modifier {
                            modifier,
                            reason: reason @ ModifierError::Unknown,
                        }) => {
                            let modifier = modifier.escape_ascii();
                            errors.push(format!(
                                "{path}:{number}: Error in applying operation '{modifier}': {reason}."
                            ));
                        }
                        Err(UsersError::Modifier { reason, .. }) => {
                            errors.push(format!("{path}:{number}: {reason}."));
                        }
                        Err(error) => errors.push(format!("{path}:{number}: {error}")),
                    }
                }
                _ => {
                    errors.push(format!(
                        "{path}:{number} should start with user keyword followed by the username."
                    ));
                }
            }
        }
        if errors.is_empty() { Ok(users) } else { Err(errors) }
    }

    /// Replaces all users by those of a file; returns the numbers of those that are gone. A default user
    /// that the file does not mention stays as it is: Redis makes it one without a password.
    pub(crate) fn replace(&mut self, users: Vec<User>) -> Vec<UserId> {
        let kept: BTreeSet<&[u8]> = users.iter().map(User::name).collect();
        let gone = self.by_name.keys().filter(|name| !kept.contains(&name[..])).cloned();
        let gone: Vec<Vec<u8>> = gone.collect();
        for user in users {
            self.put(user);
        }
        gone.iter().filter_map(|name| self.remove(name)).collect()
    }

    /// Lets nobody in: the users could not be read, and a guess could open a door.
    pub(crate) fn lock(&mut self) {
        self.changes += 1;
        self.all[0] = User::new(b"default", false);
    }
}
