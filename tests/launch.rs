//! How the program is started: in the background, under a service manager, with a pid file, with
//! passwords on its command line.

mod server_support;

use server_support::{Client, Directory, PATIENCE, Process};
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

fn tidegate() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.args(["--bind", "127.0.0.1"]).stdin(Stdio::null());
    command
}

/// The address in the line `port N`.
fn address_in(text: &str) -> SocketAddr {
    let port = text.lines().find_map(|line| line.strip_prefix("port ")).expect("the port");
    ([127, 0, 0, 1], port.parse().expect("a number")).into()
}

#[test]
fn in_the_background_it_closes_the_terminal_once_it_listens() {
    let directory = Directory::new("background");
    let (pid_file, log) = (directory.join("pid"), directory.join("log"));
    let mut command = tidegate();
    command.args(["--port", "0", "--daemonize", "yes", "--requirepass", "topsecret"]);
    command.arg("--pidfile").arg(&pid_file).arg("--logfile").arg(&log);
    // It returns once no process has its standard output and error open.
    let output = command.output().expect("the binary runs");
    assert!(output.status.success(), "{output:?}");
    let mut client = Client::connect(address_in(&String::from_utf8_lossy(&output.stdout)));
    assert_eq!(client.ask("AUTH topsecret"), "+OK");
    let pid = fs::read_to_string(&pid_file).expect("the pid file");
    assert!(client.info("server").contains(&format!("process_id:{}\r\n", pid.trim())));
    client.send("SHUTDOWN\r\n");
    assert_eq!(client.line(), None);
    // The pid file is removed before the process ends.
    let begun = std::time::Instant::now();
    while pid_file.exists() && begun.elapsed() < PATIENCE {
        std::thread::yield_now();
    }
    assert!(!pid_file.exists());
    let log = fs::read_to_string(&log).expect("the log");
    assert!(log.contains("stopped") && !log.contains("topsecret"), "{log}");
}

#[test]
fn a_start_in_the_background_that_fails_says_so() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let mut command = tidegate();
    let output = command.args(["--port", &port, "--daemonize", "yes"]).output();
    let output = output.expect("the binary runs");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot listen"), "{output:?}");
    let output = tidegate().args(["--daemonize", "yes", "-"]).output().expect("the binary runs");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("standard input"), "{output:?}");
}

/// Directives of Debian's configuration file and of its systemd unit.
#[test]
fn the_command_line_overrides_the_file_of_a_distribution() {
    let directory = Directory::new("debian");
    let (file, pid_file) = (directory.join("redis.conf"), directory.join("pid"));
    let text = format!(
        "bind 127.0.0.1 -::1\nprotected-mode yes\nport 0\ntcp-backlog 511\ntimeout 0\n\
         tcp-keepalive 300\ndaemonize yes\nsupervised auto\npidfile {}\nloglevel notice\n\
         logfile \"\"\ndatabases 16\nalways-show-logo no\nset-proc-title yes\nrdbcompression yes\n\
         dbfilename dump.rdb\noom-score-adj no\ndisable-thp yes\nappendonly no\n",
        pid_file.display()
    );
    fs::write(&file, text).expect("the file");
    let manager = ServiceSocket::new(&directory);
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.arg(&file).args(["--supervised", "systemd", "--daemonize", "no"]);
    command.env("NOTIFY_SOCKET", &manager.path).stdin(Stdio::null());
    let mut child = command.stdout(Stdio::piped()).spawn().expect("the binary runs");
    let ready = manager.hears();
    assert_eq!(ready, format!("READY=1\nMAINPID={}\n", child.id()));
    assert!(manager.hears().contains("STATUS=serving; connected clients: 0\n"));
    let pid = fs::read_to_string(&pid_file).expect("the pid file");
    assert_eq!(pid, format!("{}\n", child.id()));
    let mut line = String::new();
    let stdout = child.stdout.take().expect("stdout is piped");
    BufReader::new(stdout).read_line(&mut line).expect("a line");
    let mut client = Client::connect(address_in(&line));
    assert!(client.info("server").contains("process_supervised:systemd\r\n"));
    client.send("SHUTDOWN\r\n");
    assert_eq!(client.line(), None);
    assert!(manager.hears().starts_with("STOPPING=1\n"));
    assert!(child.wait().expect("a status").success());
    assert!(!pid_file.exists());
}

/// The socket of a service manager.
struct ServiceSocket {
    socket: UnixDatagram,
    path: PathBuf,
}

