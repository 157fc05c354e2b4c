//! The first line of scripts and libraries, which states their properties.

use crate::library::ScriptFlags;

/// The first line of a text that begins with `#!`, and the rest from its end on. The rest keeps the line end, so
/// that lines keep their numbers.
fn split_first_line(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr::memchr(b'\n', text)?;
    text.split_at_checked(end)
}

/// The flags in the first line of a script, and the code behind it.
///
/// # Errors
/// The error reply.
pub(crate) fn of_script(text: &[u8]) -> Result<(Option<ScriptFlags>, &[u8]), Vec<u8>> {
    if !text.starts_with(b"#!") {
        return Ok((None, text));
    }
    let Some((line, code)) = split_first_line(text) else {
        return Err(b"ERR Invalid script shebang".to_vec());
    };
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let engine = words.next().unwrap_or_default();
    if engine != b"#!lua" {
        return Err([b"ERR Unexpected engine in script shebang: ", engine].concat());
    }
    let mut flags = ScriptFlags::default();
    for word in words {
        let Some(names) = word.strip_prefix(b"flags=") else {
            return Err([b"ERR Unknown lua shebang option: ", word].concat());
        };
        for name in names.split(|byte| *byte == b',').filter(|name| !name.is_empty()) {
            let Some(flag) = ScriptFlags::named(name) else {
                return Err([b"ERR Unexpected flag in script shebang: ", name].concat());
            };
            flags = flags.with(flag);
        }
    }
    Ok((Some(flags), code))
}

/// The name of the library in the first line of its text, and the code behind it.
///
/// # Errors
/// The error reply.
pub(crate) fn of_library(text: &[u8]) -> Result<(&[u8], &[u8]), Vec<u8>> {
    if !text.starts_with(b"#!") {
        return Err(b"ERR Missing library metadata".to_vec());
    }
    let Some((line, code)) = split_first_line(text) else {
        return Err(b"ERR Invalid library metadata".to_vec());
    };
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let engine = words.next().unwrap_or_default().strip_prefix(b"#!").unwrap_or_default();
    let mut name = None;
    for word in words {
        let Some(value) = word.strip_prefix(b"name=") else {
            return Err([b"ERR Invalid metadata value given: ", word].concat());
        };
        if name.replace(value).is_some() {
            let twice = "ERR Invalid metadata value, name argument was given multiple times";
            return Err(twice.into());
        }
    }
    let Some(name) = name else {
        return Err(b"ERR Library name was not given".to_vec());
    };
    if !is_name(name) {
        return Err(invalid_name("Library"));
    }
    if !engine.eq_ignore_ascii_case(b"lua") {
        return Err([b"ERR Engine '", engine, b"' not found"].concat());
    }
    Ok((name, code))
}

/// Whether this can be the name of a library or a function.
pub(super) fn is_name(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// The error of a name that cannot be one, of a library or function.
pub(super) fn invalid_name(what: &str) -> Vec<u8> {
    format!(
        "ERR {what} names can only contain letters, numbers, or underscores(_) and must be at \
         least one character long"
    )
    .into_bytes()
}
