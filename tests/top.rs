//! `tidegate top` in a real terminal, which tmux provides, and as a table. The screen itself is tested in
//! `src/top/tests.rs`.

mod server_support;

// To see it end in a panic.
#[path = "../src/top/frame.rs"]
#[allow(dead_code)]
mod frame;
#[path = "../src/top/terminal.rs"]
#[allow(dead_code)]
mod terminal;

use server_support::{Client, Directory, PATIENCE, Process};
use std::fs;
use std::net::TcpListener;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Set for the process that panics with the screen open.
const PANICS: &str = "TIDEGATE_TEST_PANICS";

/// A terminal of 100 columns and 20 lines with a shell in it.
struct Tmux {
    socket: Directory,
}

impl Tmux {
    fn start(name: &str) -> Tmux {
        let tmux = Tmux { socket: Directory::new(&format!("tmux-{name}")) };
        // A shell that reads no files of its user.
        let size = ["-x", "100", "-y", "20"];
        tmux.run(
            &[&["-f", "/dev/null", "new-session", "-d"], &size[..], &["-e", "ENV=", "sh"]].concat(),
        );
        tmux.wait_for("a prompt", |screen| !screen.trim().is_empty());
        tmux.type_line("PS1='prompt> '; clear");
        tmux.wait_for("the prompt", |screen| screen.starts_with("prompt>"));
        tmux
    }

    /// Runs a command of tmux, on a server of our own.
    fn run(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("tmux");
        command.arg("-u").arg("-S").arg(self.socket.join("socket")).args(arguments);
        command.env_remove("TMUX").env("LC_ALL", "C.UTF-8").env("TERM", "xterm-256color");
        let output = command.output().expect("tmux is installed (apt install tmux)");
        assert!(output.status.success(), "tmux {arguments:?}: {output:?}");
        String::from_utf8(output.stdout).expect("text")
    }

    fn type_line(&self, line: &str) {
        self.run(&["send-keys", "-l", line]);
        self.run(&["send-keys", "Enter"]);
    }

    fn press(&self, keys: &[&str]) {
        self.run(&[&["send-keys"], keys].concat());
    }

    fn screen(&self) -> String {
        self.run(&["capture-pane", "-p"])
    }

