//! The process: its identity, its uptime, its processor time, its turns.

use super::figure::Unit::{Count, Days, Microseconds, Seconds, UnixMicroseconds, UnixSeconds};
use super::figure::{Figure, Value, counter, gauge, text};
use crate::settings::Supervision;

#[rustfmt::skip]
pub(super) static FIGURES: &[Figure] = &[
    text("tidegate_version", "Version of Tidegate.", |_| env!("CARGO_PKG_VERSION").into()),
    text("os", "Operating system and processor architecture.",
        |_| format!("{} {}", os_name(), std::env::consts::ARCH).into()),
    text("arch_bits", "Bits of an address.", |_| usize::BITS.into()),
    text("multiplexing_api", "The system's interface to wait for sockets.",
        |_| if cfg!(target_os = "linux") { "epoll" } else { "kqueue" }.into()),
    text("process_id", "Id of the process.", |_| std::process::id().into()),
    text("process_supervised", "The program that supervises the process, or no.",
        |r| match r.state.settings.supervised { Supervision::Systemd => "systemd", _ => "no" }.into()),
    text("run_id", "Forty hexadecimal digits, unique to this run.", |r| r.state.run_id.as_str().into()),
    text("tcp_port", "Port for TCP connections; if there is none, the one for TLS.", |r| {
        let settings = &r.state.settings;
        u32::from(if settings.port == 0 { settings.tls.port } else { settings.port }).into()
    }),
    text("executable", "Path of the program.", |r| r.state.host.program().into()),
    text("config_file", "Path of the configuration file; empty without one.",
        |r| r.state.settings.config_file.as_ref().map(|path| path.display().to_string()).unwrap_or_default().into()),

    gauge("server_time_usec", "", UnixMicroseconds, "Calendar time of the server.", |r| r.now.unix_us.into()),
    gauge("start_time", "start_time_seconds", UnixSeconds, "Calendar time at which the broker began.",
        |r| (r.state.started.unix_us / 1_000_000).into()),
    gauge("uptime_in_seconds", "uptime_seconds", Seconds,
        "Time since the broker began.", |r| r.uptime_s().into()),
    gauge("uptime_in_days", "", Days,
        "Whole days since the broker began.", |r| (r.uptime_s() / 86_400).into()),
    gauge("lru_clock", "", Seconds, "Lower 24 bits of the calendar time in seconds.",
        |r| ((r.now.unix_us / 1_000_000) & 0xff_ffff).into()),

    counter("used_cpu_sys", "cpu_system_seconds_total", Seconds,
        "Processor time of the process in the kernel.",
        |r| Value::Seconds(r.cpu_us().0)),
    counter("used_cpu_user", "cpu_user_seconds_total", Seconds,
        "Processor time of the process in the program.",
        |r| Value::Seconds(r.cpu_us().1)),
    counter("used_cpu_sys_main_thread", "thread_cpu_system_seconds_total", Seconds,
        "Processor time in the kernel of the server's thread.",
        |r| Value::Seconds(r.thread_cpu_us().0)),
    counter("used_cpu_user_main_thread", "thread_cpu_user_seconds_total", Seconds,
        "Processor time in the program of the server's thread.",
        |r| Value::Seconds(r.thread_cpu_us().1)),

    counter("eventloop_cycles", "", Count, "Turns of the event loop.", |r| r.state.stats.turns.into()),
    counter("eventloop_duration_sum", "", Microseconds, "Time of all turns, without waiting for sockets.",
        |r| r.state.stats.turn_usec.into()),
    gauge("eventloop_duration_max", "turn_duration_max_seconds", Microseconds, "Time of the longest turn.",
        |r| r.state.stats.turn_longest_usec.into()),
];

/// The system's name as in `uname`.
fn os_name() -> &'static str {
    match std::env::consts::OS {
        "linux" => "Linux",
        "macos" => "Darwin",
        "freebsd" => "FreeBSD",
        other => other,
    }
}
