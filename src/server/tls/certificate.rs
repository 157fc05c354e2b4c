//! What a certificate says, as far as needed here. The library checks certificates; this only reads
//! two fields that it keeps to itself.

use super::der::{
    Der, FIELD_0, GENERALIZED_TIME, IA5_STRING, INTEGER, OBJECT_ID, PRINTABLE_STRING, SEQUENCE,
    SET, UTC_TIME, UTF8_STRING,
};

/// The object identifier of a common name, 2.5.4.3.
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];

/// The fields of a certificate in DER: RFC 5280, section 4.1.
struct Fields<'a> {
    validity: Der<'a>,
    subject: Der<'a>,
}

fn fields(certificate: &[u8]) -> Option<Fields<'_>> {
    let mut signed = Der::new(certificate).inside(SEQUENCE)?.inside(SEQUENCE)?;
    if signed.tag() == Some(FIELD_0) {
        signed.value()?;
    }
    signed.content(INTEGER)?;
    let [_algorithm, _issuer] = [signed.content(SEQUENCE)?, signed.content(SEQUENCE)?];
    Some(Fields { validity: signed.inside(SEQUENCE)?, subject: signed.inside(SEQUENCE)? })
}

/// The first common name of the subject, if it is text without control characters: it is shown in
/// logs.
pub(super) fn common_name(certificate: &[u8]) -> Option<&str> {
    let mut subject = fields(certificate)?.subject;
    while let Some(mut set) = subject.inside(SET) {
        while let Some(mut attribute) = set.inside(SEQUENCE) {
            if attribute.content(OBJECT_ID) != Some(COMMON_NAME) {
                continue;
            }
            let (tag, text) = attribute.value()?;
            let is_text = [UTF8_STRING, PRINTABLE_STRING, IA5_STRING].contains(&tag);
            let text = str::from_utf8(text).ok().filter(|_| is_text)?;
            return (!text.is_empty() && !text.contains(char::is_control)).then_some(text);
        }
    }
    None
}

/// Until when the certificate is valid, in seconds since 1970.
pub(super) fn valid_until_s(certificate: &[u8]) -> Option<i64> {
    let mut validity = fields(certificate)?.validity;
    let _from = validity.value()?;
    let (tag, text) = validity.value()?;
    let (year, rest) = match tag {
        UTC_TIME => {
            let (digits, rest) = text.split_at_checked(2)?;
            let year = number(digits)?;
            // RFC 5280: two digits are a year from 1950 to 2049.
            (if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        GENERALIZED_TIME => {
            let (digits, rest) = text.split_at_checked(4)?;
            (number(digits)?, rest)
        }
        _ => return None,
    };
    let parts: Vec<i64> = rest.strip_suffix(b"Z")?.chunks(2).map(number).collect::<Option<_>>()?;
    let [month, day, hour, minute, second] = parts[..] else { return None };
    Some(days_since_1970(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second)
}

fn number(digits: &[u8]) -> Option<i64> {
    let is_number = digits.iter().all(u8::is_ascii_digit);
    is_number.then(|| digits.iter().fold(0, |sum, &digit| sum * 10 + i64::from(digit - b'0')))
}

/// Days of the Gregorian calendar. A year is counted from March, so that the day of a leap year is its
/// last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year / 4 - year / 100 + year / 400;
    year * 365 + leap_days + (month * 153 + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, DnType, KeyPair, date_time_ymd};

    fn certificate(change: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
        let mut params = CertificateParams::new(["localhost".to_owned()]).expect("a name");
        change(&mut params);
        let key = KeyPair::generate().expect("a key");
        params.self_signed(&key).expect("a certificate").der().to_vec()
    }

    #[test]
    fn the_name_and_the_end_are_read() {
        for (year, month, day, end_s) in [
            (2024, 2, 29, 1_709_164_800),
            (2049, 12, 31, 2_524_521_600),
            (2050, 1, 1, 2_524_608_000),
            (2100, 3, 1, 4_107_542_400),
        ] {
            let bytes = certificate(|params| {
                params.not_after = date_time_ymd(year, month, day);
                params.distinguished_name.push(DnType::OrganizationName, "An organization");
                params.distinguished_name.push(DnType::CommonName, "worker ü");
            });
            assert_eq!(common_name(&bytes), Some("worker ü"));
            assert_eq!(valid_until_s(&bytes), Some(end_s), "{year}-{month}-{day}");
        }
    }

    #[test]
    fn a_name_for_the_log_has_one_line() {
        let with_name = |name: &'static str| {
            certificate(|p| p.distinguished_name.push(DnType::CommonName, name))
        };
        assert_eq!(common_name(&with_name("a\nb")), None);
        assert_eq!(common_name(&with_name("")), None);
    }

    #[test]
    fn any_part_of_a_certificate_is_an_answer_and_never_a_panic() {
        let bytes = certificate(|params| params.distinguished_name.push(DnType::CommonName, "a"));
        for end in 0..bytes.len() {
            assert_eq!(common_name(&bytes[..end]), None);
            assert_eq!(valid_until_s(&bytes[..end]), None);
            let mut damaged = bytes.clone();
            damaged[end] ^= 0x5a;
            let _ = (common_name(&damaged), valid_until_s(&damaged));
        }
    }
}
