//! The page for people, which is one file.

use super::answer::Answer;
use super::asked::Asked;
use super::parameters;
use super::response::{Response, Status, of_error};

const PAGE: &[u8] = include_bytes!("page.html");

/// The page has nothing secret in it, but a browser asks for a password only when it is refused.
pub(super) fn get(asked: &mut Asked<'_>) -> Result<Answer, Response> {
    let [] = parameters::take(&asked.head.target, [])?;
    Err(match asked.broker.must_authenticate(asked.client) {
        true => of_error(b"NOAUTH Authentication required."),
        false => page(),
    })
}

fn page() -> Response {
    Response::new(Status::Ok, "text/html; charset=utf-8", PAGE.to_vec())
        .with(
            "Content-Security-Policy",
            "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
             connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; \
             frame-ancestors 'none'",
        )
        .with("Referrer-Policy", "no-referrer")
        .with("X-Frame-Options", "DENY")
}
