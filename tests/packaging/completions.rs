//! Completions for shells: words in the place of a file, then directives, with the values of those that
//! have a few.

use std::fmt::Write;
use tidegate::settings::{CALLS, directive_texts};

const HEAD: &str =
    "# Made from the tables in the source by `UPDATE_PACKAGING=1 cargo test --test packaging`.\n";

/// The words of the first argument, each with what follows and what it does.
fn first_words() -> Vec<(&'static str, &'static str, &'static str)> {
    let mut words = Vec::new();
    for (call, explanation) in CALLS {
        match call.split_once(' ') {
            _ if call.starts_with('-') && call.contains("--") && !call.contains("value") => {
                let (_, long) = call.split_once(", ").unwrap_or(("", call));
                let (long, operand) = long.split_once(' ').unwrap_or((long, ""));
                words.push((long, operand, *explanation));
            }
            Some((word, operand)) if word.starts_with(|c: char| c.is_ascii_lowercase()) => {
                words.push((word, operand, *explanation));
            }
            _ => {}
        }
    }
    words
}

/// The first words that a directory or a file follows, with what the shell says for either.
fn words_before_paths(
    directory: &'static str,
    file: &'static str,
) -> impl Iterator<Item = (&'static str, &'static str)> {
    first_words().into_iter().filter_map(move |(word, operand, _)| match operand {
        "DIR" => Some((word, directory)),
        "FILE" => Some((word, file)),
        _ => None,
    })
}

fn short(explanation: &str) -> &str {
    explanation.split([';', '(']).next().unwrap_or(explanation).trim()
}

/// The beginning of an explanation, without quotes and other letters that shells interpret.
fn plain(doc: &str) -> String {
    let first = doc.split([';', ':']).next().unwrap_or(doc).split(". ").next().unwrap_or(doc);
    first.chars().filter(|c| !"`'\"[]*\\$.".contains(*c)).collect()
}

fn takes_file(name: &str) -> bool {
    ["file", "socket", "dir"].iter().any(|end| name.ends_with(end)) || name == "dir"
}

pub fn bash() -> String {
    let mut text = HEAD.to_owned();
    let words: Vec<&str> = first_words().iter().map(|(word, ..)| *word).collect();
    let directives: Vec<String> = directive_texts().map(|d| format!("--{}", d.name)).collect();
    let _ = write!(
        text,
        "_tidegate() {{\n    \
             local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}} values=\n    \
             COMPREPLY=()\n    \
             case $previous in\n"
    );
    for directive in directive_texts().filter(|d| !d.choices.is_empty()) {
        let _ = writeln!(
            text,
            "        --{}) values='{}' ;;",
            directive.name,
            directive.choices.join(" ")
        );
    }
    for (word, kind) in words_before_paths("-d", "-f") {
        let _ = writeln!(
            text,
            "        {word}) mapfile -t COMPREPLY < <(compgen {kind} -- \"$current\"); return ;;"
        );
    }
    for directive in directive_texts().filter(|d| takes_file(d.name)) {
        let _ = writeln!(
            text,
            "        --{}) mapfile -t COMPREPLY < <(compgen -f -- \"$current\"); return ;;",
            directive.name
        );
    }
    let _ = write!(
        text,
        "    esac\n    \
         if [[ -n $values ]]; then\n        \
             mapfile -t COMPREPLY < <(compgen -W \"$values\" -- \"$current\")\n        return\n    fi\n    \
         if ((COMP_CWORD == 1)); then\n        \
             mapfile -t COMPREPLY < <(compgen -W '{}' -- \"$current\"; compgen -f -- \"$current\")\n    fi\n    \
         if [[ $current == -* ]]; then\n        \
             mapfile -t -O ${{#COMPREPLY[@]}} COMPREPLY < <(compgen -W '\n{}' -- \"$current\")\n    fi\n}}\n\
         complete -o filenames -F _tidegate tidegate\n",
        words.join(" "),
        directives.iter().fold(String::new(), |all, one| all + "            " + one + "\n"),
    );
    text
}

pub fn zsh() -> String {
    let mut text =
        format!("#compdef tidegate\n{HEAD}\n_tidegate() {{\n    local -a calls directives\n");
    text.push_str("    calls=(\n");
    for (word, _, explanation) in first_words() {
        let _ = writeln!(text, "        '{word}:{}'", plain(short(explanation)));
    }
    text.push_str("    )\n    directives=(\n");
    for directive in directive_texts() {
        let _ = writeln!(text, "        '--{}:{}'", directive.name, plain(directive.doc));
    }
    text.push_str("    )\n    case ${words[CURRENT-1]} in\n");
    for (word, action) in words_before_paths("_files -/", "_files") {
        let _ = writeln!(text, "        {word}) {action}; return ;;");
    }
    for directive in directive_texts() {
        let action = match directive.choices {
            [] if takes_file(directive.name) => "_files".to_owned(),
            [] => continue,
            choices => format!("compadd -- {}", choices.join(" ")),
        };
        let _ = writeln!(text, "        --{}) {action}; return ;;", directive.name);
    }
    text.push_str(
        "    esac\n    if ((CURRENT == 2)); then\n        \
             _describe -t calls 'what to do' calls\n        _files\n    fi\n    \
         _describe -t directives 'directive' directives\n}\n\n_tidegate \"$@\"\n",
    );
    text
}

pub fn fish() -> String {
    let mut text = HEAD.to_owned();
    for (word, operand, explanation) in first_words() {
        let explanation = plain(short(explanation));
        let _ = match word.strip_prefix("--") {
            Some(option) => writeln!(
                text,
                "complete -c tidegate -n __fish_is_first_arg -l {option}{} -d '{explanation}'",
                if operand == "FILE" { " -r" } else { "" }
            ),
            None => writeln!(
                text,
                "complete -c tidegate -n __fish_is_first_arg -a {word} -d '{explanation}'"
            ),
        };
        if operand == "DIR" {
            let _ = writeln!(
                text,
                "complete -c tidegate -n '__fish_seen_subcommand_from {word}' -x -a '(__fish_complete_directories)'"
            );
        }
    }
    for directive in directive_texts() {
        let values = match directive.choices {
            [] if takes_file(directive.name) => "-r".to_owned(),
            [] => "-x".to_owned(),
            choices => format!("-x -a '{}'", choices.join(" ")),
        };
        let _ = writeln!(
            text,
            "complete -c tidegate -l {} {values} -d '{}'",
            directive.name,
            plain(directive.doc)
        );
    }
    text
}
