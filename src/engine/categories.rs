//! The ACL categories of commands.

use super::command::Command;
use crate::acl::Categories;
use crate::flags::Flags;

impl Command {
    /// Returns the command's ACL categories. A container has only its speed category, since it is never
    /// called by itself.
    pub(crate) fn categories(&self) -> Categories {
        let own = if self.run.is_some() { self.own_category() } else { None };
        let flags = self.flags;
        let is_admin = flags.intersects(Flags::ADMIN.with(Flags::COUNTS_AS_ADMIN));
        let is_fast = flags.contains(Flags::FAST);
        let others = [
            // What a script does is up to the commands that it calls, as in Redis.
            (flags.contains(Flags::READONLY) && own != Some("scripting"), "read"),
            (flags.contains(Flags::WRITE), "write"),
            (flags.contains(Flags::PUBSUB), "pubsub"),
            (is_admin, "admin"),
            (is_fast, "fast"),
            (!is_fast, "slow"),
            (flags.contains(Flags::BLOCKING), "blocking"),
            (is_admin || flags.contains(Flags::DANGEROUS), "dangerous"),
        ];
        let others = others.iter().filter(|(holds, _)| *holds).map(|(_, name)| *name);
        let all = own.into_iter().chain(others).chain(self.other_categories().iter().copied());
        all.filter_map(|name| Categories::named(name.as_bytes()))
            .fold(Categories::default(), Categories::and)
    }
}
