//! The tips of COMMAND: what proxies that spread commands over several servers need to know.
//! <https://redis.io/docs/latest/develop/reference/command-tips/>

use crate::command::Command;

/// Redis' tips about a command.
pub(super) fn tips_of(command: &Command) -> &'static [&'static str] {
    match command.name {
        "del" | "unlink" | "exists" | "touch" => SUM_OF_SHARDS,
        "dbsize" => &["request_policy:all_shards", "response_policy:agg_sum"],
        "flushdb" | "flushall" | "ping" | "memory|purge" | "function|flush" => ALL_SHARDS_SUCCEED,
        "function|kill" | "script|kill" => {
            &["request_policy:all_shards", "response_policy:one_succeeded"]
        }
        "script|exists" => &["request_policy:all_shards", "response_policy:agg_logical_and"],
        "script|flush" | "client|setinfo" | "latency|reset" | "config|set" | "config|rewrite"
        | "config|resetstat" | "slowlog|reset" => ALL_NODES_SUCCEED,
        "keys" => &["request_policy:all_shards", "nondeterministic_output_order"],
        "scan" => &["nondeterministic_output", "request_policy:special"],
        "randomkey" => &["request_policy:all_shards", "nondeterministic_output"],
        "wait" => &["request_policy:all_shards", "response_policy:agg_min"],
        "info" | "memory|stats" | "memory|doctor" | "memory|malloc-stats" => SHARDS_DIFFER,
        "latency|latest" | "latency|history" | "latency|graph" | "latency|doctor"
        | "latency|histogram" => NODES_DIFFER,
        "slowlog|get" => &["request_policy:all_nodes", "nondeterministic_output"],
        "slowlog|len" => {
            &["request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"]
        }
        "command" | "command|docs" | "command|info" | "command|list" | "function|list"
        | "module|list" => &["nondeterministic_output_order"],
        "ttl" | "pttl" | "object|encoding" | "object|freq" | "object|idletime"
        | "object|refcount" | "client|info" | "client|list" | "time" | "lastsave" => VARIES,
        _ => &[],
    }
}

const SUM_OF_SHARDS: &[&str] = &["request_policy:multi_shard", "response_policy:agg_sum"];
const ALL_SHARDS_SUCCEED: &[&str] = &["request_policy:all_shards", "response_policy:all_succeeded"];
const ALL_NODES_SUCCEED: &[&str] = &["request_policy:all_nodes", "response_policy:all_succeeded"];
const SHARDS_DIFFER: &[&str] =
    &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"];
const NODES_DIFFER: &[&str] =
    &["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"];
const VARIES: &[&str] = &["nondeterministic_output"];
