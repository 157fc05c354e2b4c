//! Floating-point numbers, as Redis reads and shows them.

use super::parse_integer;
use std::io::Write;
use std::num::{IntErrorKind, ParseIntError};

/// The longest text: a sign, 17 digits, a point and zeros, or an exponent.
const TEXT_BYTES_MAX: usize = 40;

/// Integers up to this size are shown as such.
const INTEGER_MAX: f64 = (i64::MAX / 2) as f64;

/// Memory for the text of a number.
#[derive(Clone, Debug)]
pub struct DoubleBuffer([u8; TEXT_BYTES_MAX]);

impl Default for DoubleBuffer {
    fn default() -> DoubleBuffer {
        DoubleBuffer([0; TEXT_BYTES_MAX])
    }
}

impl DoubleBuffer {
    /// Returns the shortest text from which the same number is read, in the form of Redis 7.2 and later.
    pub fn format(&mut self, number: f64) -> &[u8] {
        let len = self.write(number);
        self.0.get(..len).unwrap_or_default()
    }

    fn write(&mut self, number: f64) -> usize {
        let mut out = &mut self.0[..];
        let free = out.len();
        // The buffer is long enough for each of these.
        let _ = if number.is_nan() {
            out.write_all(b"nan")
        } else if number.is_infinite() {
            out.write_all(if number > 0.0 { b"inf" } else { b"-inf" })
        } else if number.abs() <= INTEGER_MAX && number.trunc() == number {
            out.write_all(itoa::Buffer::new().format(number as i64).as_bytes())
        } else {
            write_digits(&mut out, number)
        };
        free - out.len()
    }
}

