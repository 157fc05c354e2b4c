//! The syntax of a command's arguments. COMMAND DOCS shows it, and `redis-cli` builds its hints from
//! that.

/// One argument, in one of these forms.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Arg {
    /// `count`
    One(&'static str),
    /// `key [key ...]`
    Many(&'static str),
    /// `[count]`
    Optional(&'static str),
    /// `[section [section ...]]`
    OptionalMany(&'static str),
    /// `parameter value [parameter value ...]`
    Pairs(&'static str, &'static str),
    /// `LEFT|RIGHT`
    Choice(&'static [&'static str]),
    /// `[NX|XX]`
    OptionalChoice(&'static [&'static str]),
    /// `LIST`
    Word(&'static str),
    /// `[REPLACE]`
    OptionalWord(&'static str),
    /// `FILTERBY filter`
    Named(&'static str, &'static str),
    /// `[COUNT count]`
    OptionalNamed(&'static str, &'static str),
    /// `[WEIGHTS weight [weight ...]]`
    OptionalNamedMany(&'static str, &'static str),
    /// `[GET pattern [GET pattern ...]]`
    OptionalNamedEach(&'static str, &'static str),
    /// `DEL name`
    Block(&'static [Arg]),
    /// `[protover [AUTH username password] …]`
    OptionalBlock(&'static str, &'static [Arg]),
    /// `DEL name|LIST|…`
    OneOf(&'static [Arg]),
    /// `[max-length count] …`: the options of a queue policy, from their own table.
    PolicyOptions,
}

// Arguments shared by several families.
pub(crate) const ENDS: Arg = Arg::Choice(&["LEFT", "RIGHT"]);
pub(crate) const SYNC: Arg = Arg::OptionalChoice(&["ASYNC", "SYNC"]);

// Costs shared by several families.
pub(crate) const PER_KEY: &str = "O(1) for each key";
pub(crate) const TAKE_MANY: &str =
    "O(N+M) where N is the number of keys and M the number of messages taken";
pub(crate) const ALL_KEYS: &str = "O(N) where N is the number of keys";
pub(crate) const ALL_CLIENTS: &str = "O(N) where N is the number of clients";