    /// Waits until the screen shows something; returns it.
    fn wait_for(&self, what: &str, shows: impl Fn(&str) -> bool) -> String {
        let begun = Instant::now();
        loop {
            let screen = self.screen();
            if shows(&screen) {
                return screen;
            }
            assert!(begun.elapsed() < PATIENCE, "no {what} in:\n{screen}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until the program has ended and the terminal is as before: with the line that started it, and
    /// with echo and line editing.
    fn wait_for_shell(&self, code: i32) {
        // What is typed before is for the program.
        let begun = Instant::now();
        while self.run(&["display-message", "-p", "#{pane_current_command} #{alternate_on}"])
            != "sh 0\n"
        {
            assert!(begun.elapsed() < PATIENCE, "it does not end:\n{}", self.screen());
            thread::sleep(Duration::from_millis(20));
        }
        self.type_line("echo code $?");
        let expected = format!("code {code}\n");
        let screen = self.wait_for("exit code", |screen| screen.contains(&expected));
        assert!(screen.contains("prompt> ") && !screen.contains("LENGTH"), "{screen}");
        self.type_line(
            "stty -a | tr ' ' '\\n' | grep -x -e echo -e icanon -e isig -e opost | wc -l",
        );
        let screen = self.wait_for("settings of the terminal", |screen| screen.contains("\n4\n"));
        assert!(screen.contains("grep -x"), "what is typed is echoed: {screen}");
        let flags =
            self.run(&["display-message", "-p", "#{alternate_on} #{cursor_flag} #{wrap_flag}"]);
        assert_eq!(flags.trim(), "0 1 1", "the main screen, with a cursor and line wrapping");
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        let mut command = Command::new("tmux");
        command.arg("-S").arg(self.socket.join("socket")).arg("kill-server");
        // It may have ended.
        let _ = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
}

/// The program that shows a broker.
fn top(process: &Process) -> String {
    format!("{} top -p {} -i 0.1", env!("CARGO_BIN_EXE_tidegate"), process.address.port())
}

/// `tidegate top --once --interval 0` with these arguments.
fn once(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.args(["top", "--once", "--interval", "0"]).args(arguments);
    command.env_remove("REDISCLI_AUTH").stdin(Stdio::null()).output().expect("the program runs")
}

fn table(arguments: &[&str]) -> String {
    let output = once(arguments);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("text")
}

/// The exit code and what it says.
fn failure(arguments: &[&str]) -> (Option<i32>, String) {
    let output = once(arguments);
    assert!(output.stdout.is_empty(), "{output:?}");
    (output.status.code(), String::from_utf8(output.stderr).expect("text"))
}

fn push(client: &mut Client, queue: &str, count: usize) {
    for _ in 0..count {
        assert!(client.ask(&format!("RPUSH {queue} message")).starts_with(':'));
    }
}

fn free_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address").port().to_string()
}

/// A broker with a plain port, which it would not have with port 0 and other sockets.
fn start(arguments: &[&str]) -> Process {
    Process::start_with(&[&["--bind", "127.0.0.1", "--port", &free_port()], arguments].concat())
}

/// A broker with three queues.
fn broker() -> (Process, Client) {
    let process = Process::start(&[]);
    let mut client = process.client();
    assert_eq!(
        client.ask("QUEUE POLICY SET safe jobs* delivery at-least-once acknowledge next-pop"),
        "+OK"
    );
    push(&mut client, "jobs:mail", 7);
    push(&mut client, "letters", 12);
    push(&mut client, "jobs:print", 3);
    assert_eq!(client.ask("QUEUE PAUSE letters READ"), "+OK");
    let mut worker = process.client();
    worker.send("BLPOP jobs:mail 0\r\n");
    worker.lines(5);
    worker.send("BLPOP nothing 0\r\n");
    // Its message is in flight as long as it is connected.
    std::mem::forget(worker);
    (process, client)
}

/// The names in the table of a screen, in its order.
fn names(screen: &str) -> Vec<&str> {
    let rows = screen.lines().skip_while(|line| !line.starts_with("NAME ")).skip(1);
    rows.map_while(|line| line.split_whitespace().next()).collect()
}

/// The numbers of a queue on a screen.
fn row<'a>(screen: &'a str, name: &str) -> Vec<&'a str> {
    let row = screen.lines().find(|line| line.starts_with(name)).unwrap_or_default();
    row.split_whitespace().collect()
}

#[test]
fn it_shows_queues_sorts_and_filters_them_and_quits() {
    let (process, mut client) = broker();
    let tmux = Tmux::start("keys");
    tmux.type_line(&top(&process));
    let screen = tmux.wait_for("table", |screen| names(screen).len() == 3);
    assert_eq!(names(&screen), ["letters", "jobs:mail", "jobs:print"], "the longest first");
    let version = env!("CARGO_PKG_VERSION");
    assert!(screen.starts_with(&format!("tidegate {version} at 127.0.0.1:")), "{screen}");
    assert!(screen.contains("3 queues, 21 messages ready"), "{screen}");
    assert!(screen.contains("append files off"), "{screen}");

    // Length and messages in flight; all are visible in time.
    tmux.wait_for("numbers", |screen| {
        row(screen, "jobs:mail").get(1) == Some(&"6") && screen.contains("LENGTH")
    });
    push(&mut client, "jobs:print", 20);
    tmux.wait_for("another order", |screen| names(screen).first() == Some(&"jobs:print"));
    // A rate that was not zero, and is zero again.
    tmux.wait_for("rate", |screen| row(screen, "jobs:print").get(1..4) == Some(&["23", "0", "0"]));

    tmux.press(&["n"]);
    tmux.wait_for("names in order", |screen| {
        names(screen) == ["jobs:mail", "jobs:print", "letters"]
    });
    tmux.press(&["n"]);
    tmux.wait_for("names in reverse", |screen| names(screen)[..1] == ["letters"]);
    tmux.press(&["/", "J", "O", "B", "Enter"]);
    tmux.wait_for("filter", |screen| names(screen) == ["jobs:print", "jobs:mail"]);
    tmux.press(&["Escape"]);
    tmux.wait_for("all", |screen| names(screen).len() == 3);
    tmux.press(&["?"]);
    tmux.wait_for("keys", |screen| screen.contains("sort by the column to the left or right"));
    tmux.press(&["?"]);
    tmux.wait_for("table", |screen| names(screen).len() == 3);

    tmux.run(&["resize-window", "-x", "200", "-y", "12"]);
    let screen = tmux.wait_for("wide table", |screen| screen.contains("POLICY"));
    assert_eq!(row(&screen, "jobs:mail").last(), Some(&"safe"), "{screen}");
    assert!(row(&screen, "letters").contains(&"read"), "{screen}");
    tmux.run(&["resize-window", "-x", "100", "-y", "20"]);
    tmux.wait_for("narrow table", |screen| !screen.contains("POLICY"));

    tmux.press(&["q"]);
    tmux.wait_for_shell(0);
}

#[test]
fn signals_and_keys_end_it_and_restore_the_terminal() {
    let (process, _client) = broker();
    let tmux = Tmux::start("signals");
    let shows = |screen: &str| names(screen).len() == 3;
    tmux.type_line(&top(&process));
    tmux.wait_for("table", shows);
    tmux.press(&["C-c"]);
    tmux.wait_for_shell(0);
    for signal in ["TERM", "INT", "HUP"] {
        tmux.type_line("clear");
        tmux.type_line(&top(&process));
        tmux.wait_for("table", shows);
        let pane = tmux.run(&["display-message", "-p", "#{pane_pid}"]);
        let status =
            Command::new("pkill").args([&format!("-{signal}"), "-P", pane.trim()]).status();
        assert!(status.expect("pkill runs").success());
        tmux.wait_for_shell(0);
    }
    // In the background for a while.
    tmux.type_line("clear; set -m");
    tmux.type_line(&top(&process));
    tmux.wait_for("table", shows);
    tmux.press(&["C-z"]);
    tmux.wait_for("the shell's message", |screen| screen.contains("Stopped"));
    tmux.type_line("fg");
    tmux.wait_for("table again", shows);
    tmux.press(&["q"]);
    tmux.wait_for_shell(0);
}

#[test]
fn a_lost_connection_is_shown_and_tried_again() {
    let port = free_port();
    let start = || Process::start_with(&["--port", &port, "--bind", "127.0.0.1"]);
    let process = start();
    push(&mut process.client(), "first", 5);
    let tmux = Tmux::start("lost");
    tmux.type_line(&top(&process));
    tmux.wait_for("table", |screen| names(screen) == ["first"]);
    drop(process);
    let screen = tmux.wait_for("failure", |screen| screen.contains("trying again"));
    assert_eq!(names(&screen), ["first"], "what was known stays");
    tmux.wait_for("refusal", |screen| screen.contains("cannot connect to 127.0.0.1:"));
    let process = start();
    push(&mut process.client(), "second", 5);
    let screen = tmux.wait_for("new queues", |screen| names(screen) == ["second"]);
    assert!(!screen.contains("trying again"), "{screen}");
    tmux.press(&["q"]);
    tmux.wait_for_shell(0);
}

#[test]
fn a_panic_restores_the_terminal_before_its_message() {
    let tmux = Tmux::start("panic");
    let program = std::env::current_exe().expect("this program");
    tmux.type_line(&format!(
        "RUST_BACKTRACE=0 {PANICS}=1 {} --exact panics_with_the_screen_open --nocapture; echo end",
        program.display()
    ));
    let screen = tmux.wait_for("end", |screen| screen.contains("\nend\n"));
    assert!(screen.contains("as it was told"), "the message is on the main screen: {screen}");
    tmux.wait_for_shell(0);
}

/// Not a test but the process of the one above.
#[test]
fn panics_with_the_screen_open() {
    if std::env::var_os(PANICS).is_some() {
        let _terminal = terminal::Terminal::open(true).expect("a terminal");
        panic!("as it was told");
    }
}

#[test]
fn a_table_has_the_numbers_for_scripts() {
    let (process, _client) = broker();
    let port = process.address.port().to_string();
    let text = table(&["-h", "127.0.0.1", "-p", &port]);
    let rows: Vec<Vec<&str>> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split_whitespace().collect())
        .collect();
    let head = "NAME LENGTH IN/S OUT/S NET/S OLDEST-MS IN-FLIGHT DELAYED CONSUMERS PRODUCERS PAUSED POLICY";
    assert_eq!(rows[0].join(" "), head, "{text}");
    assert_eq!(rows[1].join(" "), "letters 12 - - - - 0 0 0 0 read -", "{text}");
    assert_eq!((rows[2][0], rows[2][1], rows[2][6], rows[2][11]), ("jobs:mail", "6", "1", "safe"));
    assert!(rows[2][5].parse::<u64>().is_ok(), "{text}");
    let by_name =
        table(&["--sort", "name", "--match", "jobs*", &format!("redis://127.0.0.1:{port}/0")]);
    let names: Vec<&str> = by_name
        .lines()
        .filter(|line| line.starts_with("jobs"))
        .map_while(|line| line.split_whitespace().next())
        .collect();
    assert_eq!(names, ["jobs:mail", "jobs:print"]);
    assert!(!by_name.contains("letters"), "{by_name}");
    // With rates, after an interval.
    let output = Command::new(env!("CARGO_BIN_EXE_tidegate"))
        .args(["top", "--once", "-i", "0.1", "-p", &port])
        .output()
        .expect("the program runs");
    let text = String::from_utf8(output.stdout).expect("text");
    assert_eq!(row(&text, "jobs:mail")[2..5], ["0.0", "0.0", "0.0"], "{text}");
    // More pages than one.
    let mut client = process.client();
    for n in 0..700 {
        client.send(format!("RPUSH many:{n} x\r\n"));
    }
    client.lines(700);
    let many = table(&["-p", &port, "--match", "many:*"]);
    assert_eq!(many.lines().filter(|line| line.starts_with("many:")).count(), 700);
}