/// Writes a number that is not shown as an integer.
fn write_digits(out: &mut &mut [u8], number: f64) -> std::io::Result<()> {
    // One digit, a point, more digits, and the exponent.
    let mut scientific = [0; TEXT_BYTES_MAX];
    let mut rest = &mut scientific[..];
    write!(rest, "{:e}", number.abs())?;
    let len = TEXT_BYTES_MAX - rest.len();
    let text = scientific.get(..len).unwrap_or_default();
    let mut parts = text.split(|&byte| byte == b'e');
    let (mantissa, exponent) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let exponent = parse_integer(exponent).unwrap_or_default();
    let mut digits = [0; TEXT_BYTES_MAX];
    let mut count = 0;
    let only_digits = mantissa.iter().filter(|byte| byte.is_ascii_digit());
    for (place, digit) in digits.iter_mut().zip(only_digits) {
        *place = *digit;
        count += 1;
    }
    let digits = digits.get(..count).unwrap_or_default();
    if number < 0.0 {
        out.write_all(b"-")?;
    }
    // How many zeros are behind the last digit, if it is not negative.
    let zeros = exponent - count as i64 + 1;
    if zeros >= 0 && exponent.abs() < count as i64 + 7 {
        out.write_all(digits)?;
        return (0..zeros).try_for_each(|_| out.write_all(b"0"));
    }
    if zeros < 0 && (zeros > -7 || exponent.abs() < 4) {
        if exponent < 0 {
            out.write_all(b"0.")?;
            (1..-exponent).try_for_each(|_| out.write_all(b"0"))?;
            return out.write_all(digits);
        }
        let whole = usize::try_from(exponent + 1).unwrap_or_default();
        let (whole, fraction) = digits.split_at_checked(whole).unwrap_or((digits, &[]));
        out.write_all(whole)?;
        out.write_all(b".")?;
        return out.write_all(fraction);
    }
    let (first, others) = digits.split_at_checked(1).unwrap_or((digits, &[]));
    out.write_all(first)?;
    if !others.is_empty() {
        out.write_all(b".")?;
        out.write_all(others)?;
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    write!(out, "e{sign}{}", exponent.abs())
}

/// Parses a number as C's `strtod` does, all of the text. It may be infinite. NaN, spaces, and numbers too
/// large or too small are refused.
pub fn parse_double(text: &[u8]) -> Option<f64> {
    // Most scores are short integers.
    if text.len() <= 15
        && let Some(integer) = parse_integer(text)
    {
        return Some(integer as f64);
    }
    let (number, is_exact) = read(text)?;
    is_exact.then_some(number)
}

/// As `parse_double`, but spaces in front are passed over, and numbers too large or too small become
/// infinite or zero. No text at all is zero.
pub fn parse_double_leniently(text: &[u8]) -> Option<f64> {
    read_behind_spaces(text).map(|(number, _)| number)
}

/// As `parse_double`, but spaces in front are passed over, and no text at all is zero.
pub fn parse_double_behind_spaces(text: &[u8]) -> Option<f64> {
    read_behind_spaces(text).and_then(|(number, is_exact)| is_exact.then_some(number))
}

fn read_behind_spaces(text: &[u8]) -> Option<(f64, bool)> {
    // For C the text ends at a NUL.
    let text = text.split(|&byte| byte == 0).next().unwrap_or_default();
    if text.is_empty() {
        return Some((0.0, true));
    }
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t'..=b'\r');
    let start = text.iter().position(|byte| !is_space(byte))?;
    read(text.get(start..)?)
}

/// Returns the number, and whether it is neither too large nor too small.
fn read(text: &[u8]) -> Option<(f64, bool)> {
    let (is_negative, unsigned) = match text {
        [b'-', unsigned @ ..] => (true, unsigned),
        [b'+', unsigned @ ..] => (false, unsigned),
        unsigned => (false, unsigned),
    };
    let unsigned = std::str::from_utf8(unsigned).ok()?;
    // A second sign is no number.
    let first = unsigned.bytes().next()?;
    if !first.is_ascii_alphanumeric() && first != b'.' {
        return None;
    }
    let hexadecimal = unsigned.strip_prefix("0x").or_else(|| unsigned.strip_prefix("0X"));
    let number = match hexadecimal {
        Some(digits) => read_hexadecimal(digits)?,
        None => unsigned.parse::<f64>().ok().filter(|number| !number.is_nan())?,
    };
    let mantissa = match hexadecimal {
        Some(digits) => digits.split(['p', 'P']).next(),
        None => unsigned.split(['e', 'E']).next(),
    };
    let is_zero = !mantissa?.contains(|c: char| c.is_ascii_hexdigit() && c != '0');
    let is_exact = match number {
        // Words, for which it is exact, have no digits.
        _ if number.is_infinite() => first.is_ascii_alphabetic(),
        _ => number != 0.0 || is_zero,
    };
    // Adding zero makes a negative zero positive.
    Some((if is_negative { -number } else { number } + 0.0, is_exact))
}

/// Reads `1f.8p-3`: hexadecimal digits, and a decimal exponent of two.
fn read_hexadecimal(text: &str) -> Option<f64> {
    let (digits, exponent) = match text.split_once(['p', 'P']) {
        Some((digits, exponent)) => (digits, read_exponent(exponent)?),
        None => (text, 0),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    // The first 60 bits, and whether any is set behind them, round as all would.
    let (mut mantissa, mut is_more, mut places) = (0_u64, false, 0_i64);
    for (at, digit) in whole.chars().chain(fraction.chars()).enumerate() {
        let digit = digit.to_digit(16)?;
        let is_fraction = at >= whole.len();
        if mantissa >> 60 == 0 {
            mantissa = mantissa << 4 | u64::from(digit);
            places -= if is_fraction { 4 } else { 0 };
        } else {
            is_more |= digit != 0;
            places += if is_fraction { 0 } else { 4 };
        }
    }
    if mantissa == 0 {
        return Some(0.0);
    }
    // Beyond these bounds a number is infinite or zero, whatever its digits are.
    let exponent = exponent.saturating_add(places).clamp(-3_000, 3_000) as i32;
    // In two steps, since one of them alone may leave the range.
    let half = exponent / 2;
    let mantissa = (mantissa | u64::from(is_more)) as f64;
    Some(mantissa * 2.0_f64.powi(half) * 2.0_f64.powi(exponent - half))
}

/// Reads a decimal exponent; one that is too large for the type becomes its limit.
fn read_exponent(text: &str) -> Option<i64> {
    text.parse()
        .or_else(|error: ParseIntError| match error.kind() {
            IntErrorKind::PosOverflow => Ok(i64::MAX),
            IntErrorKind::NegOverflow => Ok(i64::MIN),
            _ => Err(error),
        })
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_shown_as_redis_does() {
        for (number, expected) in [
            (0.0, "0"),
            (-0.0, "0"),
            (0.1, "0.1"),
            (-1.5, "-1.5"),
            (1e8, "100000000"),
            (123_456_789_012_345_680.0, "123456789012345680"),
            (7_355_971_298_705_408.0, "7355971298705408"),
            (1e18, "1000000000000000000"),
            (5e18, "5e+18"),
            (1e20, "1e+20"),
            (1.23e19, "1.23e+19"),
            (12_345_678_901_234_567_890.0, "12345678901234567000"),
            (1e-5, "0.00001"),
            (1e-7, "1e-7"),
            (1.5e-7, "1.5e-7"),
            (0.0001, "0.0001"),
            (0.000_012_34, "1.234e-5"),
            (123_456.789, "123456.789"),
            (3e-320, "3e-320"),
            (0.300_000_000_000_000_04, "0.30000000000000004"),
            (-f64::MAX, "-1.7976931348623157e+308"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            let mut buffer = DoubleBuffer::default();
            let shown = buffer.format(number);
            assert_eq!(String::from_utf8_lossy(shown), expected);
            assert_eq!(parse_double(shown), Some(number));
        }
    }

    #[test]
    fn numbers_are_read_as_c_does() {
        for (text, strict, lenient) in [
            ("1", Some(1.0), Some(1.0)),
            ("-1.5e1", Some(-15.0), Some(-15.0)),
            (".5", Some(0.5), Some(0.5)),
            ("5.", Some(5.0), Some(5.0)),
            ("+1", Some(1.0), Some(1.0)),
            ("0x10", Some(16.0), Some(16.0)),
            ("-0x.8p1", Some(-1.0), Some(-1.0)),
            ("inf", Some(f64::INFINITY), Some(f64::INFINITY)),
            ("-Infinity", Some(f64::NEG_INFINITY), Some(f64::NEG_INFINITY)),
            ("1e400", None, Some(f64::INFINITY)),
            ("-1e400", None, Some(f64::NEG_INFINITY)),
            ("1e-400", None, Some(0.0)),
            ("0e-400", Some(0.0), Some(0.0)),
            ("1e-310", Some(1e-310), Some(1e-310)),
            ("", None, Some(0.0)),
            (" 1", None, Some(1.0)),
            ("1 ", None, None),
            (" ", None, None),
            ("nan", None, None),
            ("-nan", None, None),
            ("--1", None, None),
            ("+-1", None, None),
            ("1_0", None, None),
            ("x", None, None),
            ("1\0x", None, Some(1.0)),
            ("0x", None, None),
            ("0x0p9999", Some(0.0), Some(0.0)),
            ("-0x0p-9999", Some(0.0), Some(0.0)),
            ("0x1p9999", None, Some(f64::INFINITY)),
            ("0x1p99999999999999999999", None, Some(f64::INFINITY)),
            ("0x1p-99999999999999999999", None, Some(0.0)),
            ("0x1p-1074", Some(5e-324), Some(5e-324)),
            ("0x1p", None, None),
            ("0x1px", None, None),
            // Rounded once, to the even neighbour, or up because of the last digit.
            ("0x20000000000001", Some(9_007_199_254_740_992.0), Some(9_007_199_254_740_992.0)),
            (
                "0x20000000000001.000000000000000000000001",
                Some(9_007_199_254_740_994.0),
                Some(9_007_199_254_740_994.0),
            ),
        ] {
            assert_eq!(parse_double(text.as_bytes()), strict, "{text:?}");
            assert_eq!(parse_double_leniently(text.as_bytes()), lenient, "{text:?}");
        }
        // A thousand bits, most of which the exponent takes back.
        let long = format!("0x1{}p-1600", "0".repeat(400));
        assert_eq!(parse_double(long.as_bytes()), Some(1.0));
        let long = format!("0x.{}1p1604", "0".repeat(400));
        assert_eq!(parse_double(long.as_bytes()), Some(1.0));
        assert!(parse_double(b"-0").is_some_and(f64::is_sign_positive));
        assert!(parse_double(b"-0.0").is_some_and(f64::is_sign_positive));
    }
}
