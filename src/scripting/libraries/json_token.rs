//! The tokens of JSON, and of the numbers that `cjson` accepts besides.

/// A token.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    ObjectBegin,
    ObjectEnd,
    ArrayBegin,
    ArrayEnd,
    String(Vec<u8>),
    Number(f64),
    Boolean(bool),
    Null,
    Colon,
    Comma,
    End,
    /// What is wrong.
    Error(&'static str),
}

impl Token {
    /// Its name in errors.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Token::ObjectBegin => "T_OBJ_BEGIN",
            Token::ObjectEnd => "T_OBJ_END",
            Token::ArrayBegin => "T_ARR_BEGIN",
            Token::ArrayEnd => "T_ARR_END",
            Token::String(_) => "T_STRING",
            Token::Number(_) => "T_NUMBER",
            Token::Boolean(_) => "T_BOOLEAN",
            Token::Null => "T_NULL",
            Token::Colon => "T_COLON",
            Token::Comma => "T_COMMA",
            Token::End => "T_END",
            Token::Error(reason) => reason,
        }
    }
}

/// Finds tokens one after another.
pub(super) struct Tokens<'a> {
    text: &'a [u8],
    /// Behind the last token.
    pub(super) at: usize,
    /// Where the last token begins, or what is wrong with it.
    pub(super) token_at: usize,
    accepts_invalid_numbers: bool,
}

impl<'a> Tokens<'a> {
    pub(super) fn new(text: &'a [u8], accepts_invalid_numbers: bool) -> Tokens<'a> {
        Tokens { text, at: 0, token_at: 0, accepts_invalid_numbers }
    }

    fn rest(&self) -> &'a [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Takes the next token.
    pub(super) fn next(&mut self) -> Token {
        let spaces = self.rest().iter().take_while(|byte| b" \t\n\r".contains(byte));
        self.at += spaces.count();
        self.token_at = self.at;
        let Some(first) = self.rest().first() else { return Token::End };
        let single = match first {
            b'{' => Token::ObjectBegin,
            b'}' => Token::ObjectEnd,
            b'[' => Token::ArrayBegin,
            b']' => Token::ArrayEnd,
            b':' => Token::Colon,
            b',' => Token::Comma,
            b'"' => return self.string(),
            b'-' | b'0'..=b'9' => {
                if !self.accepts_invalid_numbers && is_invalid_number(self.rest()) {
                    return Token::Error("invalid number");
                }
                return self.number();
            }
            _ => return self.word(),
        };
        self.at += 1;
        single
    }

    fn word(&mut self) -> Token {
        let rest = self.rest();
        let words: [(&[u8], Token); 3] = [
            (b"true", Token::Boolean(true)),
            (b"false", Token::Boolean(false)),
            (b"null", Token::Null),
        ];
        for (word, token) in words {
            if rest.starts_with(word) {
                self.at += word.len();
                return token;
            }
        }
        if self.accepts_invalid_numbers && is_invalid_number(rest) {
            return self.number();
        }
        Token::Error("invalid token")
    }

    fn number(&mut self) -> Token {
        match parse_number(self.rest()) {
            Some((number, len)) => {
                self.at += len;
                Token::Number(number)
            }
            None => Token::Error("invalid number"),
        }
    }

    fn string(&mut self) -> Token {
        self.at += 1;
        let mut content = Vec::new();
        loop {
            let rest = self.rest();
            let Some(len) = rest.iter().position(|byte| matches!(byte, b'"' | b'\\')) else {
                self.token_at = self.text.len();
                return Token::Error("unexpected end of string");
            };
            content.extend_from_slice(rest.get(..len).unwrap_or_default());
            self.at += len;
            if self.rest().first() == Some(&b'"') {
                self.at += 1;
                return Token::String(content);
            }
            if let Err(reason) = self.escape(&mut content) {
                self.token_at = self.at;
                return Token::Error(reason);
            }
        }
    }

    /// Takes an escape, which begins with a backslash.
    fn escape(&mut self, content: &mut Vec<u8>) -> Result<(), &'static str> {
        let rest = self.rest();
        let byte = match rest.get(1) {
            Some(byte @ (b'"' | b'\\' | b'/')) => *byte,
            Some(b'b') => b'\x08',
            Some(b'f') => b'\x0c',
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'u') => {
                let (character, len) = unicode(rest).ok_or("invalid unicode escape code")?;
                let mut utf8 = [0; 4];
                content.extend_from_slice(character.encode_utf8(&mut utf8).as_bytes());
                self.at += len;
                return Ok(());
            }
            _ => return Err("invalid escape code"),
        };
        content.push(byte);
        self.at += 2;
        Ok(())
    }
}