#[test]
fn names_of_queues_cannot_control_the_terminal() {
    let process = Process::start(&[]);
    let mut client = process.client();
    assert_eq!(client.ask("RPUSH \"\\x1b]0;title\\x07\\x1b[2J a\" x"), ":1");
    let text = table(&["-p", &process.address.port().to_string()]);
    assert!(!text.contains('\x1b') && !text.contains('\x07'), "{text:?}");
    assert!(text.contains("\\x1b]0;title\\x07\\x1b[2J\\x20a "), "{text:?}");
}

#[test]
fn who_is_refused_is_told_what_to_do() {
    let process = Process::start(&["--requirepass", "secret"]);
    let mut client = process.client();
    assert_eq!(client.ask("AUTH secret"), "+OK");
    assert_eq!(client.ask("ACL SETUSER viewer on >view +info +queue|stats %R~jobs*"), "+OK");
    assert_eq!(client.ask("ACL SETUSER blind on >view +ping"), "+OK");
    push(&mut client, "jobs", 3);
    push(&mut client, "secrets", 4);
    let port = process.address.port().to_string();
    let (code, text) = failure(&["-p", &port]);
    assert!(
        code == Some(1) && text.contains("NOAUTH ") && text.contains("REDISCLI_AUTH"),
        "{text}"
    );
    let (code, text) = failure(&["-p", &port, "--pass", "wrong"]);
    assert!(code == Some(1) && text.contains("WRONGPASS "), "{text}");
    let (code, text) = failure(&["-p", &port, "--user", "blind", "--pass", "view"]);
    assert!(code == Some(1) && text.contains("ACL SETUSER blind +info +queue|stats"), "{text}");
    let text = table(&["-p", &port, "--user", "viewer", "--pass", "view"]);
    assert!(row(&text, "jobs")[1] == "3" && !text.contains("secrets"), "{text}");
    let text = table(&[&format!("redis://:secret@127.0.0.1:{port}")]);
    assert_eq!(row(&text, "secrets")[1], "4", "{text}");
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.args(["top", "--once", "-p", &port, "-i", "0"]).env("REDISCLI_AUTH", "secret");
    assert!(command.output().expect("the program runs").status.success());
    drop(process);
    let (code, text) = failure(&["-p", &port]);
    assert!(code == Some(1) && text.contains("cannot connect to 127.0.0.1:"), "{text}");
}

