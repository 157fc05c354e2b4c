//! HTTP: queues, channels and any command for programs that have no Redis client, metrics for Prometheus, a
//! page for people.
//!
//! An HTTP connection has a client of the broker. A request becomes commands of that client, and their
//! replies become the response, so that rights, policies, limits, durability and statistics are those of
//! every client. This module is as plain as the broker: bytes and the time go in, bytes come out.
//!
//! | file | responsibility |
//! |---|---|
//! | `connection` | one connection: requests in, commands to the broker; replies from it, responses out |
//! | `head`, `target`, `body` | a request: its head with all limits, its path and parameters, its body |
//! | `browser`, `session` | what web pages may do; whose request it is |
//! | `routes` | which request asks for what |
//! | `queues`, `batch`, `command`, `page` | the requests as commands |
//! | `asked`, `parameters`, `credentials` | what they are given |
//! | `answer`, `events`, `feed` | replies as responses, as streams of messages, as what the page shows |
//! | `scrape`, `queue_series` | replies as metrics |
//! | `queue_page` | what the page and the metrics ask for |
//! | `probe` | a door for tests and the fuzzer |
//! | `step`, `response`, `json` | what follows from a reply; how responses are written |

mod answer;
mod asked;
mod batch;
mod body;
mod browser;
mod command;
mod connection;
mod credentials;
mod events;
mod feed;
mod head;
mod json;
mod page;
mod parameters;
mod probe;
mod queue_page;
mod queue_series;
mod queues;
mod response;
mod routes;
mod scrape;
mod session;
mod step;
mod target;
#[cfg(test)]
mod tests;

pub(crate) use connection::{Http, Refused, refusal};
pub use probe::HttpProbe;