impl ServiceSocket {
    fn new(directory: &Directory) -> ServiceSocket {
        let path = directory.join("notify");
        let socket = UnixDatagram::bind(&path).expect("a socket");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        ServiceSocket { socket, path }
    }

    /// The next message.
    fn hears(&self) -> String {
        self.next().expect("a message")
    }

    fn next(&self) -> io::Result<String> {
        let mut bytes = [0; 4096];
        let length = self.socket.recv(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes[..length]).into_owned())
    }

    /// The next message with this in it, and those before it.
    fn hears_of(&self, part: &str) -> (String, Vec<String>) {
        let mut passed = Vec::new();
        loop {
            match self.hears() {
                text if text.contains(part) => return (text, passed),
                text => passed.push(text),
            }
        }
    }

    /// How many messages are there now.
    fn drain(&self) -> usize {
        self.socket.set_nonblocking(true).expect("a mode");
        let count = std::iter::from_fn(|| self.next().ok()).count();
        self.socket.set_nonblocking(false).expect("a mode");
        count
    }
}

/// Tidegate under this service manager, and a client of it.
fn supervised(manager: &ServiceSocket, watchdog_us: u64, arguments: &[&str]) -> (Child, Client) {
    let mut command = tidegate();
    command.args(["--port", "0", "--supervised", "auto"]).args(arguments);
    command.env("NOTIFY_SOCKET", &manager.path).env("WATCHDOG_USEC", watchdog_us.to_string());
    let mut child = command.stdout(Stdio::piped()).spawn().expect("the binary runs");
    let mut line = String::new();
    let stdout = child.stdout.take().expect("stdout is piped");
    BufReader::new(stdout).read_line(&mut line).expect("a line");
    (child, Client::connect(address_in(&line)))
}

#[test]
fn the_watchdog_hears_from_the_loop_alone() {
    let directory = Directory::new("watchdog");
    let manager = ServiceSocket::new(&directory);
    let arguments = ["--enable-debug-command", "yes"];
    let (mut child, mut client) = supervised(&manager, 20_000, &arguments);
    for _ in 0..5 {
        manager.hears_of("WATCHDOG=1\n");
    }
    assert_eq!(client.ask("PING"), "+PONG");
    assert!(manager.hears_of("WATCHDOG=1\n").0.contains("connected clients: 1\n"));
    // A loop that is stuck for two seconds misses two hundred beats.
    manager.drain();
    assert_eq!(client.ask("DEBUG SLEEP 2"), "+OK");
    let beats = manager.drain();
    assert!(beats < 50, "{beats} beats from a loop that was stuck");
    manager.hears_of("WATCHDOG=1\n");
    client.send("SHUTDOWN\r\n");
    manager.hears_of("STOPPING=1\n");
    assert!(child.wait().expect("a status").success());
    assert_eq!(manager.drain(), 0, "nothing follows");
}

/// It is neither ready nor reloading before its data is there, and asks for the time that this takes.
#[test]
fn a_service_manager_hears_how_loading_goes() {
    let directory = Directory::new("loading");
    let manager = ServiceSocket::new(&directory);
    let path = directory.join("").display().to_string();
    let arguments = ["--dir", &path, "--appendonly", "yes"];
    let (mut child, mut client) = supervised(&manager, 0, &arguments);
    let message = "m".repeat(1000);
    let count = 20_000;
    for _ in 0..count {
        client.send(format!("RPUSH q {message}\r\n"));
    }
    client.lines(count);
    client.send("SHUTDOWN\r\n");
    assert!(child.wait().expect("a status").success());
    manager.drain();

    let (mut child, _client) = supervised(&manager, 0, &arguments);
    let first = manager.hears();
    assert!(first.starts_with("STATUS=loading append files: "), "{first}");
    assert!(first.contains("EXTEND_TIMEOUT_USEC="), "{first}");
    let signal = Command::new("kill").args(["-HUP", &child.id().to_string()]).status();
    assert!(signal.expect("kill runs").success());
    let (_, before) = manager.hears_of("READY=1\n");
    assert!(before.iter().all(|text| text.starts_with("STATUS=loading")), "{before:?}");
    child.kill().expect("it runs");
    child.wait().expect("a status");
}

#[test]
fn a_service_manager_hears_of_reloading() {
    let directory = Directory::new("reloading");
    let manager = ServiceSocket::new(&directory);
    let (mut child, _client) = supervised(&manager, 0, &[]);
    manager.hears_of("READY=1\n");
    let signal = Command::new("kill").args(["-HUP", &child.id().to_string()]).status();
    assert!(signal.expect("kill runs").success());
    let (text, _) = manager.hears_of("RELOADING=1\n");
    let time = text.lines().find_map(|line| line.strip_prefix("MONOTONIC_USEC="));
    assert!(time.expect("a time").parse::<u64>().expect("a number") > 0, "{text}");
    assert!(manager.hears().starts_with("READY=1\n"));
    child.kill().expect("it runs");
    child.wait().expect("a status");
}

