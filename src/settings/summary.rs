//! The configuration in one line for the log.

use super::definition::Settings;
use super::value::short_memory;
use crate::policy::Policy;

/// Policies named in the line; the others are counted.
const NAMES_MAX: usize = 10;

impl Settings {
    /// The main settings in one line: the file, where messages are stored, the policies, the limits.
    pub fn summary(&self) -> String {
        let file = self.config_file.as_ref();
        let file = file.map_or("no file".into(), |path| path.display().to_string());
        let append_files = match self.appendonly {
            true => {
                let word = super::field::FieldType::to_value(&self.appendfsync);
                let fsync = word.text().unwrap_or_default().to_owned();
                format!("append files in {} with appendfsync {fsync}", self.appenddirname)
            }
            false if self.save_points.is_empty() => {
                "no append files: data is lost when the process ends".into()
            }
            false => "no append files".into(),
        };
        let save_points = super::field::FieldType::to_value(&self.save_points);
        let saves = match save_points.text() {
            None | Some("") => String::new(),
            Some(points) => format!("{} with save {points}; ", self.dbfilename),
        };
        let maxmemory = match self.maxmemory_bytes {
            0 => "no memory limit".into(),
            bytes => format!("maxmemory {}", short_memory(bytes)),
        };
        let queues = names("queue policies", &self.queue_policies);
        let channels = names("channel policies", &self.channel_policies);
        format!(
            "configuration: {file}; directory: {}; {append_files}; {saves}{queues}; {channels}; {maxmemory}, \
             maxclients {}, client-query-buffer-limit {}",
            self.dir.display(),
            self.maxclients,
            short_memory(self.query_buffer_bytes_max),
        )
    }
}

fn names<P: Policy>(what: &str, policies: &[P]) -> String {
    if policies.is_empty() {
        return format!("no {what}");
    }
    let shown = policies.iter().take(NAMES_MAX).map(|policy| policy.name().escape_ascii());
    let mut text = shown.map(|name| name.to_string()).collect::<Vec<_>>().join(", ");
    if policies.len() > NAMES_MAX {
        text.push_str(&format!(" and {} more", policies.len() - NAMES_MAX));
    }
    format!("{what}: {text}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_becomes_of_messages() {
        let settings =
            Settings::from_text("maxmemory 1gb\nmaxclients 7\ndir /tmp", "a").expect("valid");
        assert_eq!(
            settings.summary(),
            "configuration: no file; directory: /tmp; no append files: data is lost when the \
             process ends; no queue policies; no channel policies; maxmemory 1gb, maxclients 7, \
             client-query-buffer-limit 1gb"
        );
        let settings = Settings::from_text("save 900 1\nsave 5 100", "a").expect("valid");
        let expected = "; no append files; dump.rdb with save 900 1 5 100; no queue policies; ";
        assert!(settings.summary().contains(expected), "{}", settings.summary());
        let mut text =
            "appendonly yes\nappendfsync no\nchannel-policy c * high-water-mark 1\n".to_owned();
        (1..=12).for_each(|number| text += &format!("queue-policy p{number} x\n"));
        let summary = Settings::from_text(&text, "a").expect("valid").summary();
        let parts = [
            "; append files in appendonlydir with appendfsync no; ",
            "; queue policies: p1, p2, p3, p4, p5, p6, p7, p8, p9, p10 and 2 more; ",
            "; channel policies: c; no memory limit, ",
        ];
        assert!(parts.iter().all(|part| summary.contains(part)), "{summary}");
    }
}
