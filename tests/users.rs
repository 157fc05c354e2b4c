//! Users in the settings and in an ACL file: at the start, rewritten, reloaded; and the example of `docs/users.md`.
//! What ACL replies is in the transcripts `acl_…`.

mod server_support;

use server_support::{Client, Directory, serve, settings};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use tidegate::{Broker, NoHost, Now, Peer, RunningServer, Server, Settings};

fn connect(server: &RunningServer) -> Client {
    Client::connect(server.local_addrs()[0])
}

/// The lines of ACL LIST.
fn users(client: &mut Client) -> Vec<String> {
    let count = client.ask("ACL LIST");
    let count: usize = count.trim_start_matches('*').parse().expect("an array");
    let lines = client.lines(2 * count);
    lines.into_iter().skip(1).step_by(2).collect()
}

/// Why a server with these lines does not start.
fn start_error(lines: &str) -> String {
    Server::bind(settings(lines)).err().expect("it must not start").to_string()
}

/// The lines of the example in `docs/users.md`.
fn example() -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/users.md");
    let page = fs::read_to_string(page).expect("docs/users.md");
    let lines = page.lines().filter(|line| line.starts_with("user "));
    lines.map(|line| format!("{line}\n")).collect()
}

#[test]
fn the_users_of_the_example_may_do_what_the_page_says() {
    let server = serve(&format!("{}queue-policy all orders:* delivery at-least-once", example()));
    let mut stranger = connect(&server);
    assert_eq!(stranger.ask("PING"), "-NOAUTH Authentication required.");

    let mut producer = connect(&server);
    assert_eq!(producer.ask("AUTH producer secret1"), "+OK");
    assert_eq!(producer.ask("RPUSH orders:1 a"), ":1");
    assert_eq!(producer.ask("QUEUE PUSH orders:1 MESSAGES 1 b"), ":1");
    assert_eq!(producer.ask("RPUSH other a"), "-NOPERM No permissions to access a key");
    let refused = producer.ask("LPOP orders:1");
    assert_eq!(refused, "-NOPERM User producer has no permissions to run the 'lpop' command");

    let mut worker = connect(&server);
    assert_eq!(worker.ask("AUTH worker secret2"), "+OK");
    assert!(worker.ask("QUEUE POP 1 orders:1").starts_with('*'));
    for admins in ["QUEUE POLICY LIST", "QUEUE PAUSE orders:1", "FLUSHALL"] {
        let mut worker = connect(&server);
        assert_eq!(worker.ask("AUTH worker secret2"), "+OK");
        assert!(worker.ask(admins).starts_with("-NOPERM User worker"), "{admins}");
    }

    let mut page = connect(&server);
    assert_eq!(page.ask("AUTH page secret3"), "+OK");
    assert_eq!(page.ask("LLEN orders:1"), ":1");
    assert_eq!(page.ask("LRANGE other 0 -1"), "-NOPERM No permissions to access a key");
    assert!(page.ask("RPUSH orders:1 a").starts_with("-NOPERM User page"));
    assert_eq!(
        page.ask("SUBSCRIBE other"),
        "-NOPERM User page has no permissions to run the \
        'subscribe' command"
    );

    let mut admin = connect(&server);
    assert_eq!(admin.ask("AUTH admin secret4"), "+OK");
    assert_eq!(admin.ask("FLUSHALL"), "+OK");
    server.stop().expect("it stops");
}

#[test]
fn moving_dead_letters_to_their_origins_needs_the_right_to_every_key() {
    let server = serve("");
    let mut admin = connect(&server);
    assert_eq!(admin.ask("ACL SETUSER some on nopass ~dead ~ORIGIN ~a +@all"), "+OK");
    assert_eq!(admin.ask("ACL SETUSER every on nopass ~* +@all"), "+OK");
    let mut some = connect(&server);
    assert_eq!(some.ask("AUTH some x"), "+OK");
    assert_eq!(some.ask("QUEUE MOVE dead a"), ":0");
    assert_eq!(some.ask("QUEUE MOVE dead b"), "-NOPERM No permissions to access a key");
    assert_eq!(some.ask("QUEUE MOVE dead origin"), "-NOPERM No permissions to access a key");
    assert_eq!(some.ask("AUTH every x"), "+OK");
    assert_eq!(some.ask("QUEUE MOVE dead origin"), ":0");
}

