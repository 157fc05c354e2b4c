//! What is shown: the broker, its queues, and what the person at the keyboard wants to see of them.

use super::columns;
use super::keys::Key;
use super::queues::{Queue, Queues};
use super::reading::{Info, Sample};
use std::time::Duration;

/// Characters of a filter at most.
const FILTER_CHARS_MAX: usize = 100;

/// Everything that the screen shows.
#[derive(Debug)]
pub struct State {
    /// Where the broker is.
    pub address: String,
    /// INFO as it was read last.
    pub info: Info,
    /// How busy the broker is.
    pub load: Load,
    /// The queues.
    pub queues: Queues,
    /// Why there is nothing new.
    pub failure: Option<String>,
    /// Why there are no queues now.
    pub notice: Option<String>,
    /// The column by which queues are sorted.
    pub sort: usize,
    /// Whether the last ones come first.
    pub is_reversed: bool,
    /// Part of the names of the queues that are shown, in any case.
    pub filter: String,
    /// Whether keys are added to the filter.
    pub is_typing: bool,
    /// Whether the keys are explained.
    pub is_helping: bool,
    /// Queues above the first one that is shown.
    pub offset: usize,
    /// When `info` was read.
    at: Option<Duration>,
}

/// How busy the broker is, between the last two readings.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Load {
    /// Commands a second.
    pub commands: Option<f64>,
    /// The mean length of a turn.
    pub turn_us: Option<u64>,
}

/// What a key asks of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// To draw.
    Draw,
    /// To draw everything again.
    Redraw,
    /// To read at once.
    Read,
    /// To stop for a while and give the terminal back.
    Suspend,
    /// To end.
    Quit,
}

impl State {
    /// Nothing is known yet.
    pub fn new(address: String, sort: usize) -> State {
        State {
            address,
            info: Info::default(),
            load: Load::default(),
            queues: Queues::default(),
            failure: None,
            notice: None,
            sort,
            is_reversed: false,
            filter: String::new(),
            is_typing: false,
            is_helping: false,
            offset: 0,
            at: None,
        }
    }

    /// Takes what was read.
    pub fn apply(&mut self, mut sample: Sample) {
        let before = self.at.filter(|_| !sample.is_first);
        let grown = |name: &str| sample.info.number(name)?.checked_sub(self.info.number(name)?);
        self.load = Load::default();
        if let Some(seconds) = before.map(|at| sample.at.saturating_sub(at).as_secs_f64())
            && seconds > 0.0
        {
            let commands = grown("total_commands_processed");
            self.load.commands = commands.map(|commands| commands as f64 / seconds);
            self.load.turn_us = grown("eventloop_duration_sum")
                .and_then(|us| us.checked_div(grown("eventloop_cycles")?));
        }
        self.at = Some(sample.at);
        self.info = std::mem::take(&mut sample.info);
        self.failure = None;
        self.notice = sample.notice.take();
        self.queues.apply(sample);
    }

    /// Takes a failure. What was read before stays on the screen.
    pub fn fail(&mut self, reason: String) {
        self.failure = Some(reason);
    }

    /// The queues that are shown, in their order.
    pub fn visible(&self) -> Vec<&Queue> {
        let filter = self.filter.to_lowercase();
        let shows =
            |queue: &&Queue| filter.is_empty() || queue.row.name.to_lowercase().contains(&filter);
        let mut queues: Vec<&Queue> = self.queues.iter().filter(shows).collect();
        let column = &columns::ALL[self.sort];
        queues.sort_unstable_by(|a, b| {
            let order = (column.order)(a, b);
            let order = if self.is_reversed { order.reverse() } else { order };
            order.then_with(|| a.row.name.cmp(&b.row.name))
        });
        queues
    }

    /// Takes a key. `page`: lines of the table.
    pub fn press(&mut self, key: Key, page: usize) -> Wish {
        match key {
            Key::Ctrl('c') => return Wish::Quit,
            Key::Ctrl('l') => return Wish::Redraw,
            Key::Ctrl('z') => return Wish::Suspend,
            _ if self.is_typing => self.type_filter(key),
            Key::Char('q') => return Wish::Quit,
            Key::Char(' ') => return Wish::Read,
            Key::Char('?') => self.is_helping = !self.is_helping,
            Key::Escape if self.is_helping => self.is_helping = false,
            Key::Escape => self.filter.clear(),
            Key::Char('/') => (self.is_typing, self.is_helping) = (true, false),
            Key::Char('r') => self.is_reversed = !self.is_reversed,
            Key::Char('<') => self.sort_by(self.sort.checked_sub(1)),
            Key::Char('>') => self.sort_by(Some(self.sort + 1)),
            Key::Char(c) if columns::ALL.iter().any(|column| column.key == c) => {
                self.sort_by(columns::ALL.iter().position(|column| column.key == c));
            }
            key => self.scroll(key, page),
        }
        Wish::Draw
    }

    /// By another column, or in the other direction.
    fn sort_by(&mut self, column: Option<usize>) {
        let Some(column) = column.filter(|column| *column < columns::ALL.len()) else { return };
        self.is_reversed = column == self.sort && !self.is_reversed;
        self.sort = column;
        self.offset = 0;
    }

    fn type_filter(&mut self, key: Key) {
        match key {
            Key::Enter => self.is_typing = false,
            Key::Escape => (self.is_typing, self.filter) = (false, String::new()),
            Key::Backspace => drop(self.filter.pop()),
            Key::Ctrl('u') => self.filter.clear(),
            Key::Char(c) if self.filter.chars().count() < FILTER_CHARS_MAX => self.filter.push(c),
            _ => {}
        }
        self.offset = 0;
    }

