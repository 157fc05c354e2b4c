//! Tips of COMMAND shared by several commands: hints for proxies that spread commands over several
//! servers. <https://redis.io/docs/latest/develop/reference/command-tips/>

pub(crate) const SUM_OF_SHARDS: &[&str] =
    &["request_policy:multi_shard", "response_policy:agg_sum"];
pub(crate) const SUM_OF_ALL_SHARDS: &[&str] =
    &["request_policy:all_shards", "response_policy:agg_sum"];
pub(crate) const ALL_SHARDS_SUCCEED: &[&str] =
    &["request_policy:all_shards", "response_policy:all_succeeded"];
pub(crate) const ALL_NODES_SUCCEED: &[&str] =
    &["request_policy:all_nodes", "response_policy:all_succeeded"];
pub(crate) const ONE_SHARD_SUCCEEDS: &[&str] =
    &["request_policy:all_shards", "response_policy:one_succeeded"];
pub(crate) const SHARDS_DIFFER: &[&str] =
    &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"];
pub(crate) const NODES_DIFFER: &[&str] =
    &["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"];
/// Two servers reply differently.
pub(crate) const VARIES: &[&str] = &["nondeterministic_output"];
/// Two servers reply in a different order.
pub(crate) const ORDER_VARIES: &[&str] = &["nondeterministic_output_order"];