#[cfg(target_os = "linux")]
#[test]
fn in_the_background_the_serving_process_is_named() {
    use std::os::linux::net::SocketAddrExt;
    let name = format!("tidegate-{}", std::process::id());
    let address = std::os::unix::net::SocketAddr::from_abstract_name(&name).expect("a name");
    let socket = UnixDatagram::bind_addr(&address).expect("a socket");
    socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let manager = ServiceSocket { socket, path: format!("@{name}").into() };
    let mut command = tidegate();
    command.args(["--port", "0", "--daemonize", "yes", "--supervised", "systemd"]);
    command.env("NOTIFY_SOCKET", &manager.path);
    let output = command.output().expect("the binary runs");
    assert!(output.status.success(), "{output:?}");
    let mut client = Client::connect(address_in(&String::from_utf8_lossy(&output.stdout)));
    let process = client.info("server");
    let pid = process.lines().find_map(|line| line.strip_prefix("process_id:")).expect("the pid");
    // First from the process that started, which the service manager knows.
    assert_eq!(manager.hears(), format!("MAINPID={pid}\n"));
    assert!(manager.hears().starts_with("READY=1\n"));
    client.send("SHUTDOWN\r\n");
    manager.hears_of("STOPPING=1\n");
}

#[cfg(target_os = "linux")]
#[test]
fn a_password_on_the_command_line_is_hidden() {
    let arguments = ["--requirepass", "top secret", "--maxclients", "50", "--MASTERAUTH", "other"];
    let process = Process::start(&arguments);
    let of_process = |name: &str| {
        let path = format!("/proc/{}/{name}", process.pid());
        String::from_utf8_lossy(&fs::read(path).expect("the process")).replace('\0', " ")
    };
    let shown = of_process("cmdline");
    assert!(
        shown.contains("--requirepass (hidden) --maxclients 50 --MASTERAUTH (hidden)"),
        "{shown}"
    );
    let environment = of_process("environ");
    assert!(!environment.contains("secret"), "{environment}");
    assert!(process.first_lines.iter().all(|line| !line.contains("secret")));
    let mut client = process.client();
    assert_eq!(client.ask("CONFIG GET maxclients"), "-NOAUTH Authentication required.");
    assert_eq!(client.ask("AUTH \"top secret\""), "+OK");
    client.send("CONFIG GET masterauth\r\n");
    assert_eq!(client.lines(5)[4], "other");
}

/// `--check-config` with these arguments, in a directory: the exit code, standard output and error.
fn check_config(directory: &Directory, arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.arg("--check-config").args(arguments).current_dir(directory.join(""));
    let output = command.stdin(Stdio::null()).output().expect("the binary runs");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
}

fn names_in(directory: &Directory) -> Vec<String> {
    let entries = fs::read_dir(directory.join("")).expect("the directory");
    let names = entries.map(|entry| entry.expect("an entry").file_name().into_string());
    let mut names: Vec<String> = names.map(|name| name.expect("UTF-8")).collect();
    names.sort();
    names
}

#[test]
fn a_configuration_is_checked_without_a_start() {
    let directory = Directory::new("check-config");
    // Relative paths begin in `dir`, and the port may be in use.
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port();
    fs::create_dir(directory.join("data")).expect("a directory");
    fs::write(directory.join("data/users.acl"), "user eve on >pw ~* +@all\n").expect("a file");
    let text = format!(
        "port {port}\nbind 127.0.0.1\ndir data\nlogfile tidegate.log\nappendonly yes\n\
         pidfile pid\nunixsocket socket\naclfile users.acl\nhz 20\nsave 60 1\n\
         queue-policy a jobs* max-length 5\ninclude more.conf\n"
    );
    fs::write(directory.join("a.conf"), text).expect("a file");
    fs::write(directory.join("more.conf"), "list-compress-depth 1\n").expect("a file");
    let (code, out, err) = check_config(&directory, &["a.conf", "--timeout", "5"]);
    assert_eq!((code, out.as_str()), (0, "a.conf: ok\n"), "{err}");
    let expected = [
        "warning: more.conf, line 1: 'list-compress-depth': no effect. A value has one encoding, \
         whatever its size.",
        "warning: a.conf, line 9: 'hz': no effect. ",
    ];
    let lines: Vec<&str> = err.lines().collect();
    assert_eq!(lines.len(), expected.len(), "{err}");
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.starts_with(expected), "{line}");
    }
    assert_eq!(names_in(&directory), ["a.conf", "data", "more.conf"]);
    let in_data = fs::read_dir(directory.join("data")).expect("the directory").count();
    assert_eq!(in_data, 1, "a file was made");
}

