//! The properties of a command, as a set of flags.

use std::ops::BitOr;

/// The properties of a command, as a set of flags. Names and meanings are Redis' (`COMMAND` page),
/// except those that COMMAND does not show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flags(u32);

/// Passes each flag to a macro: its meaning, name, builder method, and Redis' name if COMMAND shows it.
macro_rules! each_flag {
    ($use:ident) => {
        $use! {
            /// Changes data.
            WRITE write Some("write");
            /// Only reads data.
            READONLY read_only Some("readonly");
            /// Refused above the memory limit.
            DENYOOM deny_oom Some("denyoom");
            /// For administrators.
            ADMIN admin Some("admin");
            /// About publish/subscribe.
            PUBSUB pubsub Some("pubsub");
            /// Not allowed in scripts.
            NOSCRIPT no_script Some("noscript");
            /// Can wait.
            BLOCKING blocking Some("blocking");
            /// Allowed while data is loaded.
            LOADING loading Some("loading");
            /// Allowed on a replica with old data.
            STALE stale Some("stale");
            /// Not shown by MONITOR.
            SKIP_MONITOR skip_monitor Some("skip_monitor");
            /// Not recorded by SLOWLOG.
            SKIP_SLOWLOG skip_slowlog Some("skip_slowlog");
            /// Cheap, however much data there is.
            FAST fast Some("fast");
            /// Allowed without authentication.
            NO_AUTH no_auth Some("no_auth");
            /// Not allowed while data is loaded in the background.
            NO_ASYNC_LOADING no_async_loading Some("no_async_loading");
            /// Not allowed in a transaction.
            NO_MULTI no_multi Some("no_multi");
            /// May be called without any of its keys.
            NO_MANDATORY_KEYS no_mandatory_keys Some("no_mandatory_keys");
            /// The positions of its keys depend on other arguments.
            MOVABLEKEYS movable_keys Some("movablekeys");
            /// Allowed while a script runs for too long.
            ALLOW_BUSY allow_busy Some("allow_busy");
            /// Can be sent to replicas although it changes no data. Redis does not show this for
            /// PUBLISH either.
            MAY_REPLICATE may_replicate None;
            /// Needs `enable-debug-command`.
            PROTECTED protected None;
            /// In the category `dangerous`, although not for administrators.
            DANGEROUS dangerous None;
            /// In the category `admin`, although allowed for every client.
            COUNTS_AS_ADMIN counts_as_admin None;
            /// Allowed for subscribers in RESP2, where replies and messages look alike.
            FOR_SUBSCRIBERS for_subscribers None;
            /// Runs at once in a transaction; all other commands are queued.
            NEVER_QUEUED never_queued None;
            /// Ends a transaction, so it is allowed in it even above the memory limit.
            ENDS_TRANSACTION ends_transaction None;
            /// Runs the commands of a transaction, so it has their effects.
            RUNS_QUEUED runs_queued None;
            /// Has effects on the state of its connection, which with HTTP nobody owns for longer than a
            /// request.
            PER_CONNECTION per_connection None;
            /// Refused while the append files cannot be written, so that monitoring notices.
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
