//! `/metrics`: what METRICS returns, and the queues' own series from all pages of QUEUE STATS.
//!
//! A page is asked for at a time, one in a turn, so that a scrape of many queues delays nobody.

use super::queue_page;
use super::queue_series::Survey;
use super::response::{Response, Status, of_error};
use super::step::Step;
use crate::exposition::{Exposition, Format};
use crate::resp::{Reply, write_command};

/// A scrape in progress.
#[derive(Debug)]
pub(super) struct Scrape {
    format: Format,
    survey: Survey,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// To be asked, or asked: a page of the queues.
    Queues { cursor: Vec<u8>, is_asked: bool },
    /// To be asked, or asked: everything else.
    Metrics { is_asked: bool },
}

impl Scrape {
    /// For a collector that accepts these types. Shows at most `queues_max` queues.
    pub(super) fn new(accept: Option<&[u8]>, queues_max: usize) -> Scrape {
        let accepted = accept.unwrap_or_default();
        let is_open = memchr::memmem::find(accepted, b"application/openmetrics-text").is_some();
        Scrape {
            format: if is_open { Format::OpenMetrics } else { Format::Prometheus },
            survey: Survey::new(queues_max),
            stage: Stage::Queues { cursor: b"0".to_vec(), is_asked: false },
        }
    }

    /// Whether there is something to ask for.
    pub(super) fn has_question(&self) -> bool {
        let (Stage::Queues { is_asked, .. } | Stage::Metrics { is_asked }) = self.stage;
        !is_asked
    }

    /// Adds the next command.
    pub(super) fn ask(&mut self, commands: &mut Vec<u8>) {
        match &mut self.stage {
            Stage::Queues { cursor, is_asked: is_asked @ false } => {
                queue_page::ask(commands, cursor);
                *is_asked = true;
            }
            Stage::Metrics { is_asked: is_asked @ false } => {
                match self.format {
                    Format::Prometheus => write_command(commands, [&b"METRICS"[..]]),
                    Format::OpenMetrics => {
                        write_command(commands, [&b"METRICS"[..], b"OPENMETRICS"]);
                    }
                }
                *is_asked = true;
            }
            Stage::Queues { .. } | Stage::Metrics { .. } => {}
        }
    }

    /// Takes the reply to a command.
    pub(super) fn take(&mut self, reply: Reply) -> Step {
        if let Reply::Error(text) = &reply {
            return Step::Respond(of_error(text));
        }
        if matches!(self.stage, Stage::Queues { .. }) {
            self.stage = match self.survey.add_page(&reply) {
                Ok(Some(cursor)) => Stage::Queues { cursor, is_asked: false },
                Ok(None) => Stage::Metrics { is_asked: false },
                Err(error) => return Step::Respond(unexpected(&error.to_string())),
            };
            return Step::More;
        }
        let Some(mut text) = reply.into_bytes() else {
            return Step::Respond(unexpected("expected text from METRICS"));
        };
        let mut out = Exposition::of(&mut text, self.format);
        std::mem::replace(&mut self.survey, Survey::new(0)).write(&mut out);
        out.end();
        let content_type = match self.format {
            Format::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        };
        Step::Respond(Response::new(Status::Ok, content_type, text))
    }
}

fn unexpected(text: &str) -> Response {
    log::error!("HTTP: /metrics: {text}");
    Response::error(Status::ServerError, "a command had an unexpected reply")
}
