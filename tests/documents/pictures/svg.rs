//! A picture in SVG that is readable on light and dark pages: it has a background of its own, and colours
//! for both.

use std::fmt::Write;

pub const WIDTH: f64 = 800.0;
/// Between the border and what is inside.
pub const MARGIN: f64 = 24.0;

/// The look of a text.
#[derive(Clone, Copy)]
pub struct Font {
    class: &'static str,
    size: f64,
    is_bold: bool,
}

pub const TITLE: Font = Font { class: "title", size: 16.0, is_bold: true };
pub const HEADING: Font = Font { class: "heading", size: 13.0, is_bold: true };
pub const LABEL: Font = Font { class: "label", size: 12.5, is_bold: false };
/// Values beside bars.
pub const VALUE: Font = Font { class: "value", size: 11.0, is_bold: false };
pub const STRONG: Font = Font { class: "strong", size: 11.0, is_bold: true };
/// Values inside our bars.
pub const INSIDE: Font = Font { class: "inside", size: 11.0, is_bold: true };
/// Explanations, and the numbers of axes.
pub const NOTE: Font = Font { class: "note", size: 11.5, is_bold: false };

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    Start,
    Middle,
    End,
}

/// Colours of shapes and texts: a class, and its declarations on light and on dark pages.
const COLOURS: &[(&str, &str, &str)] = &[
    (".card", "fill:#fff;stroke:#d1d9e0", "fill:#0d1117;stroke:#3d444d"),
    ("text", "fill:#1f2328", "fill:#f0f6fc"),
    (".note", "fill:#59636e", "fill:#9198a1"),
    (".inside", "fill:#fff", "fill:#04141a"),
    (".grid", "stroke:#e4e8ec", "stroke:#252b33"),
    (".axis", "stroke:#818b98", "stroke:#656c76"),
    (".mark", "stroke:#1f2328", "stroke:#f0f6fc"),
    // A line across a bar.
    (".cut", "stroke:#fff", "stroke:#0d1117"),
    (".ours", "fill:#0a6f85", "fill:#3db4cb"),
    (".newer", "fill:#8f99a5", "fill:#7a838e"),
    (".older", "fill:#c5ccd4", "fill:#485059"),
    (".light", "fill:#9ecfd9", "fill:#1f6473"),
    (".warm", "fill:#dd8452", "fill:#d98a58"),
    (".pale", "fill:#d5dae0", "fill:#3b424b"),
];

const SHARED_STYLE: &str = "text{font-family:-apple-system,BlinkMacSystemFont,'Segoe UI','Noto Sans',\
    Helvetica,Arial,sans-serif}.grid,.axis{stroke-width:1}.mark,.cut{stroke-width:2}\
    text{font-variant-numeric:tabular-nums}.dashed{stroke-dasharray:4 3;stroke-width:1.5}";

/// The size of a sample of a colour, and from its left side to its name.
const SAMPLE: f64 = 12.0;
const SAMPLE_STEP: f64 = 18.0;
const ENTRY_GAP: f64 = 18.0;

fn entry_width(name: &str) -> f64 {
    SAMPLE_STEP + width_of(LABEL, name) + ENTRY_GAP
}

pub struct Picture {
    height: f64,
    title: String,
    description: String,
    body: String,
    texts: Vec<TextBox>,
}

/// The place of a text, from an estimate of its width that is rather too large.
struct TextBox {
    text: String,
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

impl Picture {
    /// An empty picture, with what a screen reader says.
    pub fn new(height: f64, title: &str, description: &str) -> Picture {
        let (title, description) = (escaped(title), escaped(description));
        Picture { height, title, description, body: String::new(), texts: Vec::new() }
    }

