//! The redis crate's blocking interface over TLS, with the protocol that is asked for.

mod support;

use std::path::PathBuf;
use std::thread;

use redis::{
    Client, ClientTlsConfig, Commands, Connection, ErrorKind, IntoConnectionInfo,
    RedisConnectionInfo, RedisResult, TlsCertificates,
};
use support::{PATIENCE, checks, client_list, run, shows_blocked, version, wait_until};

/// What a client may give: nothing, a certificate of the authority that the server knows, or one of
/// another.
const GIVEN: [Option<&str>; 3] = [None, CLIENT, Some("stranger")];
const CLIENT: Option<&str> = Some("client");
const USER: &str = "worker";
const PASSWORD: &str = "a secret";
const RIGHTS: [&str; 5] = ["resetchannels", "~jobs:*", "+@list", "+@connection", "+acl|whoami"];

/// The means to connect, and a connection without TLS, which works whatever is set.
struct Setting {
    admin: Connection,
    certificates: PathBuf,
    port: u16,
    protocol: String,
}

impl Setting {
    fn new() -> Setting {
        let variable = |name| std::env::var(name).expect("a variable of the runner");
        let address = format!("redis://127.0.0.1:{}/", variable("SERVER_PORT"));
        let client = Client::open(address).expect("a valid address");
        Setting {
            admin: client.get_connection().expect("a connection"),
            certificates: variable("CERTIFICATES").into(),
            port: variable("TLS_PORT").parse().expect("a port"),
            protocol: std::env::args().nth(1).expect("a protocol version"),
        }
    }

    fn read(&self, file: &str) -> Vec<u8> {
        std::fs::read(self.certificates.join(file)).expect("a certificate")
    }

    fn connect(&self, given: Option<&str>) -> RedisResult<Connection> {
        self.connect_as(given, |anybody| anybody)
    }

    fn connect_as(
        &self,
        given: Option<&str>,
        user: impl FnOnce(RedisConnectionInfo) -> RedisConnectionInfo,
    ) -> RedisResult<Connection> {
        let address = format!("rediss://127.0.0.1:{}/?protocol={}", self.port, self.protocol);
        let info = address.into_connection_info()?;
        let settings = user(info.redis_settings().clone());
        let own = given.map(|name| ClientTlsConfig {
            client_cert: self.read(&format!("{name}.crt")),
            client_key: self.read(&format!("{name}.key")),
        });
        let certificates =
            TlsCertificates { client_tls: own, root_cert: Some(self.read("ca.crt")) };
        let client = Client::build_with_tls(info.set_redis_settings(settings), certificates)?;
        let connection = client.get_connection()?;
        connection.set_read_timeout(Some(PATIENCE))?;
        Ok(connection)
    }

    fn ping(&self, given: Option<&str>) -> RedisResult<()> {
        let reply: String = redis::cmd("PING").query(&mut self.connect(given)?)?;
        assert_eq!(reply, "PONG");
        Ok(())
    }

    fn ask_clients(&mut self, whether: &str) -> RedisResult<()> {
        config_set(&mut self.admin, &["tls-auth-clients", whether])
    }

    /// The server presents another certificate from now on.
    fn present(&mut self, name: &str) -> RedisResult<()> {
        let file = |kind| self.certificates.join(format!("{name}.{kind}")).display().to_string();
        let (certificate, key) = (file("crt"), file("key"));
        config_set(&mut self.admin, &["tls-cert-file", &certificate, "tls-key-file", &key])
    }

    fn admits(&mut self, whether: &str, admitted: &[Option<&str>]) -> RedisResult<()> {
        self.ask_clients(whether)?;
        for given in GIVEN {
            let outcome = self.ping(given);
            assert_eq!(outcome.is_ok(), admitted.contains(&given), "{given:?}: {outcome:?}");
        }
        Ok(())
    }
}

fn config_set(admin: &mut Connection, words: &[&str]) -> RedisResult<()> {
    redis::cmd("CONFIG").arg("SET").arg(words).exec(admin)
}

fn large() -> Vec<u8> {
    (0..=255).cycle().take(5_000_000).collect()
}

fn certificates_not_asked_for(setting: &mut Setting) -> RedisResult<()> {
    setting.admits("no", &GIVEN)
}

fn optional_certificates(setting: &mut Setting) -> RedisResult<()> {
    setting.admits("optional", &[None, CLIENT])
}

fn required_certificates(setting: &mut Setting) -> RedisResult<()> {
    setting.admits("yes", &[CLIENT])
}

fn server_of_an_unknown_authority(setting: &mut Setting) -> RedisResult<()> {
    setting.present("stranger")?;
    let outcome = setting.ping(CLIENT);
    setting.present("server")?;
    let error = outcome.expect_err("no connection");
    assert!(error.to_string().contains("UnknownIssuer"), "{error}");
    setting.ping(CLIENT)
}

