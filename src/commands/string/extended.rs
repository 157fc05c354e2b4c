//! Floating-point numbers like C's `long double` of 80 bits, in which Redis adds: a significand of 64
//! bits. Sums are exact before they are rounded, and shown with 17 decimals.

use num_bigint::{BigInt, BigUint, Sign};

/// Bits of the significand.
const BITS: u64 = 64;

/// The range of exponents, as powers of two. Numbers beyond are infinite or zero.
const EXPONENT_MAX: i64 = 16_383;
const EXPONENT_MIN: i64 = -16_445;

/// Numbers with decimal exponents beyond this are infinite or zero, whatever their digits.
const DECIMAL_EXPONENT_MAX: i64 = 20_000;

/// The longest text that is parsed as a number, as in Redis.
const TEXT_BYTES_MAX: usize = 5 * 1024;

/// A finite number `significand * 2^exponent`, or an infinity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::commands) enum Extended {
    Finite { significand: BigInt, exponent: i64 },
    Infinite,
}

impl Extended {
    pub(in crate::commands) const ZERO: Extended =
        Extended::Finite { significand: BigInt::ZERO, exponent: 0 };

    /// Parses a number as C's `strtold` does, but without spaces; none if it is not a number, too
    /// large, or too small to differ from zero.
    pub(in crate::commands) fn parse(text: &[u8]) -> Option<Extended> {
        let text = std::str::from_utf8(text).ok().filter(|text| text.len() <= TEXT_BYTES_MAX)?;
        let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
        let lower = unsigned.to_ascii_lowercase();
        if lower == "inf" || lower == "infinity" {
            return Some(Extended::Infinite);
        }
        let sign = if text.starts_with('-') { Sign::Minus } else { Sign::Plus };
        let (digits, radix, exponent) = match lower.strip_prefix("0x") {
            Some(digits) => parts(digits, 'p', 16)?,
            None => parts(&lower, 'e', 10)?,
        };
        let whole = BigUint::parse_bytes(digits.as_bytes(), radix)?;
        if whole == BigUint::ZERO {
            return Some(Extended::ZERO);
        }
        let number = BigInt::from_biguint(sign, whole);
        match radix {
            // A hexadecimal exponent is already a power of two.
            16 => round(number, exponent),
            _ if exponent.abs() > DECIMAL_EXPONENT_MAX => None,
            _ => scaled(number, exponent),
        }
    }

    /// Returns the rounded sum; none if it is NaN or infinite.
    pub(in crate::commands) fn plus(&self, other: &Extended) -> Option<Extended> {
        let (
            Extended::Finite { significand, exponent },
            Extended::Finite { significand: other, exponent: other_exponent },
        ) = (self, other)
        else {
            return None;
        };
        let least = *exponent.min(other_exponent);
        // Exponents differ by at most about 33,000.
        let shifted = |significand: &BigInt, exponent: i64| significand << (exponent - least);
        let sum = shifted(significand, *exponent) + shifted(other, *other_exponent);
        if sum == BigInt::ZERO { Some(Extended::ZERO) } else { round(sum, least) }
    }

    /// Formats the number with at most 17 decimals, without trailing zeros.
    pub(in crate::commands) fn shown(&self) -> String {
        const DECIMALS: usize = 17;
        let Extended::Finite { significand, exponent } = self else { return "inf".to_string() };
        let scaled = significand.magnitude() * BigUint::from(10_u32).pow(DECIMALS as u32);
        let rounded = match u64::try_from(*exponent) {
            Ok(up) => scaled << up,
            Err(_) => halves_to_even(&scaled, exponent.unsigned_abs()),
        };
        let digits = format!("{rounded:0>width$}", width = DECIMALS + 1);
        let (whole, decimals) = digits.split_at(digits.len() - DECIMALS);
        let decimals = decimals.trim_end_matches('0');
        let sign = if significand.sign() == Sign::Minus { "-" } else { "" };
        let point = if decimals.is_empty() { "" } else { "." };
        let text = format!("{sign}{whole}{point}{decimals}");
        if text == "-0" { "0".to_string() } else { text }
    }
}

