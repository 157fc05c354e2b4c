//! README's tables are those of the code. `UPDATE_README=1 cargo test --test readme` writes them.

use std::fs;
use std::path::Path;

/// Puts `table` between the comments that begin with `<!-- name:` and `<!-- /name -->`.
fn with_table(text: &str, name: &str, table: &str) -> String {
    let begin = text.find(&format!("<!-- {name}:")).expect("the comment before the table");
    let begin = begin + text[begin..].find("-->").expect("the comment's end") + "-->".len();
    let end = text.find(&format!("<!-- /{name} -->")).expect("the comment after the table");
    format!("{}\n\n{}\n{}", &text[..begin], table, &text[end..])
}

#[test]
fn tables_are_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = fs::read_to_string(&path).expect("README.md");
    let expected = with_table(&text, "settings", &tidegate::settings::markdown_table());
    let expected = with_table(&expected, "commands", &tidegate::commands_markdown());
    if std::env::var_os("UPDATE_README").is_some() {
        fs::write(&path, &expected).expect("README.md can be written");
        return;
    }
    let hint = "README's tables are old: UPDATE_README=1 cargo test --test readme";
    assert!(text == expected, "{hint}");
}