#[test]
fn wrong_arguments_are_explained() {
    let process = Process::start(&[]);
    let port = process.address.port().to_string();
    let (code, text) = failure(&["-p", &port, "-n", "99"]);
    assert!(code == Some(1) && text.contains("DB index is out of range"), "{text}");
    let (code, text) = failure(&["--port", &port]);
    assert!(code == Some(2) && text.contains("--port: there is no such option"), "{text}");
    // Without a terminal there is no screen.
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    let output = command.args(["top", "-p", &port]).stdin(Stdio::null()).output();
    let output = output.expect("the program runs");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && text.contains("--once"), "{text}");
}

#[test]
fn a_unix_socket_and_a_password_on_the_command_line() {
    let directory = Directory::new("top-socket");
    let path = directory.join("socket").display().to_string();
    let process = start(&["--unixsocket", &path, "--requirepass", "topsecret"]);
    let text = table(&["-s", &path, "-a", "topsecret"]);
    assert!(text.contains(&format!("tidegate {} at {path}", env!("CARGO_PKG_VERSION"))), "{text}");
    // `ps` shows no password while it waits for the interval.
    let tmux = Tmux::start("secret");
    tmux.type_line(&format!("{} --user default --pass topsecret; clear", top(&process)));
    tmux.wait_for("screen", |screen| screen.contains("0 queues"));
    let pane = tmux.run(&["display-message", "-p", "#{pane_pid}"]);
    let children = Command::new("pgrep").args(["-P", pane.trim()]).output().expect("pgrep runs");
    let pid = String::from_utf8(children.stdout).expect("a number");
    let shown = fs::read_to_string(format!("/proc/{}/cmdline", pid.trim())).expect("the process");
    assert!(shown.contains("--pass\0(hidden)") && !shown.contains("topsecret"), "{shown:?}");
    tmux.press(&["q"]);
}

