//! The screen that shows a broker until somebody quits.

use super::arguments::Options;
use super::connection::Failure;
use super::keys::Keys;
use super::reader::Reader;
use super::reading::Sample;
use super::state::{State, Wish};
use super::terminal::Terminal;
use super::view::{self, Screen};
use rustix::process::{Signal, getpid, kill_process};
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGTERM, SIGWINCH};
use signal_hook::iterator::Signals;
use std::io::{self, Read};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, SyncSender};
use std::thread;
use std::time::Duration;

/// The time until a lost connection is tried again, at least.
const RETRY: Duration = Duration::from_secs(1);

/// What the threads report.
enum Event {
    Bytes(Vec<u8>),
    Signal(i32),
    Sample(Result<Sample, Failure>),
    /// Standard input has ended: the terminal is gone.
    End,
}

/// Shows what the reader reads. `state` has the first sample.
///
/// # Errors
/// The terminal is gone, or a thread cannot be started.
pub fn run(options: &Options, reader: Reader, state: State) -> io::Result<()> {
    let (sender, events) = mpsc::channel();
    // Before the screen, so that none is missed.
    watch_signals(sender.clone())?;
    let has_colours = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let terminal = Terminal::open(has_colours)?;
    let wake = watch_broker(options.interval, reader, sender.clone())?;
    watch_keys(sender)?;
    let mut live = Live { terminal, state, keys: Keys::default(), wake, is_utf8: is_utf8() };
    live.run(&events)?;
    live.terminal.leave()
}

struct Live {
    terminal: Terminal,
    state: State,
    keys: Keys,
    /// Has the broker read at once.
    wake: SyncSender<()>,
    is_utf8: bool,
}

impl Live {
    fn run(&mut self, events: &Receiver<Event>) -> io::Result<()> {
        loop {
            let frame = view::draw(&self.state, self.screen());
            self.terminal.show(frame)?;
            // The threads end only with the program.
            let Ok(event) = events.recv() else { return Ok(()) };
            let wishes = match event {
                Event::Sample(Ok(sample)) => {
                    self.state.apply(sample);
                    Vec::new()
                }
                Event::Sample(Err(failure)) => {
                    self.state.fail(failure.reason().to_owned());
                    Vec::new()
                }
                Event::Bytes(bytes) => {
                    let page = view::page(&self.state, self.screen());
                    let keys = self.keys.read(&bytes);
                    keys.into_iter().map(|key| self.state.press(key, page)).collect()
                }
                Event::Signal(SIGWINCH | SIGCONT) => vec![Wish::Redraw],
                Event::Signal(_) | Event::End => vec![Wish::Quit],
            };
            for wish in wishes {
                match wish {
                    Wish::Draw => {}
                    Wish::Redraw => self.terminal.clear()?,
                    // It may be reading already.
                    Wish::Read => drop(self.wake.try_send(())),
                    Wish::Suspend => self.suspend()?,
                    Wish::Quit => return Ok(()),
                }
            }
        }
    }

    fn screen(&self) -> Screen {
        let (width, height) = self.terminal.size();
        Screen { width, height, is_utf8: self.is_utf8 }
    }

    /// Stops as other programs do at Ctrl-Z, until the shell continues us.
    fn suspend(&mut self) -> io::Result<()> {
        self.terminal.leave()?;
        kill_process(getpid(), Signal::TSTP)?;
        self.terminal.enter()
    }
}

fn watch_signals(sender: Sender<Event>) -> io::Result<()> {
    let mut signals = Signals::new([SIGWINCH, SIGCONT, SIGINT, SIGTERM, SIGHUP])?;
    spawn("signals", move || {
        for signal in signals.forever() {
            if sender.send(Event::Signal(signal)).is_err() {
                return;
            }
        }
    })
}

fn watch_keys(sender: Sender<Event>) -> io::Result<()> {
    spawn("keys", move || {
        let mut bytes = [0; 256];
        loop {
            let event = match io::stdin().read(&mut bytes) {
                Ok(0) | Err(_) => Event::End,
                Ok(length) => Event::Bytes(bytes[..length].to_vec()),
            };
            let is_end = matches!(event, Event::End);
            if sender.send(event).is_err() || is_end {
                return;
            }
        }
    })
}

/// Reads at each interval, and whenever the returned end of a channel asks for it.
fn watch_broker(
    interval: Duration,
    mut reader: Reader,
    sender: Sender<Event>,
) -> io::Result<SyncSender<()>> {
    let (wake, woken) = mpsc::sync_channel(1);
    spawn("broker", move || {
        let mut pause = interval;
        loop {
            match woken.recv_timeout(pause) {
                Ok(()) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            let sample = reader.read();
            pause = if sample.is_ok() { interval } else { interval.max(RETRY) };
            if sender.send(Event::Sample(sample)).is_err() {
                return;
            }
        }
    })?;
    Ok(wake)
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name(name.to_owned()).spawn(run).map(drop)
}

/// Whether the terminal shows UTF-8, according to the locale.
fn is_utf8() -> bool {
    let names = ["LC_ALL", "LC_CTYPE", "LANG"];
    let given =
        names.iter().filter_map(|name| std::env::var(name).ok()).find(|value| !value.is_empty());
    given.is_some_and(|value| {
        let value = value.to_ascii_lowercase();
        value.contains("utf-8") || value.contains("utf8")
    })
}
