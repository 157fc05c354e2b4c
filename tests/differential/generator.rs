//! The steps of a seed.

use super::random::Random;
use super::step::{Arg, Command, Step};
use super::vocabulary as words;

/// Clients, each with a connection to both servers.
pub const CLIENTS: usize = 6;

/// The same seed gives the same steps, whatever the servers reply.
pub fn steps(seed: u64, commands: usize) -> Vec<Step> {
    let mut generator = Generator::new(seed);
    let mut steps = Vec::new();
    let mut said = 0;
    while said < commands {
        let step = generator.step();
        said += step.commands();
        steps.push(step);
    }
    steps
}

struct Generator {
    random: Random,
    /// An index into the families for each unit of their weights.
    families: Vec<usize>,
    keys: usize,
    mistakes_percent: usize,
}

impl Generator {
    fn new(seed: u64) -> Generator {
        let mut random = Random::new(seed);
        let mut families = Vec::new();
        for family in 0..words::FAMILIES.len() {
            let weight = random.below(8);
            families.extend(std::iter::repeat_n(family, weight));
        }
        // Lists are the main subject.
        families.extend([0, 0, 1, 4]);
        let keys = 1 + random.below(words::KEY_NAMES.len());
        let mistakes_percent = random.below(8);
        Generator { random, families, keys, mistakes_percent }
    }

    fn step(&mut self) -> Step {
        let client = self.random.below(CLIENTS);
        match self.random.below(200) {
            0..2 => Step::Elapse { sends: self.short_times() },
            2..4 => Step::Scan { db: self.random.below(2), options: self.scan_options() },
            4..7 => Step::Disconnect { client },
            7..13 => Step::Swap { client, commands: self.swap() },
            13..15 => Step::Bytes { client, bytes: self.random.pick(ODD_BYTES) },
            15..55 => {
                let count = 2 + self.random.below(6);
                let commands = (0..count).map(|_| self.command()).collect();
                let cut = self.random.percent(20).then(|| self.random.below(1000));
                Step::Send { client, commands, cut }
            }
            55..65 => Step::Send { client, commands: self.transaction(), cut: None },
            _ => Step::Send { client, commands: vec![self.command()], cut: None },
        }
    }

    fn command(&mut self) -> Command {
        let family = self.families[self.random.below(self.families.len())];
        let template = self.random.pick(words::FAMILIES[family].templates);
        let mut command = self.fill(template);
        if self.random.percent(self.mistakes_percent) {
            self.make_mistake(&mut command);
        }
        if self.random.percent(5) {
            self.mix_case(&mut command);
        }
        command
    }

    fn transaction(&mut self) -> Vec<Command> {
        let mut commands = vec![Command::of(&[b"MULTI"])];
        for _ in 0..1 + self.random.below(5) {
            commands.push(self.command());
        }
        commands.push(Command::of(&[b"EXEC"]));
        commands
    }

    fn swap(&mut self) -> Vec<Command> {
        let swap = self.fill("SWAPDB db db");
        match self.random.below(3) {
            0 => {
                let push = self.fill("RPUSH key values");
                vec![Command::of(&[b"MULTI"]), push, swap, Command::of(&[b"EXEC"])]
            }
            _ => vec![swap],
        }
    }

    fn short_times(&mut self) -> Vec<(usize, Command)> {
        let waits = self.random.percent(60);
        // A move would serve a client whose wait may already be over on one server.
        let templates: &[&str] = match (waits, self.random.percent(30)) {
            (true, true) => &["BLMOVE key key LEFT RIGHT brief"],
            (true, false) => {
                &["BLPOP keys brief", "BRPOP key brief", "BLMPOP brief 2 key key LEFT"]
            }
            (false, _) => &["PEXPIRE key brief-ms", "PEXPIREAT key brief-at"],
        };
        let count = if templates.len() == 1 { 1 } else { 1 + self.random.below(3) };
        let first = self.random.below(CLIENTS);
        (first..first + count)
            .map(|client| (client % CLIENTS, self.fill_one_of(templates)))
            .collect()
    }

    fn fill_one_of(&mut self, templates: &[&str]) -> Command {
        let template = self.random.pick(templates);
        self.fill(template)
    }

    fn scan_options(&mut self) -> Vec<Vec<u8>> {
        let template = self.random.pick(&["", "MATCH pattern", "COUNT 1", "TYPE list COUNT 100"]);
        let options = self.fill(template).0.into_iter();
        options
            .filter_map(|arg| if let Arg::Bytes(bytes) = arg { Some(bytes) } else { None })
            .collect()
    }

    fn fill(&mut self, template: &str) -> Command {
        let mut args = Vec::new();
        let mut left_out = false;
        for word in template.split_whitespace() {
            let (optional, ends) = (word.starts_with('['), word.ends_with(']'));
            if optional {
                left_out = self.random.percent(60);
            }
            if !left_out {
                let choices: Vec<&str> = word.trim_matches(['[', ']']).split('|').collect();
                let choice = self.random.pick(&choices);
                self.word(choice, &mut args);
            }
            left_out &= !ends;
        }
        Command(args)
    }

