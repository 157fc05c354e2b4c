//! Numbers as C's `printf` writes them with `%.<precision>g`.

use std::fmt::Write;

/// Appends a number with at most this many significant digits.
pub(crate) fn write_g(out: &mut Vec<u8>, number: f64, precision: usize) {
    if number.is_nan() {
        let text: &[u8] = if number.is_sign_negative() { b"-nan" } else { b"nan" };
        return out.extend_from_slice(text);
    }
    if number.is_infinite() {
        let text: &[u8] = if number < 0.0 { b"-inf" } else { b"inf" };
        return out.extend_from_slice(text);
    }
    let precision = precision.max(1);
    // One digit, a point, the other digits, and the exponent: rounded to the precision.
    let mut text = String::with_capacity(precision + 8);
    // A string takes everything.
    let _ = write!(text, "{number:.*e}", precision - 1);
    let Some((digits, exponent)) = text.split_once('e') else { return };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if exponent < -4 || exponent >= i32::try_from(precision).unwrap_or(i32::MAX) {
        out.extend_from_slice(trimmed(digits).as_bytes());
        let sign = if exponent < 0 { '-' } else { '+' };
        out.extend_from_slice(format!("e{sign}{:02}", exponent.unsigned_abs()).as_bytes());
        return;
    }
    let decimals = i64::try_from(precision).unwrap_or(i64::MAX) - 1 - i64::from(exponent);
    let decimals = usize::try_from(decimals).unwrap_or_default();
    let plain = format!("{number:.decimals$}");
    out.extend_from_slice(trimmed(&plain).as_bytes());
}

/// Removes zeros behind a point, and a point without digits.
fn trimmed(digits: &str) -> &str {
    if !digits.contains('.') {
        return digits;
    }
    digits.trim_end_matches('0').trim_end_matches('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(number: f64, precision: usize) -> String {
        let mut out = Vec::new();
        write_g(&mut out, number, precision);
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn numbers_are_written_as_by_c() {
        assert_eq!(text(0.1, 17), "0.10000000000000001");
        assert_eq!(text(1e17, 17), "1e+17");
        assert_eq!(text(7355971298705408.0, 17), "7355971298705408");
        assert_eq!(text(-0.0, 17), "-0");
        assert_eq!(text(1.5, 17), "1.5");
        assert_eq!(text(1e-5, 17), "1.0000000000000001e-05");
        assert_eq!(text(1e300, 14), "1e+300");
        assert_eq!(text(1.0 / 3.0, 14), "0.33333333333333");
        assert_eq!(text(1e14, 14), "1e+14");
        assert_eq!(text(123456789012345678.0, 14), "1.2345678901235e+17");
        assert_eq!(text(99999.99999999999999, 3), "1e+05");
        assert_eq!(text(0.0001234, 3), "0.000123");
        assert_eq!(text(f64::NEG_INFINITY, 17), "-inf");
        assert_eq!(text(-f64::NAN, 17).trim_start_matches('-'), "nan");
    }
}
