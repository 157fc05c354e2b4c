//! Why a script must stop before its end.

/// Why a script must stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// It has run for longer than `script-time-limit-ms`.
    TimeLimit = 1,
    /// The code of a library takes too long to load.
    LoadTimeout,
    /// SCRIPT KILL or FUNCTION KILL.
    Killed,
    /// The broker stops at once.
    Shutdown,
    /// A command that it called has panicked.
    Panic,
}

impl Stop {
    const ALL: [Stop; 5] =
        [Stop::TimeLimit, Stop::LoadTimeout, Stop::Killed, Stop::Shutdown, Stop::Panic];

    /// The reason with this number, as `stop as u8` is.
    pub(super) fn from_number(number: u8) -> Option<Stop> {
        Stop::ALL.into_iter().find(|stop| *stop as u8 == number)
    }

    /// The error that ends the script.
    pub(super) fn text(self) -> &'static str {
        match self {
            Stop::TimeLimit => {
                "the script has run for longer than script-time-limit-ms and was stopped"
            }
            Stop::LoadTimeout => "FUNCTION LOAD timeout",
            Stop::Killed => "Script killed by user with SCRIPT KILL...",
            Stop::Shutdown => "the broker stops",
            Stop::Panic => "a command failed",
        }
    }
}