#[test]
fn wrong_users_keep_the_server_from_starting() {
    for (lines, expected) in [
        ("user bob nosuch", "user bob: Error in ACL SETUSER modifier 'nosuch': Syntax error"),
        ("user bob (+get", "user bob: Unmatched parenthesis in acl selector starting at '(+get'."),
        ("user bob +nosuch", "Unknown command or category name in ACL"),
        ("user bob on\naclfile /tmp/x", "give users in one of them only"),
        ("aclfile /nonexistent/users.acl", "opening file '/nonexistent/users.acl': No such file"),
    ] {
        let error = start_error(lines);
        assert!(error.contains(expected), "{lines:?}: {error}");
    }
    let twice = Settings::from_text("user bob on\nuser bob off", "test").expect_err("bob is there");
    assert!(twice.to_string().contains("Duplicate user found"), "{twice}");
    assert!(!twice.to_string().contains("off"), "rules may have passwords: {twice}");
}

#[test]
fn a_broker_with_wrong_users_lets_nobody_in() {
    let settings = Settings::default().with("user", "bob on nopass +@all nosuch").expect("words");
    let mut broker = Broker::new(settings, 1, Box::new(NoHost), Now::default());
    let faults = broker.user_faults();
    assert!(faults.iter().any(|fault| fault.reason.contains("nosuch")), "{faults:?}");
    let client = broker.connect(0, Peer::in_process(), Now::default());
    let mut ask = |request: &str| {
        broker.receive(client, format!("{request}\r\n").as_bytes(), Now::default());
        let reply = broker.outbox(client).expect("connected").take_all();
        String::from_utf8(reply).expect("text").trim_end().to_owned()
    };
    assert_eq!(ask("PING"), "-NOAUTH Authentication required.");
    assert!(ask("AUTH default x").starts_with("-WRONGPASS"));
    assert!(ask("AUTH bob x").starts_with("-WRONGPASS"));
}

#[test]
fn rewriting_the_settings_keeps_the_users() {
    let directory = Directory::new("users-rewrite");
    let file = directory.join("tidegate.conf");
    let lines =
        "# mine\nuser bob on >pw ~b* +@all -@dangerous (~c* %R~d*) &news\nrequirepass top\n";
    fs::write(&file, format!("port 0\nbind 127.0.0.1\n{lines}")).expect("a file");
    let start = || {
        let settings = Settings::from_args([file.to_str().expect("UTF-8").to_owned()]);
        let Ok(tidegate::settings::Invocation::Run(settings)) = settings else {
            panic!("settings")
        };
        Server::bind(*settings).expect("it listens").spawn().expect("a thread")
    };
    let server = start();
    let mut admin = connect(&server);
    assert_eq!(admin.ask("AUTH top"), "+OK");
    assert_eq!(admin.ask("ACL SETUSER eve on >pw2 +get ~e*"), "+OK");
    let before = users(&mut admin);
    assert_eq!(before.len(), 3, "{before:?}");
    assert_eq!(admin.ask("CONFIG REWRITE"), "+OK");
    let text = fs::read_to_string(&file).expect("the file");
    assert_eq!(
        text.matches("\nuser ").count(),
        2,
        "the default user is said by requirepass: {text}"
    );
    assert!(!text.contains("pw"), "hashes, not passwords: {text}");
    server.stop().expect("it stops");

    let server = start();
    let mut admin = connect(&server);
    assert_eq!(admin.ask("AUTH top"), "+OK");
    assert_eq!(users(&mut admin), before);
    assert_eq!(admin.ask("ACL SETUSER default -@all +acl +config"), "+OK");
    let before = users(&mut admin);
    assert_eq!(admin.ask("CONFIG REWRITE"), "+OK");
    server.stop().expect("it stops");

    let server = start();
    let mut admin = connect(&server);
    assert_eq!(admin.ask("AUTH top"), "+OK");
    assert_eq!(users(&mut admin), before);
}

