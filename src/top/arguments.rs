//! The arguments of `tidegate top`. Options of the connection have the names that redis-cli gives them.

use super::columns;
use super::target::{Address, Target, TlsOptions, database, from_url};
use std::time::Duration;

/// The variable with the password, as for redis-cli.
pub const PASSWORD_VARIABLE: &str = "REDISCLI_AUTH";
/// More often would load the broker for nothing that a person could read.
const INTERVAL_MIN: Duration = Duration::from_millis(100);
const INTERVAL_MAX: Duration = Duration::from_secs(3600);

/// What to show, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Where the broker is, and who asks.
    pub target: Target,
    /// Time between two readings.
    pub interval: Duration,
    /// Whether to print a table instead of a screen.
    pub is_once: bool,
    /// Only queues whose names match this pattern are read.
    pub pattern: Option<String>,
    /// The column by which queues are sorted, by its place.
    pub sort: usize,
}

/// What the arguments ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    Show(Box<Options>),
    Help,
}

pub const HELP: &str = "\
Usage: tidegate top [option ...] [URL]

Shows the queues of a running broker in the terminal.

  URL                redis://[[USER:]PASSWORD@]HOST[:PORT][/DB]; rediss:// with TLS
  -h HOST            host (127.0.0.1)
  -p PORT            port (6379)
  -s PATH            Unix socket
  -n DB              database (0)
  -u URL             the same as URL
  --user NAME        user
  --pass PASSWORD, -a PASSWORD
                     password; better in the variable REDISCLI_AUTH
  --tls              connect with TLS
  --cacert FILE      authorities of the broker's certificate; by default those of the system
  --cacertdir DIR    directory with files of authorities
  --cert FILE        our certificate, and
  --key FILE         its key, if the broker asks for one
  --sni NAME         name in the broker's certificate, if it is not HOST
  --insecure         accept any certificate
  -i SECONDS, --interval SECONDS
                     time between two readings (1)
  --match PATTERN    only queues whose names match a glob pattern
  --sort COLUMN      name, length, in, out, net, oldest, in-flight, delayed, consumers,
                     producers, paused or policy (length)
  --once             print one table instead, without a terminal; its rates are those of
                     one interval, or unknown with --interval 0
  --help             show this text

The user needs INFO and QUEUE STATS: ACL SETUSER name +info +queue|stats %R~*
";

/// Reads the arguments. `password`: the value of the variable, which an option overrides.
///
/// # Errors
/// What is wrong, and what was expected.
pub fn parse(arguments: &[String], password: Option<String>) -> Result<Asked, String> {
    let mut options = Options {
        target: Target { password, ..Target::default() },
        interval: Duration::from_secs(1),
        is_once: false,
        pattern: None,
        sort: columns::DEFAULT,
    };
    let mut rest = arguments.iter();
    while let Some(option) = rest.next() {
        match option.as_str() {
            "--help" => return Ok(Asked::Help),
            "--tls" => options.target.is_tls = true,
            "--insecure" => options.target.tls.is_insecure = true,
            "--once" => options.is_once = true,
            url if !url.starts_with('-') => from_url(url, &mut options.target)?,
            name if VALUED.contains(&name) => {
                let value = rest.next();
                let value = value.ok_or_else(|| format!("{name}: expected a value behind it"))?;
                set(name, value, &mut options)?;
            }
            name => {
                return Err(format!(
                    "{name}: there is no such option; tidegate top --help lists them"
                ));
            }
        }
    }
    check(&options)?;
    Ok(Asked::Show(Box::new(options)))
}

/// Options with a value.
const VALUED: &[&str] = &[
    "-h",
    "-p",
    "-s",
    "-n",
    "-u",
    "-a",
    "-i",
    "--user",
    "--pass",
    "--cacert",
    "--cacertdir",
    "--cert",
    "--key",
    "--sni",
    "--interval",
    "--match",
    "--sort",
];

fn set(name: &str, value: &str, options: &mut Options) -> Result<(), String> {
    let target = &mut options.target;
    let (text, path) = (Some(value.to_owned()), Some(value.into()));
    match name {
        "-h" => target.address.set_host(value),
        "-p" => target.address.set_port(value)?,
        "-s" => target.address = Address::Unix(value.into()),
        "-n" => target.db = database(value)?,
        "-u" => from_url(value, target)?,
        "-a" | "--pass" => target.password = text,
        "--user" => target.user = text,
        "--cacert" => target.tls.ca_cert = path,
        "--cacertdir" => target.tls.ca_cert_dir = path,
        "--cert" => target.tls.cert = path,
        "--key" => target.tls.key = path,
        "--sni" => target.tls.name = text,
        "--match" => options.pattern = text,
        "--sort" => options.sort = column(value)?,
        _ => options.interval = interval(value)?,
    }
    Ok(())
}

