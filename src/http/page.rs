//! The page for people, which is one file.

use super::answer::Answer;
use super::asked::Asked;
use super::parameters;
use super::response::{Response, Status};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

const PAGE: &str = include_str!("page.html");

/// Lets the script of the page run, which has this hash, and no other. The page loads nothing.
static SECURITY_POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = STANDARD.encode(Sha256::digest(script()));
    format!(
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{hash}'; \
         connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    )
});

/// The text of the page's only script.
fn script() -> &'static str {
    let script = PAGE.split_once("<script>").and_then(|(_, rest)| rest.split_once("</script>"));
    script.map_or("", |(script, _)| script)
}

/// The page. It has nothing secret in it, but a browser asks for a password only when it is refused.
pub(super) fn get(asked: &mut Asked<'_>) -> Result<Answer, Response> {
    let [] = parameters::take(&asked.head.target, [])?;
    Err(Response::new(Status::Ok, "text/html; charset=utf-8", PAGE.into())
        .with("Content-Security-Policy", &SECURITY_POLICY)
        .with("Referrer-Policy", "no-referrer")
        .with("X-Frame-Options", "DENY"))
}