fn user_with_a_password(setting: &mut Setting) -> RedisResult<()> {
    let password = format!(">{PASSWORD}");
    let add = ["SETUSER", USER, "reset", "on", &password];
    redis::cmd("ACL").arg(&add).arg(&RIGHTS).exec(&mut setting.admin)?;
    for (whether, given) in [("no", None), ("yes", CLIENT)] {
        setting.ask_clients(whether)?;
        let mut worker =
            setting.connect_as(given, |info| info.set_username(USER).set_password(PASSWORD))?;
        let name: String = redis::cmd("ACL").arg("WHOAMI").query(&mut worker)?;
        assert_eq!(name, USER);
        assert_eq!(worker.rpush::<_, _, usize>("jobs:1", "a")?, 1);
        assert_eq!(worker.lpop::<_, String>("jobs:1", None)?, "a");
        let refused = redis::cmd("FLUSHALL").exec(&mut worker).expect_err("no such right");
        assert_eq!(refused.code(), Some("NOPERM"), "{refused}");
        let refused = worker.rpush::<_, _, usize>("other", "a").expect_err("no such right");
        assert_eq!(refused.code(), Some("NOPERM"), "{refused}");
        let wrong = setting.connect_as(given, |info| info.set_username(USER).set_password("wrong"));
        let refused = wrong.err().expect("no connection");
        // With HELLO the crate passes the server's error on, with AUTH it has one of its own.
        let own = refused.kind() == ErrorKind::AuthenticationFailed;
        assert!(own || refused.code() == Some("WRONGPASS"), "{refused:?}");
    }
    Ok(())
}

fn speaks_the_protocol(setting: &mut Setting) -> RedisResult<()> {
    let mut client = setting.connect(CLIENT)?;
    redis::cmd("CLIENT").arg("SETNAME").arg("named").exec(&mut client)?;
    let clients = client_list(&mut setting.admin);
    let entry = clients.lines().find(|line| line.contains(" name=named ")).expect("an entry");
    let protocol = format!("resp={}", setting.protocol);
    assert!(entry.split(' ').any(|field| field == protocol), "{entry}");
    Ok(())
}

fn blocked_pop_is_served(setting: &mut Setting) -> RedisResult<()> {
    let (mut client, mut other) = (setting.connect(CLIENT)?, setting.connect(CLIENT)?);
    let waiting = thread::spawn(move || client.blpop::<_, (String, String)>("q", 0.0));
    wait_until("a blocked client", || shows_blocked(&client_list(&mut setting.admin)));
    assert_eq!(other.rpush::<_, _, usize>("q", "x")?, 1);
    assert_eq!(waiting.join().expect("no panic")?, ("q".into(), "x".into()));
    Ok(())
}

fn pipeline(setting: &mut Setting) -> RedisResult<()> {
    let mut client = setting.connect(CLIENT)?;
    let mut batch = redis::pipe();
    for number in 1..=1000 {
        batch.rpush("q", number);
    }
    let lengths: Vec<u32> = batch.query(&mut client)?;
    assert!(lengths.into_iter().eq(1..=1000));
    assert!(client.lrange::<_, Vec<u32>>("q", 0, -1)?.into_iter().eq(1..=1000));
    Ok(())
}

fn five_megabytes(setting: &mut Setting) -> RedisResult<()> {
    let mut client = setting.connect(CLIENT)?;
    assert_eq!(client.rpush::<_, _, usize>("q", &large())?, 1);
    assert!(client.lpop::<_, Vec<u8>>("q", None)? == large());
    Ok(())
}

fn publish_and_subscribe(setting: &mut Setting) -> RedisResult<()> {
    let (mut connection, mut other) = (setting.connect(CLIENT)?, setting.connect(CLIENT)?);
    let mut subscriber = connection.as_pubsub();
    subscriber.subscribe("news")?;
    for content in [b"hello".to_vec(), large()] {
        assert_eq!(other.publish::<_, _, usize>("news", &content)?, 1);
        let message = subscriber.get_message()?;
        assert_eq!(message.get_channel_name(), "news");
        assert!(message.get_payload_bytes() == content);
    }
    Ok(())
}

fn main() {
    rustls::crypto::ring::default_provider().install_default().expect("the first one");
    let mut setting = Setting::new();
    let checks = checks![
        certificates_not_asked_for,
        optional_certificates,
        required_certificates,
        server_of_an_unknown_authority,
        user_with_a_password,
        speaks_the_protocol,
        blocked_pop_is_served,
        pipeline,
        five_megabytes,
        publish_and_subscribe,
    ];
    let subject = format!("redis crate {} with TLS, protocol {}", version(), setting.protocol);
    run(&subject, checks, &mut setting, |setting| {
        redis::cmd("FLUSHALL").exec(&mut setting.admin)?;
        setting.ask_clients("yes")
    });
}