#[test]
fn an_acl_file_is_saved_and_loaded() {
    let directory = Directory::new("users-file");
    let file = directory.join("users.acl");
    fs::write(&file, "\nuser alice on >pw ~* +@all\n").expect("a file");
    let server = serve(&format!("aclfile {}\nrequirepass top", file.display()));
    let mut admin = connect(&server);
    assert_eq!(admin.ask("PING"), "-NOAUTH Authentication required.", "as requirepass says");
    assert_eq!(admin.ask("AUTH top"), "+OK");
    assert_eq!(admin.ask("ACL SETUSER bob on >pw ~b* +@list"), "+OK");
    let (mut alice, mut bob) = (connect(&server), connect(&server));
    assert_eq!(alice.ask("AUTH alice pw"), "+OK");
    assert_eq!(bob.ask("AUTH bob pw"), "+OK");
    assert_eq!(alice.ask("SUBSCRIBE c"), "-NOPERM No permissions to access a channel");

    assert_eq!(admin.ask("ACL SAVE"), "+OK");
    let saved = fs::read_to_string(&file).expect("the file");
    let listed = users(&mut admin);
    assert_eq!(saved.lines().collect::<Vec<_>>(), listed);

    // Bob is gone, and alice may do less.
    fs::write(&file, "user alice on >pw ~a* +get +ping").expect("a file");
    assert_eq!(admin.ask("ACL LOAD"), "+OK");
    assert_eq!(bob.line(), None, "his connection is closed");
    assert_eq!(alice.ask("PING"), "+PONG");
    assert_eq!(alice.ask("GET b"), "-NOPERM No permissions to access a key");
    assert_eq!(users(&mut admin).len(), 2);

    // A wrong file changes nothing.
    let before = users(&mut admin);
    fs::write(&file, "user eve on\nfoo\nuser eve off\nuser bob +x\nuser kim (+get\n")
        .expect("a file");
    let shown = file.display();
    assert_eq!(
        admin.ask("ACL LOAD"),
        format!(
            "-ERR {shown}:2 should start with user keyword followed by the username. WARNING: \
             Duplicate user 'eve' found on line 3. {shown}:4: Error in applying operation '+x': \
             Unknown command or category name in ACL. {shown}:5: Unmatched parenthesis in acl selector \
             starting at '(+get'. WARNING: ACL errors detected, no change to the previously active ACL \
             rules was performed"
        )
    );
    assert_eq!(users(&mut admin), before);

    // A new file is for its owner's eyes: it has the hashes of passwords.
    fs::remove_file(&file).expect("it is there");
    assert!(admin.ask("ACL LOAD").contains("No such file or directory"));
    assert_eq!(admin.ask("ACL SAVE"), "+OK");
    let mode = fs::metadata(&file).expect("the file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    server.stop().expect("it stops");
}

#[test]
fn clients_that_are_closed_with_their_user_come_back_as_strangers() {
    let server = serve("");
    let mut admin = connect(&server);
    assert_eq!(admin.ask("ACL SETUSER bob on nopass +@all ~*"), "+OK");
    let mut bob = connect(&server);
    assert_eq!(bob.ask("AUTH bob x"), "+OK");
    // The next user gets the number that bob had.
    admin.send("MULTI\r\nACL DELUSER bob\r\nACL SETUSER eve on nopass +@all ~*\r\nEXEC\r\n");
    assert_eq!(admin.lines(5), ["+OK", "+QUEUED", "+QUEUED", "*2", ":1"]);
    assert_eq!(admin.line().as_deref(), Some("+OK"));
    assert_eq!(bob.line(), None);
    assert_eq!(admin.ask("CLIENT KILL USER eve"), ":0");
}
