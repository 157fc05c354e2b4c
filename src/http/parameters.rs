//! The parameters of a request.

use super::response::{Response, Status};
use super::target::{Target, decode};
use std::borrow::Cow;

/// Takes the parameters with these names, in their order. Each may be given once.
///
/// # Errors
/// There is another one, or one twice: the response says which ones there are.
pub(super) fn take<'a, const N: usize>(
    target: &Target<'a>,
    names: [&str; N],
) -> Result<[Option<&'a str>; N], Response> {
    let mut values = [None; N];
    for (name, value) in target.parameters() {
        let place = names.iter().position(|known| *known == name);
        let is_new = place.is_some_and(|place| values[place].replace(value).is_none());
        if !is_new {
            let expected = match N {
                0 => "no parameters".to_owned(),
                _ => format!("each parameter once, of {}", names.join(", ")),
            };
            return Err(bad(&format!("expected {expected}; got '{}'", name.escape_debug())));
        }
    }
    Ok(values)
}

pub(super) fn bad(text: &str) -> Response {
    Response::error(Status::BadRequest, text)
}

/// A name in a path or a parameter: any bytes, but not none.
pub(super) fn name(text: &str) -> Result<Cow<'_, [u8]>, Response> {
    let decoded = decode(text).filter(|name| !name.is_empty());
    decoded.ok_or_else(|| bad("expected a name, with each byte that is no letter or digit as %XX"))
}

/// The milliseconds of a parameter in seconds, which may have decimals.
pub(super) fn millis(what: &str, text: &str, max_s: u32) -> Result<u64, Response> {
    let seconds: Option<f64> = text.parse().ok();
    let seconds = seconds.filter(|seconds| (0.0..=f64::from(max_s)).contains(seconds));
    let ms = seconds.map(|seconds| (seconds * 1000.0).ceil() as u64);
    ms.ok_or_else(|| bad(&format!("expected seconds from 0 to {max_s} as {what}")))
}

/// A number of things, at least one.
pub(super) fn count(what: &str, text: &str, max: u32) -> Result<u32, Response> {
    let count = text.parse().ok().filter(|count| (1..=max).contains(count));
    count.ok_or_else(|| bad(&format!("expected a number from 1 to {max} as {what}")))
}

/// A parameter that is there or not.
pub(super) fn flag(what: &str, text: Option<&str>) -> Result<bool, Response> {
    match text {
        None | Some("0" | "no" | "false") => Ok(false),
        Some("" | "1" | "yes" | "true") => Ok(true),
        Some(_) => Err(bad(&format!("expected 1 or 0 as {what}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(text: &str) -> Target<'_> {
        Target::parse(text).expect("a path")
    }

    #[test]
    fn unknown_and_repeated_parameters_are_errors() {
        let known = ["wait", "count"];
        assert_eq!(take(&target("/?count=2"), known).expect("known"), [None, Some("2")]);
        for wrong in ["/?cuont=2", "/?wait=1&wait=2", "/?=1"] {
            let response = take(&target(wrong), known).expect_err("it is refused");
            assert_eq!(response.status, Status::BadRequest, "{wrong}");
        }
        assert!(take(&target("/?a"), []).is_err());
    }

    #[test]
    fn values_have_ranges() {
        assert_eq!(millis("wait", "2.5", 10).expect("seconds"), 2500);
        assert_eq!(millis("wait", "0.0001", 10).expect("seconds"), 1);
        for wrong in ["", "-1", "11", "nan", "inf", "1s"] {
            assert!(millis("wait", wrong, 10).is_err(), "{wrong}");
        }
        for wrong in ["", "0", "-1", "11", "1.5"] {
            assert!(count("count", wrong, 10).is_err(), "{wrong}");
        }
        assert!(name("").is_err() && name("%4").is_err());
    }
}
