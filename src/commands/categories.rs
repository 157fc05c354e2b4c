//! The ACL categories of commands.

use crate::engine::{Command, Flags};

/// Returns a command's ACL categories in Redis' order, without `@`. A container has only its speed
/// category, since it is never called by itself.
pub(super) fn categories(command: &Command) -> Vec<&'static str> {
    let own = if command.run.is_some() { command.own_category() } else { None };
    let flags = command.flags;
    let is_admin = flags.intersects(Flags::ADMIN.with(Flags::COUNTS_AS_ADMIN));
    let is_fast = flags.contains(Flags::FAST);
    let conditions = [
        (own == Some("keyspace"), "keyspace"),
        (flags.contains(Flags::READONLY), "read"),
        (flags.contains(Flags::WRITE), "write"),
        (own == Some("list"), "list"),
        (own == Some("string"), "string"),
        (flags.contains(Flags::PUBSUB), "pubsub"),
        (is_admin, "admin"),
        (is_fast, "fast"),
        (!is_fast, "slow"),
        (flags.contains(Flags::BLOCKING), "blocking"),
        (is_admin || flags.contains(Flags::DANGEROUS), "dangerous"),
        (own == Some("connection"), "connection"),
        (own == Some("transaction"), "transaction"),
        (own == Some("scripting"), "scripting"),
    ];
    conditions.iter().filter(|(holds, _)| *holds).map(|(_, name)| *name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::table;

    #[test]
    fn categories_follow_redis() {
        let categories_of = |name: &str| {
            let found = table().find_full(name.as_bytes()).expect("in the table");
            categories(found.command).join(" ")
        };
        assert_eq!(categories_of("blmove"), "write list slow blocking");
        assert_eq!(categories_of("multi"), "fast transaction");
        assert_eq!(categories_of("pubsub"), "slow");
        assert_eq!(categories_of("pubsub|numsub"), "pubsub slow");
        assert_eq!(categories_of("command|docs"), "slow connection");
        assert_eq!(categories_of("role"), "admin fast dangerous");
        assert_eq!(categories_of("config|set"), "admin slow dangerous");
    }
}
