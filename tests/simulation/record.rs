//! What append files would get: another broker that replays it has the same data.

use tidegate::clock::Now;
use tidegate::settings::Settings;
use tidegate::{Broker, EffectsReader, NoHost};

use crate::checks::check_contents;

pub struct Record {
    reader: EffectsReader,
    bytes: Vec<u8>,
    settings: Settings,
}

impl Record {
    pub fn new(broker: &mut Broker, settings: Settings) -> Record {
        Record { reader: broker.read_effects(), bytes: Vec::new(), settings }
    }

    /// Reads what was done, as the server does at the end of a turn; then the replies may be sent.
    pub fn read(&mut self, broker: &mut Broker, now: Now) {
        broker.end_turn(now);
        broker.take_effects(&self.reader, &mut self.bytes);
        broker.release_changed();
    }

    /// Replays everything, and compares.
    pub fn check(&self, broker: &Broker, now: Now) {
        let mut replayed = Broker::new(self.settings.clone(), 1, Box::new(NoHost), now);
        replayed.replay(&mut 0, &self.bytes).expect("a broker has written it");
        replayed.check_invariants();
        check_contents(&replayed.contents(), &broker.contents());
        check_contents(&replayed.hidden_contents(), &broker.hidden_contents());
    }

    pub fn end(self, broker: &mut Broker) {
        broker.end_effects(self.reader);
    }
}