#[test]
fn every_error_of_a_configuration_is_reported_with_its_place() {
    let directory = Directory::new("check-config-errors");
    fs::write(directory.join("file"), "").expect("a file");
    fs::write(directory.join("users.acl"), "user eve +x\nuser kim on\nfoo\n").expect("a file");
    let text = "port abc\nmaxclient 5\nrequirepass top secret\nqueue-policy a jobs* max-length\n\
                user bob +x\nuser kim nosuch\nsave 60\nunixsocket file\n\
                logfile no/such/directory\nappendonly yes\nappendfilename a/b\n\
                bind 127.0.0.1 ::::\ninclude b.conf\ninclude c.conf\n";
    fs::write(directory.join("a.conf"), text).expect("a file");
    fs::write(directory.join("b.conf"), "\ntimeout x\n").expect("a file");
    let (code, out, err) = check_config(&directory, &["a.conf", "--hz", "z", "--databases", "y"]);
    assert_eq!((code, out.as_str()), (1, ""), "{err}");
    for expected in [
        "a.conf, line 1: 'port abc': argument couldn't be parsed",
        "a.conf, line 2: 'maxclient 5': Bad directive",
        "a.conf, line 3: 'requirepass (hidden)': wrong number of arguments",
        "a.conf, line 4: 'queue-policy a jobs* max-length': ",
        "a.conf, line 5: user bob: ",
        "a.conf, line 6: user kim: ",
        "a.conf, line 7: 'save 60': Invalid save parameters",
        "a.conf, line 8: cannot listen on file: the path exists and is not a socket",
        "a.conf, line 9: cannot write the log file no/such/directory: No such file",
        "a.conf, line 11: expected a name without a path, got 'a/b'",
        "a.conf, line 12: cannot listen on [::::]:6379: ",
        "b.conf, line 2: 'timeout x': ",
        "a.conf, line 14: 'include c.conf': can't open config file 'c.conf'",
        "command line: '--hz z': ",
        "command line: '--databases y': ",
    ] {
        assert!(err.lines().any(|line| line.starts_with(expected)), "{expected:?} in {err}");
    }
    assert_eq!(err.lines().count(), 15, "{err}");

    fs::write(directory.join("d.conf"), "aclfile users.acl\ndir .\n").expect("a file");
    let (code, _, err) = check_config(&directory, &["d.conf"]);
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("d.conf, line 1: users.acl:1: Error in applying operation '+x'"), "{err}");
    assert!(err.contains("d.conf, line 1: users.acl:3 should start with user keyword"), "{err}");
    let (code, _, err) = check_config(&directory, &["d.conf", "--dir", "nosuch"]);
    let expected = "command line: cannot change to the directory nosuch: ";
    assert!(code == 1 && err.starts_with(expected), "{err}");
}

#[test]
fn a_check_of_a_configuration_needs_a_file() {
    let directory = Directory::new("check-config-misuse");
    for arguments in [&[][..], &["--port", "1"]] {
        let (code, out, err) = check_config(&directory, arguments);
        assert_eq!((code, out.as_str()), (2, ""), "{err}");
        assert!(err.contains("tidegate --check-config FILE"), "{err}");
    }
    let (code, out, err) = check_config(&directory, &["-", "--port", "0"]);
    assert_eq!((code, out.as_str()), (0, "standard input: ok\n"), "{err}");
    let (code, _, err) = check_config(&directory, &["nosuch.conf"]);
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("can't open config file 'nosuch.conf'"), "{err}");
}

#[test]
fn wrong_arguments_are_explained() {
    let cases: &[(&[&str], i32, &str)] = &[
        (&["help"], 0, "Usage: tidegate"),
        (&["version"], 0, env!("CARGO_PKG_VERSION")),
        (&["check"], 1, "tidegate check DIR"),
        (&["--port=7101"], 1, "--port 7101"),
    ];
    for (words, code, expected) in cases {
        let output = Command::new(env!("CARGO_BIN_EXE_tidegate")).args(*words).output();
        let output = output.expect("the binary runs");
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        assert_eq!(output.status.code(), Some(*code), "{text}");
        assert!(text.contains(expected), "{text}");
    }
}
