//! What is on the screen: lines of text in styles. Knows nothing of queues, and nothing of terminals.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// How a part of a line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    /// As the terminal shows text.
    #[default]
    Plain,
    /// For numbers of the head that matter.
    Bold,
    /// For labels.
    Faint,
    /// For the heads of columns.
    Reverse,
    /// Something to look at.
    Warning,
    /// Something is wrong.
    Error,
}

/// A line: its parts from left to right.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    parts: Vec<(Style, String)>,
}

/// A screen full of lines, each at most as wide as the screen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// The lines from the top; those below are empty.
    pub lines: Vec<Line>,
}

impl Line {
    /// Adds a part.
    pub fn add(&mut self, style: Style, text: impl Into<String>) {
        self.parts.push((style, text.into()));
    }

    /// The parts.
    pub fn parts(&self) -> impl Iterator<Item = (Style, &str)> {
        self.parts.iter().map(|(style, text)| (*style, text.as_str()))
    }

    /// The text without styles.
    #[cfg(test)]
    pub fn text(&self) -> String {
        self.parts.iter().map(|(_, text)| text.as_str()).collect()
    }

    /// Columns of the terminal.
    pub fn width(&self) -> usize {
        self.parts.iter().map(|(_, text)| width(text)).sum()
    }

    /// The line cut off behind `max` columns.
    pub fn clipped(self, max: usize) -> Line {
        let mut left = max;
        let mut line = Line::default();
        for (style, text) in self.parts {
            let text = clipped(&text, left);
            left -= width(&text);
            line.add(style, text);
        }
        line
    }
}

/// Columns of the terminal that a text takes: some characters take two.
pub fn width(text: &str) -> usize {
    text.width()
}

/// The beginning of a text that fits.
pub fn clipped(text: &str, max: usize) -> String {
    let mut left = max;
    text.chars()
        .take_while(|c| {
            let fits = c.width().unwrap_or(0) <= left;
            left -= if fits { c.width().unwrap_or(0) } else { 0 };
            fits
        })
        .collect()
}

/// A text in a column: cut off with a mark, or filled up with spaces behind it.
pub fn left(text: &str, columns: usize) -> String {
    let mut shown = text.to_owned();
    if width(text) > columns {
        shown = clipped(text, columns.saturating_sub(1));
        shown.push('~');
    }
    let missing = columns.saturating_sub(width(&shown));
    shown + &" ".repeat(missing)
}

/// The same with spaces before it.
pub fn right(text: &str, columns: usize) -> String {
    match width(text) {
        width if width > columns => left(text, columns),
        width => " ".repeat(columns - width) + text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_characters_take_two_columns() {
        assert_eq!(left("日本語", 6), "日本語");
        assert_eq!(left("日本語", 5), "日本~");
        assert_eq!(left("日本語", 4), "日~ ");
        assert_eq!(right("日", 4), "  日");
        assert_eq!(right("12345", 4), "123~");
        assert_eq!(left("ab", 0), "~".repeat(0) + "~");
    }

    #[test]
    fn a_line_ends_at_the_edge() {
        let mut line = Line::default();
        line.add(Style::Bold, "ab");
        line.add(Style::Plain, "日c");
        for (max, expected) in [(9, "ab日c"), (4, "ab日"), (3, "ab"), (1, "a"), (0, "")] {
            assert_eq!(line.clone().clipped(max).text(), expected);
        }
        assert_eq!(line.width(), 5);
    }
}
