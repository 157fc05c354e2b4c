//! The terminal: a screen of our own, and the state before when we leave, also after a panic.

use super::frame::{Frame, Style};
use rustix::termios::{self, OptionalActions, Termios};
use std::io::{self, Stdout, Write};
use std::panic;
use std::thread;

/// The alternate screen, without a cursor and without line wrapping.
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J";
/// Back to the state before, in plain text.
const LEAVE: &str = "\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l";

/// The terminal of this process while it shows our screen. Dropping it restores the terminal.
pub struct Terminal {
    saved: Termios,
    out: Stdout,
    shown: Frame,
    has_colours: bool,
    is_open: bool,
}

impl Terminal {
    /// Whether standard input and output are a terminal.
    pub fn is_there() -> bool {
        termios::isatty(io::stdin()) && termios::isatty(io::stdout())
    }

    /// Takes over the terminal. From here on a panic restores it first.
    ///
    /// # Errors
    /// Standard input or output is no terminal, or is closed.
    pub fn open(has_colours: bool) -> io::Result<Terminal> {
        let saved = termios::tcgetattr(io::stdin())?;
        let for_panic = saved.clone();
        let hook = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            // Nothing can be done about an error; the message is still worth a try.
            let _ = restore(&for_panic);
            hook(info);
        }));
        let (out, shown) = (io::stdout(), Frame::default());
        let mut terminal = Terminal { saved, out, shown, has_colours, is_open: false };
        terminal.enter()?;
        Ok(terminal)
    }

    /// Takes over the terminal again after [`leave`](Terminal::leave).
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn enter(&mut self) -> io::Result<()> {
        let mut raw = self.saved.clone();
        raw.make_raw();
        self.is_open = true;
        termios::tcsetattr(io::stdin(), OptionalActions::Now, &raw)?;
        self.shown = Frame::default();
        self.out.write_all(ENTER.as_bytes())?;
        self.out.flush()
    }

    /// Restores the terminal.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn leave(&mut self) -> io::Result<()> {
        self.is_open = false;
        restore(&self.saved)
    }

    /// Columns and lines.
    pub fn size(&self) -> (usize, usize) {
        match termios::tcgetwinsize(io::stdout()) {
            Ok(size) if size.ws_col > 0 && size.ws_row > 0 => {
                (size.ws_col.into(), size.ws_row.into())
            }
            _ => (80, 24),
        }
    }

    /// Draws everything again at the next [`show`](Terminal::show).
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn clear(&mut self) -> io::Result<()> {
        self.shown = Frame::default();
        self.out.write_all(b"\x1b[2J")
    }

    /// Shows a frame. Only lines that have changed are written.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn show(&mut self, frame: Frame) -> io::Result<()> {
        let mut text = String::new();
        let count = frame.lines.len().max(self.shown.lines.len());
        for at in 0..count {
            let line = frame.lines.get(at);
            if line.is_some() && line == self.shown.lines.get(at) {
                continue;
            }
            text.push_str(&format!("\x1b[{};1H\x1b[0m\x1b[K", at + 1));
            for (style, part) in line.into_iter().flat_map(|line| line.parts()) {
                text.push_str(self.code(style));
                text.push_str(part);
            }
        }
        self.shown = frame;
        self.out.write_all(text.as_bytes())?;
        self.out.flush()
    }

    fn code(&self, style: Style) -> &'static str {
        match (style, self.has_colours) {
            (Style::Plain, _) => "\x1b[0m",
            (Style::Bold, _) => "\x1b[0;1m",
            (Style::Faint, _) => "\x1b[0;2m",
            (Style::Reverse, _) => "\x1b[0;7m",
            (Style::Warning, true) => "\x1b[0;33m",
            (Style::Error, true) => "\x1b[0;1;31m",
            (Style::Warning | Style::Error, false) => "\x1b[0;1m",
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // A panic has restored it before its message.
        if self.is_open && !thread::panicking() {
            // The terminal may be gone.
            let _ = self.leave();
        }
    }
}

fn restore(saved: &Termios) -> io::Result<()> {
    let mut out = io::stdout();
    let written = out.write_all(LEAVE.as_bytes()).and_then(|()| out.flush());
    termios::tcsetattr(io::stdin(), OptionalActions::Now, saved)?;
    written
}