fn column(value: &str) -> Result<usize, String> {
    columns::find(value).ok_or_else(|| {
        let names: Vec<&str> = columns::ALL.iter().map(|column| column.name).collect();
        format!("--sort: expected one of {}, got '{value}'", names.join(", "))
    })
}

fn interval(value: &str) -> Result<Duration, String> {
    let seconds = value.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds.filter(|interval| *interval <= INTERVAL_MAX).ok_or_else(|| {
        format!("--interval: expected seconds up to {}, got '{value}'", INTERVAL_MAX.as_secs())
    })
}

/// What options together must fulfil.
fn check(options: &Options) -> Result<(), String> {
    let target = &options.target;
    let is_unix = matches!(target.address, Address::Unix(_));
    if options.interval < INTERVAL_MIN && !options.is_once {
        return Err(format!("--interval: expected at least {INTERVAL_MIN:?}"));
    }
    if target.user.is_some() && target.password.is_none() {
        return Err(format!(
            "--user: expected a password too, with --pass or in {PASSWORD_VARIABLE}"
        ));
    }
    if target.is_tls && is_unix {
        return Err("--tls: expected a host, since a Unix socket has no TLS".to_owned());
    }
    if !target.is_tls && target.tls != TlsOptions::default() {
        return Err(
            "options for certificates: expected --tls or a URL with rediss:// too".to_owned()
        );
    }
    if target.tls.cert.is_some() != target.tls.key.is_some() {
        return Err("--cert and --key: expected both or none".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(words: &str) -> Result<Options, String> {
        let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        match parse(&words, Some("from-variable".to_owned()))? {
            Asked::Show(options) => Ok(*options),
            Asked::Help => Err("help".to_owned()),
        }
    }

    #[test]
    fn options_are_those_of_redis_cli() {
        let plain = options("").expect("valid");
        assert_eq!(plain.target.address.to_string(), "127.0.0.1:6379");
        assert_eq!(plain.target.password.as_deref(), Some("from-variable"));
        assert_eq!((plain.interval, plain.is_once), (Duration::from_secs(1), false));
        let all = options(
            "-h ::1 -p 7 --user u --pass p -n 3 --tls --cacert a --cert b --key c --sni d --insecure \
             -i 0.5 --once --match q* --sort oldest",
        );
        let Options { target, interval, is_once, pattern, sort } = all.expect("valid");
        assert_eq!(target.address.to_string(), "[::1]:7");
        assert_eq!((target.user.as_deref(), target.password.as_deref()), (Some("u"), Some("p")));
        assert_eq!((target.db, target.is_tls, target.tls.is_insecure), (3, true, true));
        assert_eq!(target.tls.name.as_deref(), Some("d"));
        assert_eq!((interval, is_once), (Duration::from_millis(500), true));
        assert_eq!((pattern.as_deref(), columns::ALL[sort].name), (Some("q*"), "oldest"));
        let unix = options("-s /tmp/x").expect("valid").target.address;
        assert_eq!(unix.to_string(), "/tmp/x");
        assert_eq!(options("--help"), Err("help".to_owned()));
        assert!(options("--once -i 0").is_ok());
    }

    #[test]
    fn wrong_options_say_what_was_expected() {
        for (words, expected) in [
            ("-p", "-p: expected a value behind it"),
            ("-p 70000", "-p: expected a port from 1 to 65535, got '70000'"),
            ("-n x", "database: expected a number, got 'x'"),
            ("--nosuch", "--nosuch: there is no such option"),
            ("-i 0", "--interval: expected at least 100ms"),
            ("-i NaN", "--interval: expected seconds up to 3600, got 'NaN'"),
            ("-i -1", "--interval: expected seconds"),
            ("--sort size", "--sort: expected one of name, length, "),
            ("--tls -s /tmp/x", "--tls: expected a host"),
            ("--cacert a", "options for certificates: expected --tls"),
            ("--tls --cert a", "--cert and --key: expected both or none"),
            ("http://x", "expected a URL that begins with redis:// or rediss://, got 'http://'"),
        ] {
            let error = options(words).expect_err(words);
            assert!(error.starts_with(expected), "{words}: {error}");
        }
        let error = parse(&["--user".to_owned(), "x".to_owned()], None).expect_err("no password");
        assert!(error.starts_with("--user: expected a password too"), "{error}");
    }
}
