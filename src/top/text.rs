//! How names and numbers are shown.

use std::fmt::Write as _;

/// Characters of a name that are kept. A key may have millions.
const NAME_CHARS_MAX: usize = 512;

/// A name of any bytes as text for a terminal. What would move the cursor, change colours or reverse the
/// direction of writing is escaped: clients choose the names of queues.
pub fn printable(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().min(NAME_CHARS_MAX));
    let mut count = 0;
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            count += 1;
            if count > NAME_CHARS_MAX {
                text.push('…');
                return text;
            }
            match c {
                c if c.is_control() => escape(u32::from(c), &mut text),
                // Marks of direction, separators of lines, what has no width.
                '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}' => {
                    escape(u32::from(c), &mut text);
                }
                c => text.push(c),
            }
        }
        chunk.invalid().iter().for_each(|byte| escape(u32::from(*byte), &mut text));
    }
    text
}

fn escape(code: u32, text: &mut String) {
    // Writing to a String does not fail.
    let _ = match code {
        0..0x100 => write!(text, "\\x{code:02x}"),
        _ => write!(text, "\\u{{{code:x}}}"),
    };
}

/// Bytes in Redis' units, as INFO has them.
pub fn bytes(bytes: u64) -> String {
    let units = ["B", "K", "M", "G", "T", "P"];
    let mut value = bytes as f64;
    for unit in units {
        if value < 1000.0 || unit == "P" {
            return match unit {
                "B" => format!("{bytes}B"),
                _ if value < 10.0 => format!("{value:.2}{unit}"),
                _ => format!("{value:.1}{unit}"),
            };
        }
        value /= 1024.0;
    }
    String::new()
}

/// A time in its two largest units.
pub fn time_ms(ms: u64) -> String {
    let (s, m, h, d) = (ms / 1000, ms / 60_000, ms / 3_600_000, ms / 86_400_000);
    match ms {
        0..1000 => format!("{ms}ms"),
        1000..10_000 => format!("{s}.{}s", ms % 1000 / 100),
        10_000..60_000 => format!("{s}s"),
        60_000..3_600_000 => format!("{m}m{:02}s", s % 60),
        3_600_000..86_400_000 => format!("{h}h{:02}m", m % 60),
        _ => format!("{d}d{:02}h", h % 24),
    }
}

/// A short time.
pub fn time_us(us: u64) -> String {
    match us {
        0..1000 => format!("{us}us"),
        1000..10_000 => format!("{}.{}ms", us / 1000, us % 1000 / 100),
        _ => time_ms(us / 1000),
    }
}

/// A rate for people: three digits or more.
pub fn rate(rate: f64) -> String {
    match rate.abs() {
        0.0 => "0".to_owned(),
        0.0..9.95 => format!("{rate:.1}"),
        0.0..99_999.5 => format!("{rate:.0}"),
        0.0..9_999_500.0 => format!("{:.0}k", rate / 1e3),
        _ => format!("{:.0}M", rate / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_controls_the_terminal() {
        assert_eq!(printable(b"jobs:a b"), "jobs:a b");
        assert_eq!(printable("größe 日本".as_bytes()), "größe 日本");
        assert_eq!(printable(b"\x1b[2J\n\x7f\xff"), "\\x1b[2J\\x0a\\x7f\\xff");
        assert_eq!(printable("a\u{9b}b\u{202e}c".as_bytes()), "a\\x9bb\\u{202e}c");
        assert_eq!(printable("ü".repeat(600).as_bytes()).chars().count(), NAME_CHARS_MAX + 1);
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(
            ["0B", "999B", "1.00K", "12.3K", "1.00M"],
            [0, 999, 1024, 12_600, 1 << 20].map(bytes)
        );
        assert_eq!(bytes(u64::MAX), "16384.0P");
        let times = [0, 999, 1500, 12_345, 61_000, 3_661_000, 90_061_000].map(time_ms);
        assert_eq!(times, ["0ms", "999ms", "1.5s", "12s", "1m01s", "1h01m", "1d01h"]);
        assert_eq!([7, 1234, 12_345].map(time_us), ["7us", "1.2ms", "12ms"]);
        let rates = [0.0, 0.25, -3.0, 1234.4, 123_456.0, 2e7].map(rate);
        assert_eq!(rates, ["0", "0.2", "-3.0", "1234", "123k", "20M"]);
    }
}
