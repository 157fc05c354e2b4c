//! Passwords in requests: neither MONITOR, SLOWLOG nor the log may show them.

use crate::engine::Command;
use crate::resp::{OwnedRequest, Request};

const HIDDEN: &[u8] = b"(redacted)";

/// The request with its passwords hidden, as Redis hides them; none if it has none.
pub(super) fn hide(command: &Command, request: &Request<'_>) -> Option<OwnedRequest> {
    let hidden = (command.secrets?)(request);
    if hidden.is_empty() {
        return None;
    }
    let args = request.args().enumerate();
    let shown = args.map(|(index, arg)| if hidden.contains(&index) { HIDDEN } else { arg });
    Some(OwnedRequest::from_args(shown))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::table;

    fn hidden(line: &str) -> Option<String> {
        let args = || line.split(' ').map(str::as_bytes);
        let request = OwnedRequest::from_args(args());
        let request = request.as_request();
        let table = table();
        let found = table.find(request.name()).expect("a row of this name");
        let subcommand = request.get(1).and_then(|name| table.find_subcommand(found, name));
        let found = subcommand.unwrap_or(found);
        let hidden = hide(found.command, &request)?;
        let words: Vec<_> = hidden.as_request().args().map(String::from_utf8_lossy).collect();
        Some(words.join(" "))
    }

    #[test]
    fn passwords_are_hidden_and_nothing_else() {
        let shown = |line: &str| hidden(line).unwrap_or_default();
        assert_eq!(shown("AUTH p"), "AUTH (redacted)");
        assert_eq!(shown("AUTH default p"), "AUTH (redacted) (redacted)");
        assert_eq!(
            shown("HELLO 3 SETNAME auth AUTH default p SETNAME x"),
            "HELLO 3 SETNAME auth AUTH (redacted) (redacted) SETNAME x"
        );
        for name in crate::settings::secret_names() {
            let line = format!("config set {name} p");
            assert_eq!(shown(&line), format!("config set {name} (redacted)"));
            let name = name.to_uppercase();
            let line = format!("CONFIG SET PORT 1 {name} p MAXCLIENTS 9");
            let expected = format!("CONFIG SET PORT 1 {name} (redacted) MAXCLIENTS 9");
            assert_eq!(shown(&line), expected);
        }
        assert_eq!(hidden("HELLO 3 SETNAME me"), None);
        assert_eq!(hidden("PING p"), None);
        assert_eq!(hidden("CONFIG SET maxclients requirepass"), None);
    }
}