/// The character that one escape or a pair of them stands for, and their length.
fn unicode(rest: &[u8]) -> Option<(char, usize)> {
    let first = code_unit(rest)?;
    if let Some(character) = char::from_u32(first) {
        return Some((character, 6));
    }
    let second = code_unit(rest.get(6..)?)?;
    if !(0xd800..0xdc00).contains(&first) || !(0xdc00..0xe000).contains(&second) {
        return None;
    }
    let code = 0x1_0000 + ((first & 0x3ff) << 10) + (second & 0x3ff);
    Some((char::from_u32(code)?, 12))
}

/// The number in `\uXXXX`.
fn code_unit(rest: &[u8]) -> Option<u32> {
    let digits = rest.strip_prefix(b"\\u")?.get(..4)?;
    digits.iter().try_fold(0, |code, digit| Some(code * 16 + char::from(*digit).to_digit(16)?))
}

/// Whether this begins like a number that JSON does not have: hexadecimal, with a zero or a plus in front,
/// infinite, or none.
fn is_invalid_number(rest: &[u8]) -> bool {
    if rest.first() == Some(&b'+') {
        return true;
    }
    let rest = rest.strip_prefix(b"-").unwrap_or(rest);
    match rest {
        [b'0', b'x' | b'X' | b'0'..=b'9', ..] => true,
        [b'0'..=b'9', ..] => false,
        [first, second, third, ..] => {
            let word = [*first, *second, *third];
            word.eq_ignore_ascii_case(b"inf") || word.eq_ignore_ascii_case(b"nan")
        }
        _ => false,
    }
}

/// The longest number at the beginning, as C's `strtod` finds it, and its length.
fn parse_number(rest: &[u8]) -> Option<(f64, usize)> {
    let sign_len = usize::from(matches!(rest.first(), Some(b'+' | b'-')));
    let sign = if rest.first() == Some(&b'-') { -1.0 } else { 1.0 };
    let behind = rest.get(sign_len..)?;
    let has_word =
        |word: &[u8]| behind.get(..word.len()).is_some_and(|own| own.eq_ignore_ascii_case(word));
    if has_word(b"infinity") {
        return Some((sign * f64::INFINITY, sign_len + 8));
    }
    if has_word(b"inf") {
        return Some((sign * f64::INFINITY, sign_len + 3));
    }
    if has_word(b"nan") {
        return Some((f64::NAN, sign_len + 3));
    }
    if has_word(b"0x") {
        let digits = behind.get(2..)?.iter().map_while(|digit| char::from(*digit).to_digit(16));
        let (number, len) = digits
            .fold((0.0, 0), |(number, len), digit| (number * 16.0 + f64::from(digit), len + 1));
        if len > 0 {
            return Some((sign * number, sign_len + 2 + len));
        }
        return Some((0.0, sign_len + 1));
    }
    let len = decimal_len(behind)?;
    let text = std::str::from_utf8(behind.get(..len)?).ok()?;
    Some((sign * text.parse::<f64>().ok()?, sign_len + len))
}

/// The length of digits, perhaps with a point and an exponent; none without a digit.
fn decimal_len(text: &[u8]) -> Option<usize> {
    let digits = |from: usize| {
        text.get(from..).unwrap_or_default().iter().take_while(|byte| byte.is_ascii_digit()).count()
    };
    let whole = digits(0);
    let mut len = whole;
    if text.get(len) == Some(&b'.') {
        let decimals = digits(len + 1);
        if whole + decimals == 0 {
            return None;
        }
        len += 1 + decimals;
    }
    if len == 0 {
        return None;
    }
    if matches!(text.get(len), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(text.get(len + 1), Some(b'+' | b'-')));
        let exponent = digits(len + 1 + sign);
        if exponent > 0 {
            len += 1 + sign + exponent;
        }
    }
    Some(len)
}
