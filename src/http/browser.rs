//! What a browser may do on behalf of a web page. A page of any site can make a browser send requests to
//! us, with the address and the credentials of whoever looks at it. So:
//!
//! - a request whose `Origin` is not our own page, or whose `Sec-Fetch-Site` says so, is refused unless
//!   `http-allowed-origins` names the origin;
//! - without a password, a name in `Host` must be known (`http-hosts`), since a site could give its own name
//!   our address, and would be our own page (DNS rebinding);
//! - nothing is done for a page that is only prefetched.

use super::head::{Head, Method};
use super::response::{Response, Status};
use super::target::split;
use crate::settings::HttpSettings;
use std::net::IpAddr;

/// Checks a request; returns the origin whose scripts may read the response.
///
/// # Errors
/// The request is refused.
pub(super) fn check<'a>(
    head: &Head<'a>,
    settings: &HttpSettings,
    is_open_to_all: bool,
) -> Result<Option<&'a [u8]>, Response> {
    let host = head.host.unwrap_or_default();
    if is_open_to_all && !is_known(host, &settings.hosts) {
        let text = "expected an address or localhost as Host: without a password, other names need http-hosts";
        return Err(Response::error(Status::Misdirected, text));
    }
    if head.is_prefetch {
        return Err(Response::error(
            Status::Forbidden,
            "nothing is prefetched: requests have effects",
        ));
    }
    let is_any = |allowed: &String| allowed == "*";
    // It is repeated in the response.
    let is_allowed = |origin: &[u8]| {
        let mut allowed = settings.allowed_origins.iter();
        origin.iter().all(u8::is_ascii_graphic)
            && allowed.any(|allowed| is_any(allowed) || allowed.as_bytes() == origin)
    };
    match head.origin {
        Some(origin) if is_allowed(origin) => Ok(Some(origin)),
        Some(origin) if is_own(origin, host) => Ok(None),
        Some(_) => Err(foreign()),
        // A link to our page is fine, from wherever.
        None if is_from_elsewhere(head) && !head.target.segments().is_empty() => Err(foreign()),
        None => Ok(None),
    }
}

fn foreign() -> Response {
    let text = "a web page of another origin asks: allow it with http-allowed-origins";
    Response::error(Status::Forbidden, text)
}

fn is_from_elsewhere(head: &Head<'_>) -> bool {
    head.fetch_site.is_some_and(|site| !matches!(site, b"same-origin" | b"none"))
}

/// Whether an origin is the page that we serve. Which scheme it has depends on what is in front of us.
fn is_own(origin: &[u8], host: &[u8]) -> bool {
    let own = origin.strip_prefix(b"http://").or(origin.strip_prefix(b"https://"));
    own.is_some_and(|own| own.eq_ignore_ascii_case(host))
}

/// Whether `Host` is an address, `localhost`, or one of these names, with or without a port. Without a
/// `Host`, as in HTTP/1.0, it is no browser.
fn is_known(host: &[u8], names: &[String]) -> bool {
    let Ok(host) = str::from_utf8(host) else { return false };
    let name = match host.strip_prefix('[') {
        Some(rest) => split(rest, b']').map_or(rest, |(name, _)| name),
        None => split(host, b':').map_or(host, |(name, _)| name),
    };
    let is_listed = |known: &String| known == "*" || known.eq_ignore_ascii_case(name);
    name.is_empty()
        || name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok()
        || names.iter().any(is_listed)
}

/// The response to `OPTIONS`, with which a browser asks what scripts of an allowed origin may do.
pub(super) fn preflight(head: &Head<'_>) -> Option<Response> {
    if head.method != Method::Options {
        return None;
    }
    let response = Response::empty(Status::NoContent);
    Some(match head.preflight_method {
        Some(_) => response
            .with("Access-Control-Allow-Methods", "GET, POST, PATCH, DELETE")
            .with("Access-Control-Allow-Headers", "Authorization, Content-Type, Idempotency-Key")
            .with("Access-Control-Max-Age", "600"),
        None => response.with("Allow", "GET, HEAD, POST, PATCH, DELETE, OPTIONS"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_with(headers: &str, settings: &HttpSettings, is_open: bool) -> Result<bool, Status> {
        let text = format!("GET /queues/a HTTP/1.1\r\n{headers}\r\n\r\n");
        let limits = HttpSettings { headers_max: 8, ..HttpSettings::default() };
        let head = Head::parse(text.as_bytes(), &limits).expect("a request");
        check(&head, settings, is_open).map(|allowed| allowed.is_some()).map_err(|r| r.status)
    }

    #[test]
    fn pages_of_other_origins_are_refused() {
        let none = HttpSettings::default();
        let shop = HttpSettings {
            allowed_origins: vec!["https://shop.example".into()],
            ..HttpSettings::default()
        };
        let any = HttpSettings { allowed_origins: vec!["*".into()], ..HttpSettings::default() };
        let host = "Host: broker:8080\r\n";
        for (headers, settings, expected) in [
            ("Accept: */*", &none, Ok(false)),
            ("Origin: http://broker:8080", &none, Ok(false)),
            ("Origin: https://BROKER:8080", &none, Ok(false)),
            ("Origin: http://broker:8081", &none, Err(Status::Forbidden)),
            ("Origin: null", &none, Err(Status::Forbidden)),
            ("Origin: https://shop.example", &none, Err(Status::Forbidden)),
            ("Origin: https://shop.example", &shop, Ok(true)),
            ("Origin: https://shop.example.evil", &shop, Err(Status::Forbidden)),
            ("Origin: https://any.example", &any, Ok(true)),
            ("Origin: https://\u{e9}.example", &any, Err(Status::Forbidden)),
            ("Origin: https://a b", &any, Err(Status::Forbidden)),
            ("Sec-Fetch-Site: cross-site", &shop, Err(Status::Forbidden)),
            ("Sec-Fetch-Site: same-site", &none, Err(Status::Forbidden)),
            ("Sec-Fetch-Site: same-origin", &none, Ok(false)),
            ("Sec-Fetch-Site: none", &none, Ok(false)),
            ("Sec-Purpose: prefetch;prerender", &none, Err(Status::Forbidden)),
        ] {
            let got = check_with(&format!("{host}{headers}"), settings, false);
            assert_eq!(got, expected, "{headers}");
        }
    }

    #[test]
    fn without_a_password_only_known_hosts_are_served() {
        let none = HttpSettings::default();
        let named = HttpSettings { hosts: vec!["broker".into()], ..HttpSettings::default() };
        let any = HttpSettings { hosts: vec!["*".into()], ..HttpSettings::default() };
        let known =
            ["127.0.0.1", "127.0.0.1:80", "[::1]:80", "localhost:80", "LocalHost", "10.0.0.1"];
        for host in known {
            assert_eq!(check_with(&format!("Host: {host}"), &none, true), Ok(false), "{host}");
        }
        let refused = Err(Status::Misdirected);
        for host in ["evil.example", "127.0.0.1.evil.example", "localhost.evil", "broker"] {
            assert_eq!(check_with(&format!("Host: {host}"), &none, true), refused, "{host}");
            assert_eq!(check_with(&format!("Host: {host}"), &none, false), Ok(false), "{host}");
            assert_eq!(check_with(&format!("Host: {host}"), &any, true), Ok(false), "{host}");
        }
        assert_eq!(check_with("Host: Broker:99", &named, true), Ok(false));
    }
}