    fn word(&mut self, word: &str, args: &mut Vec<Arg>) {
        let bytes = match word {
            "key" => self.key(),
            "keys" => return self.several(1, 3, args, Generator::key),
            "value" => self.value(),
            "values" => return self.several(1, 4, args, Generator::value),
            "channel" => self.random.pick(words::CHANNELS).to_vec(),
            "channels" => {
                return self.several(1, 3, args, |g| g.random.pick(words::CHANNELS).to_vec());
            }
            "pattern" => self.random.pick(words::PATTERNS).to_vec(),
            "member" => self.random.pick(words::MEMBERS).to_vec(),
            "score" => self.random.pick(words::SCORES_OF_MEMBERS).to_vec(),
            "weight" => self.random.pick(words::WEIGHTS).to_vec(),
            "bound" => self.random.pick(words::BOUNDS).to_vec(),
            "number" => self.random.pick(words::NUMBERS).to_vec(),
            "name" => self.random.pick(words::NAMES).to_vec(),
            "db" => self.random.pick(words::DATABASES).to_vec(),
            "patience" => self.random.pick(words::PATIENCE).to_vec(),
            "brief" => self.random.pick(BRIEF).to_vec(),
            "brief-ms" => b"5".to_vec(),
            "brief-at" => return args.push(Arg::MillisecondsFromNow(8)),
            "seconds" => self.random.pick(words::SECONDS).to_vec(),
            "milliseconds" => self.random.pick(words::MILLISECONDS).to_vec(),
            "at" => return args.push(Arg::SecondsFromNow(self.far())),
            "at-ms" => return args.push(Arg::MillisecondsFromNow(self.far() * 1000)),
            "payload" => self.random.pick(words::PAYLOADS).to_vec(),
            "sid" => self.random.pick(words::STREAM_IDS).to_vec(),
            "junk" => self.random.pick(words::JUNK).to_vec(),
            "client" => return args.push(Arg::IdOf(self.random.below(CLIENTS))),
            "address" => return args.push(Arg::AddressOf(self.random.below(CLIENTS))),
            literal => literal.as_bytes().to_vec(),
        };
        args.push(Arg::Bytes(bytes));
    }

    fn several(
        &mut self,
        least: usize,
        most: usize,
        args: &mut Vec<Arg>,
        mut word: impl FnMut(&mut Generator) -> Vec<u8>,
    ) {
        for _ in 0..least + self.random.below(most - least + 1) {
            args.push(Arg::Bytes(word(self)));
        }
    }

    fn key(&mut self) -> Vec<u8> {
        words::KEY_NAMES[self.random.below(self.keys)].to_vec()
    }

    fn value(&mut self) -> Vec<u8> {
        match self.random.below(30) {
            0 => {
                let length = words::LONG_VALUE_BYTES[self.random.below(3)];
                vec![b'v'; length]
            }
            _ => self.random.pick(words::VALUES).to_vec(),
        }
    }

    /// Seconds from now to a distant time.
    fn far(&mut self) -> i64 {
        [-1000, 1000, 2000, 100_000][self.random.below(4)]
    }

    fn make_mistake(&mut self, command: &mut Command) {
        let args = &mut command.0;
        let place = self.random.below(args.len());
        // Errors about unknown commands echo the input.
        let is_same_everywhere = args.iter().all(|arg| matches!(arg, Arg::Bytes(_)));
        // Since 7.2 a HELLO that fails sets no name.
        let is_hello = matches!(&args[0], Arg::Bytes(name) if name == b"HELLO");
        // Without a subcommand it describes the server.
        let is_command = matches!(&args[0], Arg::Bytes(name) if name == b"COMMAND");
        if is_command || place <= 1 && !is_same_everywhere || is_hello && args.len() > 2 {
            return;
        }
        let junk = Arg::Bytes(self.random.pick(words::JUNK).to_vec());
        match self.random.below(4) {
            0 if place > 0 => drop(args.remove(place)),
            1 => args.push(junk),
            2 => args.insert(place + 1, junk),
            _ => args[place] = junk,
        }
    }

    fn mix_case(&mut self, command: &mut Command) {
        let capitals = self.random.below(256);
        if let Some(Arg::Bytes(name)) = command.0.first_mut() {
            for (index, byte) in name.iter_mut().enumerate() {
                if capitals >> (index % 8) & 1 == 1 {
                    byte.make_ascii_lowercase();
                }
            }
        }
    }
}

/// Seconds; over long before the time of a step has passed.
const BRIEF: &[&[u8]] = &[b"0.001", b"0.004", b"0.008", b"0.0001", b"1e-3"];

const ODD_BYTES: &[&[u8]] = &[
    b"PING\r\n",
    b"\r\n",
    b"*0\r\n",
    b"*-1\r\n",
    b"rpush a \"x\\x00y\" 'z'\n",
    b"lpop a\r\n\r\nllen a\n",
    b"ECHO \"unbalanced\r\n",
    b"*1\r\n+PING\r\n",
    b"*x\r\n",
    b"*1\r\n$-1\r\n",
    b"*1\r\n$x\r\n",
    b"*1048577\r\n",
    b"*1\r\n$99999999999\r\n",
    b"   PING   \r\n",
    b"PING \"a\"b\r\n",
];
