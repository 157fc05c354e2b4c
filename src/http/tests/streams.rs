//! Streams of channels and of the page, and the metrics.

use super::{Site, header, json};
use serde_json::Value;

#[test]
fn metrics_have_the_longest_queues() {
    let mut site = Site::new(&[("metrics-queues-max", "2")]);
    for (queue, count) in [("a", 1), ("b", 3), ("c", 2)] {
        for _ in 0..count {
            site.post(&format!("/queues/{queue}"), "x");
        }
    }
    let (status, body) = site.get("/metrics");
    assert_eq!(status, 200);
    assert!(body.contains("tidegate_queue_length{queue=\"b\"} 3\n"), "{body}");
    assert!(body.contains("tidegate_queue_length{queue=\"c\"} 2\n"), "{body}");
    assert!(!body.contains("queue=\"a\""), "{body}");
    let open = "GET /metrics HTTP/1.1\r\nHost: a\r\nAccept: application/openmetrics-text\r\n\r\n";
    let mut site = Site::new(&[("http-hosts", "a")]);
    assert!(site.ask(open).1.ends_with("# EOF\n"));
}

#[test]
fn channels_are_published_to_and_streamed() {
    let mut site = Site::new(&[]);
    let plain = site.connect();
    let pattern = site.connect();
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let got = site.send(plain, get("/channels/news"));
    assert_eq!(header(&got, "Content-Type"), Some("text/event-stream"));
    site.send(pattern, get("/channels/n*?pattern=1"));
    assert_eq!(site.post("/channels/news", "a\nb"), (200, "{\"receivers\":2}\n".into()));
    site.post("/channels/other", "x");
    assert_eq!(site.turns(plain), "data: a\ndata: b\n\n");
    let data = "data: {\"channel\":\"news\",\"message\":\"a\\nb\"}\n\n";
    assert_eq!(site.turns(pattern), data);
    site.pass_us(15_000_000);
    assert_eq!(site.turns(plain), ":\n\n");
    // What a peer sends during a stream is not looked at.
    assert_eq!(site.send(plain, get("/healthz")), "");
}

#[test]
fn the_page_gets_what_has_changed() {
    let mut site = Site::new(&[]);
    site.post("/queues/a", "x");
    site.post("/queues/b", "x");
    let at = site.connect();
    let got = site.send(at, "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let data_of = |got: &str, kind: &str| -> Vec<Value> {
        let of_kind = got.split("event: ").filter_map(|event| event.strip_prefix(kind));
        of_kind.map(|event| json(event.trim().strip_prefix("data: ").expect("data"))).collect()
    };
    let hello = &data_of(&got, "hello")[0];
    assert_eq!(hello["user"], "default");
    assert_eq!(hello["fields"][0], "name");
    let queues = &data_of(&got, "queues")[0];
    assert_eq!(queues["all"], true);
    assert_eq!(queues["total"], 2);
    assert_eq!(queues["rows"].as_array().map(Vec::len), Some(2));
    assert!(data_of(&got, "info")[0]["used_memory"].is_string());
    // Only what has changed comes, in a second.
    site.post("/queues/a", "y");
    site.get("/queues/b");
    assert_eq!(site.turns(at), "");
    site.pass_us(1_000_000);
    let got = site.turns(at);
    let queues = &data_of(&got, "queues")[0];
    assert_eq!(queues["all"], false);
    assert_eq!(queues["rows"].as_array().map(Vec::len), Some(1));
    assert_eq!(queues["rows"][0][0], "a");
    assert_eq!(queues["gone"], serde_json::json!(["b"]));
    site.pass_us(1_000_000);
    let queues = &data_of(&site.turns(at), "queues")[0];
    assert_eq!(*queues, serde_json::json!({"all": false, "rows": [], "gone": [], "total": 1}));
}
