//! The generator's requests, and how replies are recognized.

/// One row of the table.
pub struct Workload {
    pub name: &'static str,
    /// The request that each connection repeats.
    pub request: &'static [&'static str],
    /// Bytes of the message after the request's other arguments; `None` without one.
    pub message_bytes: Option<usize>,
    /// Requests sent together.
    pub pipeline: usize,
    /// Line ends in one reply.
    pub lines_per_reply: usize,
    /// Messages that the queue must have before a round begins, for each second of it: more than can be
    /// popped.
    pub messages_a_second: usize,
}

/// Connections of every row.
pub const CONNECTIONS: usize = 50;

pub const fn push(name: &'static str, message_bytes: usize, pipeline: usize) -> Workload {
    let request = &["RPUSH", "queue"];
    let message_bytes = Some(message_bytes);
    Workload { name, request, message_bytes, pipeline, lines_per_reply: 1, messages_a_second: 0 }
}

pub const fn pop(name: &'static str, pipeline: usize, messages_a_second: usize) -> Workload {
    let request = &["LPOP", "queue"];
    let message_bytes = None;
    Workload { name, request, message_bytes, pipeline, lines_per_reply: 2, messages_a_second }
}

const fn publish(name: &'static str, pipeline: usize) -> Workload {
    let request = &["PUBLISH", "channel"];
    let message_bytes = Some(64);
    Workload { name, request, message_bytes, pipeline, lines_per_reply: 1, messages_a_second: 0 }
}

const fn set(name: &'static str, pipeline: usize) -> Workload {
    let request = &["SET", "string"];
    let message_bytes = Some(64);
    Workload { name, request, message_bytes, pipeline, lines_per_reply: 1, messages_a_second: 0 }
}

const fn get(name: &'static str, pipeline: usize) -> Workload {
    let request = &["GET", "string"];
    Workload {
        name,
        request,
        message_bytes: None,
        pipeline,
        lines_per_reply: 2,
        messages_a_second: 0,
    }
}

pub const WORKLOADS: &[Workload] = &[
    push("RPUSH, pipeline 1", 64, 1),
    pop("LPOP, pipeline 1", 1, 1_000_000),
    publish("PUBLISH, pipeline 1", 1),
    set("SET, pipeline 1", 1),
    get("GET, pipeline 1", 1),
    push("RPUSH, pipeline 16", 64, 16),
    pop("LPOP, pipeline 16", 16, 5_000_000),
    publish("PUBLISH, pipeline 16", 16),
    set("SET, pipeline 16", 16),
    get("GET, pipeline 16", 16),
    push("RPUSH, pipeline 100", 64, 100),
    pop("LPOP, pipeline 100", 100, 20_000_000),
    publish("PUBLISH, pipeline 100", 100),
    set("SET, pipeline 100", 100),
    get("GET, pipeline 100", 100),
    push("RPUSH 1 KiB, pipeline 16", 1024, 16),
];

/// A request as clients send it.
pub fn encode(args: &[&[u8]]) -> Vec<u8> {
    let mut request = Vec::new();
    add_request(args, &mut request);
    request
}

/// Adds a request without allocating: some loads make requests as they run.
pub fn add_request(args: &[&[u8]], out: &mut Vec<u8>) {
    add_length(b'*', args.len(), out);
    for arg in args {
        add_length(b'$', arg.len(), out);
        out.extend_from_slice(arg);
        out.extend_from_slice(b"\r\n");
    }
}

fn add_length(kind: u8, length: usize, out: &mut Vec<u8>) {
    out.push(kind);
    out.extend_from_slice(itoa::Buffer::new().format(length).as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Requests sent together.
pub struct Pipeline {
    pub bytes: Vec<u8>,
    pub requests: usize,
    /// Line ends in all their replies.
    pub lines: usize,
}

impl Workload {
    /// The name without the pipeline, and the pipeline: the row's names in a data file.
    pub fn names(&self) -> [String; 2] {
        let name = self.name.split(',').next().unwrap_or(self.name);
        [name.to_owned(), self.pipeline.to_string()]
    }

    /// One complete pipeline, for a server with this many line ends per reply.
    pub fn pipeline(&self, lines_per_reply: usize) -> Pipeline {
        let message = self.message_bytes.map(|bytes| vec![b'm'; bytes]);
        let args: Vec<&[u8]> =
            self.request.iter().map(|arg| arg.as_bytes()).chain(message.as_deref()).collect();
        Pipeline {
            bytes: encode(&args).repeat(self.pipeline),
            requests: self.pipeline,
            lines: self.pipeline * lines_per_reply,
        }
    }
}