    fn scroll(&mut self, key: Key, page: usize) {
        let last = self.visible().len().saturating_sub(page);
        let at = self.offset.min(last);
        let to = match key {
            Key::Up | Key::Char('k') => at.saturating_sub(1),
            Key::Down | Key::Char('j') => at + 1,
            Key::PageUp => at.saturating_sub(page),
            Key::PageDown => at + page,
            Key::Home | Key::Char('g') => 0,
            Key::End | Key::Char('G') => last,
            _ => at,
        };
        self.offset = to.min(last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::top::reading::Row;

    fn sample(s: u64, info: &str, lengths: &[(&str, u64)]) -> Sample {
        let row =
            |&(name, length): &(&str, u64)| Row { name: name.to_owned(), length, ..Row::default() };
        let (at, rows) = (Duration::from_secs(s), lengths.iter().map(row).collect());
        Sample {
            at,
            rows,
            info: Info::parse(info.as_bytes()),
            ends_round: true,
            ..Sample::default()
        }
    }

    fn names(state: &State) -> Vec<&str> {
        state.visible().iter().map(|queue| queue.row.name.as_str()).collect()
    }

    fn press(state: &mut State, keys: &str) {
        for c in keys.chars() {
            state.press(Key::Char(c), 2);
        }
    }

    fn state() -> State {
        let mut state = State::new("x".to_owned(), columns::DEFAULT);
        state.apply(sample(1, "", &[("a", 3), ("Bee", 9), ("c", 3), ("bed", 5)]));
        state
    }

    #[test]
    fn keys_sort_and_reverse() {
        let mut state = state();
        assert_eq!(names(&state), ["Bee", "bed", "a", "c"]);
        press(&mut state, "l");
        assert_eq!(names(&state), ["a", "c", "bed", "Bee"], "the same key reverses");
        press(&mut state, "n");
        assert_eq!(names(&state), ["Bee", "a", "bed", "c"]);
        press(&mut state, "r");
        assert_eq!(names(&state), ["c", "bed", "a", "Bee"]);
        press(&mut state, ">");
        assert_eq!(names(&state), ["Bee", "bed", "a", "c"]);
        press(&mut state, "<<<<");
        assert_eq!(state.sort, 0);
        press(&mut state, &">".repeat(50));
        assert_eq!(state.sort, columns::ALL.len() - 1);
        for column in columns::ALL {
            press(&mut state, &column.key.to_string());
            assert_eq!(names(&state).len(), 4, "{}", column.name);
        }
    }

    #[test]
    fn a_filter_is_typed() {
        let mut state = state();
        press(&mut state, "/bEq");
        assert_eq!(names(&state), [""; 0], "q is a letter here");
        state.press(Key::Backspace, 2);
        assert_eq!(names(&state), ["Bee", "bed"]);
        state.press(Key::Enter, 2);
        press(&mut state, "n");
        assert_eq!((state.filter.as_str(), names(&state)), ("bE", vec!["Bee", "bed"]));
        state.press(Key::Escape, 2);
        assert_eq!(names(&state).len(), 4);
        press(&mut state, &format!("/{}", "x".repeat(300)));
        assert_eq!(state.filter.len(), FILTER_CHARS_MAX);
        assert_eq!(state.press(Key::Ctrl('c'), 2), Wish::Quit);
    }

    #[test]
    fn scrolling_ends_at_both_ends() {
        let mut state = state();
        for (key, offset) in [
            (Key::Up, 0),
            (Key::Down, 1),
            (Key::PageDown, 2),
            (Key::Down, 2),
            (Key::PageUp, 0),
            (Key::End, 2),
            (Key::Char('k'), 1),
            (Key::Home, 0),
        ] {
            assert_eq!(state.press(key, 2), Wish::Draw);
            assert_eq!(state.offset, offset, "{key:?}");
        }
        state.press(Key::End, 100);
        assert_eq!(state.offset, 0);
        assert_eq!(state.press(Key::Char('q'), 2), Wish::Quit);
        assert_eq!(state.press(Key::Char(' '), 2), Wish::Read);
    }

    #[test]
    fn the_load_is_that_between_two_readings() {
        let info = |commands: u64, cycles: u64, us: u64| {
            format!(
                "total_commands_processed:{commands}\neventloop_cycles:{cycles}\n\
                 eventloop_duration_sum:{us}\n"
            )
        };
        let mut state = State::new("x".to_owned(), 0);
        state.apply(sample(10, &info(100, 10, 500), &[]));
        assert_eq!(state.load, Load::default());
        state.apply(sample(12, &info(300, 20, 1000), &[]));
        assert_eq!(state.load, Load { commands: Some(100.0), turn_us: Some(50) });
        // It has stood still, or begun anew.
        state.apply(sample(14, &info(300, 20, 1000), &[]));
        assert_eq!(state.load, Load { commands: Some(0.0), turn_us: None });
        state.fail("lost".to_owned());
        let first = Sample { is_first: true, ..sample(16, &info(900, 90, 9000), &[]) };
        state.apply(first);
        assert_eq!((state.load, state.failure.as_deref()), (Load::default(), None));
        state.apply(sample(17, &info(5, 5, 5), &[]));
        assert_eq!(state.load, Load::default());
    }
}
