//! The process of a server: pinned to the servers' core, with its busy time, and ended with this value.

use std::ffi::OsStr;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The core of the measured servers.
pub const SERVER_CORE: &str = "0";
/// Anything slower counts as a failure.
pub const PATIENCE: Duration = Duration::from_secs(120);
/// The unit of times in `/proc/PID/stat`; Linux promises it to programs on all processors we know.
const TICKS_PER_SECOND: f64 = 100.0;

/// A child process; it ends with this value.
pub struct Process {
    child: Child,
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself; nothing to do about it here.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Process {
    /// A program on the servers' core; arguments are added by the caller.
    pub fn command(program: impl AsRef<OsStr>) -> Command {
        Process::command_on(SERVER_CORE, program)
    }

    /// A program on this core.
    pub fn command_on(core: &str, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("taskset");
        command.args(["-c", core]).arg(program);
        command
    }

    pub fn start(command: &mut Command) -> Process {
        let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Process { child: quiet.spawn().expect("the process starts") }
    }

    /// Waits until it has ended by itself.
    pub fn wait(&mut self) {
        let begun = Instant::now();
        while !self.has_ended() {
            assert!(begun.elapsed() < PATIENCE, "it does not shut down");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Waits until it accepts connections, for servers that take seconds to start.
    pub fn wait_until_it_accepts(&mut self, address: SocketAddr) {
        let begun = Instant::now();
        while let Err(error) = TcpStream::connect(address) {
            assert!(!self.has_ended(), "it has ended while it started");
            assert!(begun.elapsed() < PATIENCE, "{error}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("it is our child").is_some()
    }

    pub fn resident_bytes(&self) -> f64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).expect("the server runs");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("VmRSS");
        let kilobytes = line.split_whitespace().nth(1).and_then(|number| number.parse().ok());
        kilobytes.map(|kilobytes: f64| kilobytes * 1024.0).expect("a number")
    }

    /// The server's total busy time: the time that it ran, and that it waited for its core while another
    /// process had it.
    pub fn busy_time(&self) -> Duration {
        // Of the main thread, which serves; some kernels lack this file.
        let waited = self.read("schedstat").ok();
        let waited = waited.and_then(|text| text.split(' ').nth(1)?.parse().ok());
        self.cpu_time() + Duration::from_nanos(waited.unwrap_or(0))
    }

    /// The time that its threads ran.
    pub fn cpu_time(&self) -> Duration {
        let stat = self.read("stat").expect("the server runs");
        // The second field is the program's name, which may contain spaces.
        let (_, fields) = stat.rsplit_once(')').expect("a name in brackets");
        let ticks = fields.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<f64>());
        let ran = ticks.sum::<Result<f64, _>>().expect("utime and stime") / TICKS_PER_SECOND;
        Duration::from_secs_f64(ran)
    }

    fn read(&self, name: &str) -> std::io::Result<String> {
        std::fs::read_to_string(format!("/proc/{}/{name}", self.child.id()))
    }

    /// From now on it runs only while nobody else on its core wants to. The lowest priority is not
    /// enough for that: it may still keep others waiting for milliseconds.
    pub fn give_way(&self) {
        let pid = self.child.id().to_string();
        let chrt = ["--all-tasks", "--idle", "--pid", "0", &pid];
        let status = Command::new("chrt").args(chrt).status().expect("chrt of util-linux");
        assert!(status.success(), "chrt: {status}");
    }
}

/// Free addresses of this machine, all different.
pub fn free_addresses<const N: usize>() -> [SocketAddr; N] {
    let listeners = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").expect("a free port"));
    listeners.map(|listener| listener.local_addr().expect("its address"))
}

/// A connection to a server that accepts now or soon.
pub fn connect(address: SocketAddr) -> TcpStream {
    let begun = Instant::now();
    loop {
        match TcpStream::connect(address) {
            Ok(stream) => {
                stream.set_nodelay(true).expect("TCP_NODELAY");
                stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
                return stream;
            }
            Err(error) => assert!(begun.elapsed() < Duration::from_secs(10), "{error}"),
        }
        std::thread::yield_now();
    }
}
