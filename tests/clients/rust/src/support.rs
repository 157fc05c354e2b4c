//! Shared by the check programs: waiting, reporting.

use std::panic::{self, AssertUnwindSafe};
use std::thread;
use std::time::{Duration, Instant};

use redis::{Connection, RedisResult};

pub const PATIENCE: Duration = Duration::from_secs(20);

pub fn client_list(connection: &mut Connection) -> String {
    redis::cmd("CLIENT").arg("LIST").query(connection).expect("CLIENT LIST")
}

pub fn shows_blocked(client_list: &str) -> bool {
    let mut flags = client_list.split_whitespace().filter_map(|field| field.strip_prefix("flags="));
    flags.any(|flags| flags.contains('b'))
}

pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Functions as checks with their names.
macro_rules! checks {
    ($($check:ident),* $(,)?) => {
        vec![$((stringify!($check), $check as $crate::support::Check<_>)),*]
    };
}
pub(crate) use checks;

pub type Check<T> = fn(&mut T) -> RedisResult<()>;

/// Runs the checks, reports each, and ends the program.
pub fn run<T>(
    subject: &str,
    checks: Vec<(&str, Check<T>)>,
    context: &mut T,
    before_each: impl Fn(&mut T) -> RedisResult<()>,
) -> ! {
    panic::set_hook(Box::new(|panic| {
        println!("    {}", panic.to_string().replace('\n', "\n    "))
    }));
    let mut failed = false;
    for (name, check) in checks {
        let name = format!("{subject}: {}", name.replace('_', " "));
        let checked = panic::catch_unwind(AssertUnwindSafe(|| {
            before_each(context)?;
            check(context)
        }));
        if let Ok(Err(error)) = &checked {
            println!("    {error}");
        }
        let passed = matches!(checked, Ok(Ok(())));
        println!("{} {name}", if passed { "ok" } else { "FAILED" });
        failed |= !passed;
    }
    std::process::exit(failed.into());
}

/// The crate does not say which version it is; what Cargo chose does.
pub fn version() -> &'static str {
    let entry = include_str!("../Cargo.lock").split("name = \"redis\"\nversion = \"").nth(1);
    entry.and_then(|entry| entry.split('"').next()).unwrap_or("of unknown version")
}
