//! What queue policies cost: a Tidegate without any beside one whose policy matches no key, which is to
//! be as fast, and beside ones whose policies govern the queue.

use crate::servers::{Kind, Server};
use crate::workload::{Workload, pop, push};
use crate::{measure, table};

/// The word that chooses these rows.
const NAME: &str = "policies";

const ROWS: [Workload; 4] = [
    push("policies: RPUSH, pipeline 1", 64, 1),
    pop("policies: LPOP, pipeline 1", 1, 1_000_000),
    push("policies: RPUSH, pipeline 100", 64, 100),
    pop("policies: LPOP, pipeline 100", 100, 20_000_000),
];

/// Servers by what their policy is, after the one without.
const POLICIES: [(&str, &str); 3] = [
    ("of others", "p other:* max-length 10 delivery at-least-once"),
    ("a life", "p queue message-ttl-ms 3600000"),
    ("acknowledged", "p queue delivery at-least-once"),
];

pub fn run(is_wanted: impl Fn(&str) -> bool) {
    let rows: Vec<&Workload> = ROWS.iter().filter(|row| is_wanted(row.name)).collect();
    if rows.is_empty() {
        return;
    }
    println!("\n{NAME}: thousands of operations a second; in brackets the ratio to no policy");
    let names = ["no policy"].into_iter().chain(POLICIES.map(|(name, _)| name));
    print!("{:<width$}", "work", width = table::NAME_WIDTH);
    names.for_each(|name| print!("{name:>18}"));
    println!();
    for row in rows {
        let with = POLICIES.map(|(_, policy)| ["--queue-policy".into(), policy.to_string()]);
        let mut servers = vec![Server::start(Kind::Tidegate, &[])];
        servers.extend(with.iter().map(|args| Server::start(Kind::Tidegate, args)));
        let rates = measure(row, &mut servers, || ());
        print!("{:<width$}", row.name, width = table::NAME_WIDTH);
        for rate in &rates {
            let ratio = rate.thousands / rates[0].thousands;
            print!("{:>18}", format!("{:.0} ({ratio:.2})", rate.thousands));
        }
        println!();
    }
}