#[cfg(feature = "tls")]
mod tls {
    use super::*;
    use crate::tls_support::Authority;

    #[test]
    fn tls_with_and_without_certificates() {
        let (authority, directory) = (Authority::new(), Directory::new("top-tls"));
        let other = Authority::new();
        fs::write(directory.join("ca.crt"), &authority.pem).expect("a file");
        fs::write(directory.join("other.crt"), &other.pem).expect("a file");
        authority.issue("server").write(&directory.join(""), "server");
        authority.issue("viewer").write(&directory.join(""), "viewer");
        let at = |name: &str| directory.join(name).display().to_string();
        let port = free_port();
        let ca = at("ca.crt");
        let dir = at("");
        let arguments = [
            "--tls-port",
            &port,
            "--dir",
            &dir,
            "--tls-cert-file",
            "server.crt",
            "--tls-key-file",
            "server.key",
            "--tls-ca-cert-file",
            "ca.crt",
        ];
        let process = start(&arguments);
        let mut client = process.client();
        push(&mut client, "jobs", 3);
        let (cert, key) = (at("viewer.crt"), at("viewer.key"));
        let trusted = ["-p", &port, "--tls", "--cacert", &ca];
        let text = table(&[&trusted[..], &["--cert", &cert, "--key", &key]].concat());
        assert_eq!(row(&text, "jobs")[1], "3", "{text}");
        let (code, text) = failure(&trusted);
        assert!(code == Some(1) && text.contains("--cert and --key"), "{text}");
        assert_eq!(client.ask("CONFIG SET tls-auth-clients no"), "+OK");
        table(&trusted);
        table(&[&trusted[..], &["-h", "localhost"]].concat());
        table(&["--cacert", &ca, &format!("rediss://127.0.0.1:{port}")]);
        let (_, text) = failure(&[&trusted[..], &["--sni", "example.org"]].concat());
        assert!(text.contains("--sni"), "{text}");
        table(&[&trusted[..], &["--sni", "localhost"]].concat());
        let (_, text) = failure(&["-p", &port, "--tls", "--cacert", &at("other.crt")]);
        assert!(text.contains("--cacert names a file with its authority"), "{text}");
        table(&["-p", &port, "--tls", "--insecure"]);
        table(&["-p", &port, "--tls", "--cacertdir", &dir]);
        let (_, text) = failure(&["-p", &port, "--tls", "--cacert", &at("nosuch")]);
        assert!(text.contains("--cacert ") && text.contains("nosuch"), "{text}");
        // Not the port with TLS, and the other way round.
        let plain = process.address.port().to_string();
        let (_, text) = failure(&["-p", &plain, "--tls", "--insecure"]);
        assert!(text.contains("TLS: "), "{text}");
        let (_, text) = failure(&["-p", &port]);
        assert!(text.contains("the connection") || text.contains("reply"), "{text}");

        let tmux = Tmux::start("tls");
        tmux.type_line(&format!(
            "{} top -i 0.1 --cacert {ca} rediss://127.0.0.1:{port}",
            env!("CARGO_BIN_EXE_tidegate")
        ));
        tmux.wait_for("table", |screen| names(screen) == ["jobs"]);
        tmux.press(&["q"]);
        tmux.wait_for_shell(0);
    }
}

#[cfg(feature = "tls")]
mod tls_support;
