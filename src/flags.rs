//! Properties of a command, as a set.

use std::ops::BitOr;

/// Properties of a command, as a set. Names and meaning are Redis' (`COMMAND` page), except those not
/// shown by COMMAND.
/// COMMAND does not show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flags(u32);

/// Passes each flag to a macro: its meaning, its builder's method, Redis' name if COMMAND shows it.
macro_rules! each_flag {
    ($use:ident) => {
        $use! {
            /// Changes data.
            WRITE write Some("write");
            /// Reads data and changes none.
            READONLY read_only Some("readonly");
            /// Refused above the memory limit.
            DENYOOM deny_oom Some("denyoom");
            /// For administrators.
            ADMIN admin Some("admin");
            /// About channels.
            PUBSUB pubsub Some("pubsub");
            /// Not for scripts.
            NOSCRIPT no_script Some("noscript");
            /// May wait.
            BLOCKING blocking Some("blocking");
            /// Answered while data is loaded.
            LOADING loading Some("loading");
            /// Answered by a replica whose data is old.
            STALE stale Some("stale");
            /// Not shown by MONITOR.
            SKIP_MONITOR skip_monitor Some("skip_monitor");
            /// Not recorded by SLOWLOG.
            SKIP_SLOWLOG skip_slowlog Some("skip_slowlog");
            /// Costs little, however much data there is.
            FAST fast Some("fast");
            /// Allowed without authentication.
            NO_AUTH no_auth Some("no_auth");
            /// Not while data is loaded in the background.
            NO_ASYNC_LOADING no_async_loading Some("no_async_loading");
            /// Not in a transaction.
            NO_MULTI no_multi Some("no_multi");
            /// The positions of its keys depend on other arguments.
            MOVABLEKEYS movable_keys Some("movablekeys");
            /// Answered while a script runs for too long.
            ALLOW_BUSY allow_busy Some("allow_busy");
            /// May be sent to replicas without changing data. Redis does not show this for PUBLISH
            /// either.
            MAY_REPLICATE may_replicate None;
            /// Needs `enable-debug-command`.
            PROTECTED protected None;
            /// In the category `dangerous` although it is not for administrators.
            DANGEROUS dangerous None;
            /// In the category `admin` although every client may use it.
            COUNTS_AS_ADMIN counts_as_admin None;
            /// Allowed for subscribers in RESP2, where replies and messages look alike.
            FOR_SUBSCRIBERS for_subscribers None;
            /// Run at once in a transaction, which queues all others.
            NEVER_QUEUED never_queued None;
            /// Ends a transaction, and so is allowed in it however little memory is left.
            ENDS_TRANSACTION ends_transaction None;
            /// Runs the commands of a transaction, and so does what any of them does.
            RUNS_QUEUED runs_queued None;
            /// Refused while nothing can be written, so that monitoring notices.
            PROBES probes None;
        }
    };
}
pub(crate) use each_flag;

macro_rules! constants {
    ($($(#[$doc:meta])* $flag:ident $method:ident $shown:expr;)*) => {
        /// The bit of each flag.
        #[allow(clippy::upper_case_acronyms, reason = "named as the flags are")]
        #[allow(non_camel_case_types, reason = "named as the flags are")]
        enum Bit { $($flag,)* }

        impl Flags {
            $($(#[$doc])* pub(crate) const $flag: Flags = Flags(1 << Bit::$flag as u32);)*

            /// The names that COMMAND shows, in its order.
            const NAMES: &[(Flags, Option<&'static str>)] = &[$((Flags::$flag, $shown),)*];
        }
    };
}

each_flag!(constants);

impl Flags {
    pub(crate) const NONE: Flags = Flags(0);

    #[inline]
    pub(crate) const fn contains(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any of `other` is in the set.
    #[inline]
    pub(crate) const fn intersects(self, other: Flags) -> bool {
        self.0 & other.0 != 0
    }

    /// Both sets, in constants.
    pub(crate) const fn with(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }

    /// The names that COMMAND shows, in Redis' order.
    pub(crate) fn names(self) -> impl Iterator<Item = &'static str> {
        let set = Flags::NAMES.iter().filter(move |(flag, _)| self.contains(*flag));
        set.filter_map(|(_, name)| *name)
    }
}

impl BitOr for Flags {
    type Output = Flags;

    fn bitor(self, other: Flags) -> Flags {
        self.with(other)
    }
}
