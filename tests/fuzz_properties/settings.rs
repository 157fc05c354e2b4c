//! Any file is either refused, or means the same after CONFIG REWRITE.

use tidegate::resp::split_quoted;
use tidegate::settings::Settings;

pub fn check(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if text.lines().any(reads_a_file) {
        return;
    }
    match Settings::from_text(&text, "fuzz.conf") {
        Ok(settings) => {
            reads_back(&settings, &text);
            reads_back(&settings, "");
        }
        Err(error) => {
            assert!(!error.reason.is_empty());
            assert!(error.line.is_some_and(|line| 0 < line && line <= text.lines().count()));
        }
    }
}

/// Whether a line names another file, which a fuzzer must not choose.
fn reads_a_file(line: &str) -> bool {
    let mut words = Vec::new();
    // The words before an unbalanced quote are passed on as well.
    let _ = split_quoted(line.trim().as_bytes(), |word| words.push(word.to_ascii_lowercase()));
    words.first().is_some_and(|name| name.starts_with(b"include"))
}

fn reads_back(settings: &Settings, old_text: &str) {
    let text = settings.rewritten(old_text);
    let again = match Settings::from_text(&text, "rewritten.conf") {
        Ok(again) => again,
        Err(error) => panic!("{error}\n{text}"),
    };
    assert_eq!(shown(&again), shown(settings), "{text}");
    assert_eq!(again.bind, settings.bind, "{text}");
    // Each rewrite removes one carriage return from the end of a line.
    if !text.contains('\r') {
        assert_eq!(again.rewritten(&text), text, "a second rewrite changes nothing");
    }
}

/// All directives as shown by CONFIG GET.
fn shown(settings: &Settings) -> Vec<(String, String)> {
    settings.get(&[b"*"], |_, _| true)
}
