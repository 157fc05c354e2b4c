//! Where the broker is, and who asks: from options and URLs.

use std::fmt;
use std::path::PathBuf;

/// Redis' port.
const PORT: u16 = 6379;

/// A broker, and the user that asks it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Target {
    pub address: Address,
    /// `None` is the default user.
    pub user: Option<String>,
    pub password: Option<String>,
    pub db: u32,
    pub is_tls: bool,
    pub tls: TlsOptions,
}

/// Where a broker listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    Tcp { host: String, port: u16 },
    Unix(PathBuf),
}

/// Whom we trust with TLS, and who we are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsOptions {
    /// File with authorities of the broker's certificate.
    pub ca_cert: Option<PathBuf>,
    /// Directory with such files.
    pub ca_cert_dir: Option<PathBuf>,
    /// Our certificate.
    pub cert: Option<PathBuf>,
    /// Its key.
    pub key: Option<PathBuf>,
    /// Name in the broker's certificate; `None` for the host.
    pub name: Option<String>,
    /// Whether any certificate is accepted.
    pub is_insecure: bool,
}

/// Without the password.
impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Target { address, user, db, is_tls, tls, .. } = self;
        write!(f, "Target({address} {user:?} {db} {is_tls} {tls:?})")
    }
}

impl Default for Address {
    fn default() -> Address {
        Address::Tcp { host: "127.0.0.1".to_owned(), port: PORT }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Address::Tcp { host, port } => write!(f, "{host}:{port}"),
            Address::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

impl Address {
    /// Changes the host, and keeps the port.
    pub fn set_host(&mut self, name: &str) {
        let (host, port) = match self {
            Address::Tcp { port, .. } => (name.to_owned(), *port),
            Address::Unix(_) => (name.to_owned(), PORT),
        };
        *self = Address::Tcp { host, port };
    }

    /// Changes the port, and keeps the host.
    ///
    /// # Errors
    /// It is no port.
    pub fn set_port(&mut self, text: &str) -> Result<(), String> {
        let port = text.parse().ok().filter(|port| *port != 0);
        let number =
            port.ok_or_else(|| format!("-p: expected a port from 1 to 65535, got '{text}'"))?;
        match self {
            Address::Tcp { port, .. } => *port = number,
            Address::Unix(_) => {
                *self = Address::default();
                return self.set_port(text);
            }
        }
        Ok(())
    }
}

/// The number of a database.
///
/// # Errors
/// It is no number.
pub fn database(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| format!("database: expected a number, got '{text}'"))
}

/// Applies a URL: `redis://[[USER:]PASSWORD@]HOST[:PORT][/DB]`, as redis-cli reads it.
///
/// # Errors
/// A reason without the password.
pub fn from_url(url: &str, target: &mut Target) -> Result<(), String> {
    let rest = match (url.strip_prefix("redis://"), url.strip_prefix("rediss://")) {
        (Some(rest), _) => rest,
        (None, Some(rest)) => {
            target.is_tls = true;
            rest
        }
        (None, None) => {
            let scheme = url.split_inclusive("://").next().filter(|part| part.ends_with("://"));
            let shown = scheme.unwrap_or("no scheme");
            return Err(format!(
                "expected a URL that begins with redis:// or rediss://, got '{shown}'"
            ));
        }
    };
    let (place, db) = rest.split_once('/').unwrap_or((rest, ""));
    let (user, place) = match place.rsplit_once('@') {
        Some((user, place)) => (Some(user), place),
        None => (None, place),
    };
    if let Some(user) = user {
        let (name, password) = user.split_once(':').unwrap_or(("", user));
        target.user = Some(decoded(name)?).filter(|name| !name.is_empty());
        target.password = Some(decoded(password)?);
    }
    let (host, port) = match place.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, port)) => (host, port),
        None => place.split_at(place.find(':').unwrap_or(place.len())),
    };
    target.address = Address::default();
    if !host.is_empty() {
        target.address.set_host(&decoded(host)?);
    }
    if let Some(port) = port.strip_prefix(':') {
        target.address.set_port(port)?;
    } else if !port.is_empty() {
        return Err("URL: expected a port behind the host".to_owned());
    }
    if !db.is_empty() {
        target.db = database(db)?;
    }
    Ok(())
}

/// A part of a URL, with `%41` for `A`.
fn decoded(text: &str) -> Result<String, String> {
    let wrong =
        || "URL: expected two hexadecimal digits behind each %, of a text in UTF-8".to_owned();
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2).ok_or_else(wrong)?;
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| wrong())?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(url: &str) -> Result<Target, String> {
        let mut target = Target::default();
        from_url(url, &mut target).map(|()| target)
    }

    #[test]
    fn urls_name_everything() {
        let target = of("rediss://al%40ice:s:cr%2Fet@[::1]:7/3").expect("valid");
        assert_eq!(target.address.to_string(), "[::1]:7");
        assert_eq!(target.user.as_deref(), Some("al@ice"));
        assert_eq!(target.password.as_deref(), Some("s:cr/et"));
        assert_eq!((target.db, target.is_tls), (3, true));
        let target = of("redis://secret@example.org").expect("valid");
        assert_eq!(target.address.to_string(), "example.org:6379");
        assert_eq!((target.user, target.password.as_deref()), (None, Some("secret")));
        assert_eq!(of("redis://").expect("valid"), Target::default());
        assert_eq!(of("redis://:p@h").expect("valid").user, None);
    }

    #[test]
    fn errors_hide_the_password() {
        for url in [
            "https://x",
            "secret",
            "redis://u:secret@h:x",
            "redis://h/x",
            "redis://u:secret%4@h",
            "redis://[::1]x",
        ] {
            let error = of(url).expect_err(url);
            assert!(error.contains("expected") && !error.contains("secret"), "{error}");
        }
        assert!(!format!("{:?}", of("redis://u:secret@h")).contains("secret"));
    }
}
