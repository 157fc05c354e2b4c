//! Users and what they may do: access control lists as in Redis 7.2.
//! <https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/>
//!
//! A user has a root selector and any number of further ones. A request is allowed if one selector
//! allows all of it: the command, each key in the way in which it is used, each channel. The module
//! knows commands only by their number: [`Catalogue`] has their names and categories.
//!
//! | module | responsibility |
//! |---|---|
//! | `catalogue`, `category` | the names and categories of commands, as rules need them |
//! | `commands` | the commands that a selector allows |
//! | `patterns` | the patterns of keys and channels that a selector allows |
//! | `selector` | all of that together, and the check of a request |
//! | `modifiers`, `error` | the words of ACL SETUSER, and their errors |
//! | `user`, `password` | a user; hashed passwords |
//! | `users` | all users, by name and by number |
//! | `log` | the refused requests that ACL LOG shows |

mod catalogue;
mod category;
mod commands;
mod error;
mod log;
mod modifiers;
mod password;
mod patterns;
mod selector;
mod user;
mod users;

pub(crate) use catalogue::{Catalogue, CatalogueEntry};
pub(crate) use category::Categories;
pub use error::UserFault;
pub(crate) use error::UsersError;
pub(crate) use log::{AccessLog, Denial, DenialContext, LogEntry, LogSubject};
pub(crate) use patterns::Access;
pub(crate) use selector::{Asked, Refusal, Selector};
pub(crate) use user::User;
pub(crate) use users::{UserId, Users};

#[cfg(test)]
mod tests;
