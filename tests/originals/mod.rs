//! The judges: redis-servers, where installed.
//!
//! - `redis-server` on the path, version 7.0 or for some tests 7.2, is the first judge.
//! - `TIDEGATE_REDIS_8` gives the full path of a second one, version 8.2.
//!
//! Tests that need a judge are ignored without it. With `TIDEGATE_REQUIRE_REDIS=1` they fail, and so
//! they do when `TIDEGATE_REDIS_8` is not such a program.

use std::path::PathBuf;
use std::process::Command;

use libtest_mimic::Trial;

/// A version that the tests know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    V7_0,
    V7_2,
    V8_2,
}

#[derive(Clone, Debug)]
pub struct Original {
    pub program: PathBuf,
    pub version: Version,
}

/// A judge to look for.
pub struct Judge {
    /// Or the reason why it is missing.
    original: Result<Original, String>,
    is_required: bool,
}

impl Version {
    const ALL: [Version; 3] = [Version::V7_0, Version::V7_2, Version::V8_2];

    pub fn name(self) -> &'static str {
        match self {
            Version::V7_0 => "7.0",
            Version::V7_2 => "7.2",
            Version::V8_2 => "8.2",
        }
    }

    pub fn named(name: &str) -> Option<Version> {
        Version::ALL.into_iter().find(|version| version.name() == name)
    }
}

/// The `redis-server` on the path, if it is one of these versions.
pub fn redis_7(versions: &[Version]) -> Judge {
    Judge { original: original("redis-server".into(), versions), is_required: is_required() }
}

pub fn redis_8() -> Judge {
    match std::env::var_os("TIDEGATE_REDIS_8") {
        Some(program) => {
            Judge { original: original(program.into(), &[Version::V8_2]), is_required: true }
        }
        None => Judge {
            original: Err("TIDEGATE_REDIS_8 names no program".to_owned()),
            is_required: is_required(),
        },
    }
}

/// A test that needs `judge`.
pub fn trial(
    name: impl Into<String>,
    judge: &Judge,
    run: impl FnOnce(&Original) -> Result<(), String> + Send + 'static,
) -> Trial {
    let is_ignored = judge.original.is_err() && !judge.is_required;
    let original = judge.original.clone();
    Trial::test(name, move || Ok(run(&original?)?)).with_ignored_flag(is_ignored)
}

/// Whether tests without their judge fail instead of being ignored.
pub fn is_required() -> bool {
    std::env::var("TIDEGATE_REQUIRE_REDIS").is_ok_and(|value| value == "1")
}

/// The program, if it is one of these versions.
fn original(program: PathBuf, versions: &[Version]) -> Result<Original, String> {
    let shown = program.display();
    let output = Command::new(&program).arg("--version").output();
    let output = output.map_err(|error| format!("'{shown}' does not start: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let number = text.split_once(" v=").and_then(|(_, rest)| rest.split(' ').next());
    let version = number.and_then(|number| Version::named(number.rsplit_once('.')?.0));
    match version.filter(|version| versions.contains(version)) {
        Some(version) => Ok(Original { program, version }),
        None => {
            let known: Vec<&str> = versions.iter().map(|version| version.name()).collect();
            let known = known.join(" or ");
            Err(format!("expected '{shown}' to be redis-server {known}, got: {}", text.trim()))
        }
    }
}