/// Returns the digits of a number without its point, their radix, and the matching exponent.
fn parts(text: &str, mark: char, radix: u32) -> Option<(String, u32, i64)> {
    let (mantissa, exponent) = match text.split_once(mark) {
        Some((mantissa, exponent)) => {
            let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            let is_number =
                !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
            let far =
                if exponent.starts_with('-') { -i64::from(i32::MAX) } else { i32::MAX.into() };
            (mantissa, is_number.then(|| exponent.parse::<i32>().map_or(far, i64::from))?)
        }
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let is_number = !digits.is_empty() && digits.chars().all(|digit| digit.is_digit(radix));
    let bits_per_digit = if radix == 16 { 4 } else { 1 };
    is_number.then(|| (digits, radix, exponent - (fraction.len() * bits_per_digit) as i64))
}

/// Returns `number * 10^exponent`, rounded.
fn scaled(number: BigInt, exponent: i64) -> Option<Extended> {
    let power = BigUint::from(10_u32).pow(exponent.unsigned_abs() as u32);
    if exponent >= 0 {
        return round(number * BigInt::from(power), 0);
    }
    // Bits beyond these can only decide a tie, and one more bit tells that.
    let shift = power.bits() + 2 * BITS;
    let (sign, magnitude) = number.into_parts();
    let shifted = magnitude << shift;
    let quotient = &shifted / &power;
    let is_exact = &quotient * &power == shifted;
    let sticky = (quotient << 1_u32) + BigUint::from(u32::from(!is_exact));
    // Shifts stay far below the maximum of i64.
    round(BigInt::from_biguint(sign, sticky), -(shift as i64) - 1)
}

/// Returns the nearest number with a significand of 64 bits; none if it is out of range.
fn round(significand: BigInt, exponent: i64) -> Option<Extended> {
    let (sign, magnitude) = significand.into_parts();
    let bits = magnitude.bits();
    // Below the smallest normal number there are fewer bits.
    let lowest = EXPONENT_MIN.saturating_sub(exponent);
    let excess = i64::try_from(bits.saturating_sub(BITS)).ok()?.max(lowest).max(0);
    let rounded = halves_to_even(&magnitude, excess.unsigned_abs());
    let exponent = exponent + excess;
    let highest = exponent.saturating_add(i64::try_from(rounded.bits()).ok()?) - 1;
    if rounded == BigUint::ZERO || highest > EXPONENT_MAX {
        return None;
    }
    Some(Extended::Finite { significand: BigInt::from_biguint(sign, rounded), exponent })
}

/// Returns `number / 2^bits`, rounded to the nearest, ties to even.
fn halves_to_even(number: &BigUint, bits: u64) -> BigUint {
    if bits == 0 {
        return number.clone();
    }
    if bits > number.bits() + 1 {
        return BigUint::ZERO;
    }
    let down = number >> bits;
    let is_half = number.bit(bits - 1);
    let is_more = number.trailing_zeros().is_some_and(|zeros| zeros < bits - 1);
    let goes_up = is_half && (is_more || down.bit(0));
    down + BigUint::from(u32::from(goes_up))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(one: &str, other: &str) -> Option<String> {
        let (one, other) = (Extended::parse(one.as_bytes())?, Extended::parse(other.as_bytes())?);
        Some(one.plus(&other)?.shown())
    }

    /// The sums are what redis-server 7.0.15 gives on a machine with a `long double` of 80 bits.
    #[test]
    fn sums_are_those_of_a_long_double() {
        for (one, other, expected) in [
            ("10.50", "0.1", "10.6"),
            ("5.0e3", "2.0e2", "5200"),
            ("0.1", "0.2", "0.3"),
            ("3000", "1.1", "3001.10000000000000009"),
            ("-0", "0", "0"),
            ("1e-18", "0", "0"),
            ("0x1p3", "0.5", "8.5"),
        ] {
            assert_eq!(sum(one, other).as_deref(), Some(expected), "{one} + {other}");
        }
        for (one, other) in [("inf", "1"), ("1e4932", "9e4931"), ("inf", "-inf")] {
            assert_eq!(sum(one, other), None, "{one} + {other}");
        }
    }

    #[test]
    fn invalid_numbers_are_refused() {
        for text in [
            "",
            " 1",
            "1 ",
            "1x",
            "e5",
            "1e",
            "1e+",
            ".",
            "0x",
            "nan",
            "--1",
            "1e5000",
            "1e-5000",
            "1_0",
            "0x1p",
            "1e99999999999999999999",
        ] {
            assert_eq!(Extended::parse(text.as_bytes()), None, "{text:?}");
        }
        for text in ["1.", ".5", "+1", "1e5", "1E-5", "0e99999", "0X1P+3", "Infinity"] {
            assert!(Extended::parse(text.as_bytes()).is_some(), "{text:?}");
        }
    }
}