    pub fn rect(&mut self, class: &str, [x, y]: [f64; 2], [width, height]: [f64; 2]) {
        let [x, y, width, height] = [x, y, width, height].map(short);
        let shape = format!("x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"");
        writeln!(self.body, "<rect class=\"{class}\" {shape}/>").expect("a string");
    }

    pub fn line(&mut self, class: &str, [x1, y1]: [f64; 2], [x2, y2]: [f64; 2]) {
        let [x1, y1, x2, y2] = [x1, y1, x2, y2].map(short);
        let ends = format!("x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\"");
        writeln!(self.body, "<line class=\"{class}\" {ends}/>").expect("a string");
    }

    /// A closed shape.
    pub fn area(&mut self, class: &str, points: &[[f64; 2]]) {
        let points = points.iter().map(|[x, y]| format!("{},{}", short(*x), short(*y)));
        let points = points.collect::<Vec<_>>().join(" ");
        writeln!(self.body, "<polygon class=\"{class}\" points=\"{points}\"/>").expect("a string");
    }

    /// A text whose base line begins, ends or has its middle here.
    pub fn text(&mut self, font: Font, [x, y]: [f64; 2], anchor: Anchor, text: &str) {
        self.texts.push(TextBox::new(font, [x, y], anchor, text));
        let anchor = match anchor {
            Anchor::Start => "",
            Anchor::Middle => " text-anchor=\"middle\"",
            Anchor::End => " text-anchor=\"end\"",
        };
        let (x, y) = (short(x), short(y));
        let class = font.class;
        let text = escaped(text);
        writeln!(self.body, "<text class=\"{class}\" x=\"{x}\" y=\"{y}\"{anchor}>{text}</text>")
            .expect("a string");
    }

    /// Samples of colours with their names, one after the other; returns where the next one would be.
    pub fn legend(&mut self, [mut x, y]: [f64; 2], entries: &[(&str, &str)]) -> f64 {
        for (class, name) in entries {
            self.rect(class, [x, y - 10.0], [SAMPLE, SAMPLE]);
            self.text(LABEL, [x + SAMPLE_STEP, y], Anchor::Start, name);
            x += entry_width(name);
        }
        x
    }

    /// The same, ending here.
    pub fn legend_until(&mut self, [right, y]: [f64; 2], entries: &[(&str, &str)]) {
        let width: f64 = entries.iter().map(|(_, name)| entry_width(name)).sum();
        self.legend([right - width + ENTRY_GAP, y], entries);
    }

    /// The file. Panics if texts overlap, or leave the picture: new figures may need another layout.
    pub fn to_svg(&self) -> String {
        self.check_texts();
        let (height, title, description) = (short(self.height), &self.title, &self.description);
        let card = format!(
            "<rect class=\"card\" x=\"0.5\" y=\"0.5\" width=\"{}\" height=\"{}\" rx=\"6\"/>",
            short(WIDTH - 1.0),
            short(self.height - 1.0)
        );
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
             viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-labelledby=\"title description\">\n\
             <title id=\"title\">{title}</title>\n\
             <desc id=\"description\">{description}</desc>\n\
             <style>{}</style>\n{card}\n{}</svg>\n",
            style(),
            self.body
        )
    }

    fn check_texts(&self) {
        for (at, one) in self.texts.iter().enumerate() {
            let is_inside = one.left >= 0.0 && one.right <= WIDTH && one.bottom <= self.height;
            assert!(is_inside, "'{}' leaves the picture", one.text);
            for other in &self.texts[..at] {
                assert!(!one.overlaps(other), "'{}' overlaps '{}'", one.text, other.text);
            }
        }
    }
}

impl TextBox {
    fn new(font: Font, [x, y]: [f64; 2], anchor: Anchor, text: &str) -> TextBox {
        let width = width_of(font, text);
        let left = match anchor {
            Anchor::Start => x,
            Anchor::Middle => x - width / 2.0,
            Anchor::End => x - width,
        };
        let (top, bottom) = (y - font.size * 0.75, y + font.size * 0.22);
        TextBox { text: text.to_owned(), left, right: left + width, top, bottom }
    }

    fn overlaps(&self, other: &TextBox) -> bool {
        self.left < other.right
            && other.left < self.right
            && self.top < other.bottom
            && other.top < self.bottom
    }
}

/// About as wide as in the wider ones of the usual fonts.
pub fn width_of(font: Font, text: &str) -> f64 {
    let ems = |c: char| match c {
        ' ' | '.' | ',' | ':' | ';' | '(' | ')' | '\'' | 'i' | 'j' | 'l' | 't' | 'f' => 0.32,
        'r' | '-' => 0.4,
        'm' | 'w' | 'A'..='Z' => 0.75,
        '0'..='9' | '×' => 0.6,
        _ => 0.56,
    };
    text.chars().map(ems).sum::<f64>() * font.size * if font.is_bold { 1.06 } else { 1.0 }
}

/// The style sheet: sizes, and colours for both kinds of pages.
fn style() -> String {
    let mut style = SHARED_STYLE.to_owned();
    for Font { class, size, is_bold } in [TITLE, HEADING, LABEL, VALUE, STRONG, INSIDE, NOTE] {
        let weight = if is_bold { ";font-weight:600" } else { "" };
        write!(style, ".{class}{{font-size:{size}px{weight}}}").expect("a string");
    }
    for (class, light, _) in COLOURS {
        write!(style, "{class}{{{light}}}").expect("a string");
    }
    style += "@media(prefers-color-scheme:dark){";
    for (class, _, dark) in COLOURS {
        write!(style, "{class}{{{dark}}}").expect("a string");
    }
    style + "}"
}

/// A coordinate, to a tenth of a pixel.
fn short(number: f64) -> String {
    let text = format!("{number:.1}");
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
