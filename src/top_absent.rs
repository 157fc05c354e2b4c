//! In the place of `top`, in a build without it.

use std::process::ExitCode;

/// Refuses.
pub fn run(_: &[String]) -> ExitCode {
    eprintln!("tidegate top: this build has no such view; build it with the feature `top`");
    ExitCode::FAILURE
}
