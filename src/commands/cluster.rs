//! Commands by which clients ask any server for its cluster. There is none: the replies are those of a redis-server
//! without `cluster-enabled`. Clients know that error, and rules for users name these commands.

use crate::engine::Arg::One;
use crate::engine::Group::Cluster;
use crate::engine::tips::VARIES;
use crate::engine::{Command, CommandError, Context};
use crate::resp::Request;

#[rustfmt::skip]
pub(super) static COMMANDS: &[Command] = &[
    Command::container("cluster", CLUSTER).group(Cluster).since("3.0.0")
        .says("A container for commands about the cluster."),
    Command::new("asking", 1, no_cluster).group(Cluster).since("3.0.0").fast().category("connection")
        .says("Always an error: there is no cluster."),
    Command::new("readonly", 1, no_cluster).group(Cluster).since("3.0.0").anytime().fast().category("connection")
        .says("Always an error: there is no cluster."),
    Command::new("readwrite", 1, no_cluster).group(Cluster).since("3.0.0").anytime().fast().category("connection")
        .says("Always an error: there is no cluster."),
];

#[rustfmt::skip]
static CLUSTER: &[Command] = &[
    Command::new("cluster|countkeysinslot", 3, no_cluster).group(Cluster).since("3.0.0").stale()
        .args(&[One("slot")]).says("Always an error: there is no cluster."),
    Command::new("cluster|getkeysinslot", 4, no_cluster).group(Cluster).since("3.0.0").stale()
        .args(&[One("slot"), One("count")]).tips(VARIES).says("Always an error: there is no cluster."),
    Command::new("cluster|help", 2, no_cluster).group(Cluster).since("5.0.0").anytime()
        .says("Always an error: there is no cluster."),
    Command::new("cluster|info", 2, no_cluster).group(Cluster).since("3.0.0").stale().tips(VARIES)
        .says("Always an error: there is no cluster."),
    Command::new("cluster|keyslot", 3, no_cluster).group(Cluster).since("3.0.0").stale().args(&[One("key")])
        .says("Always an error: there is no cluster."),
    Command::new("cluster|links", 2, no_cluster).group(Cluster).since("7.0.0").stale().tips(VARIES)
        .says("Always an error: there is no cluster."),
    Command::new("cluster|myid", 2, no_cluster).group(Cluster).since("3.0.0").stale()
        .says("Always an error: there is no cluster."),
    Command::new("cluster|nodes", 2, no_cluster).group(Cluster).since("3.0.0").stale().tips(VARIES)
        .says("Always an error: there is no cluster."),
    Command::new("cluster|shards", 2, no_cluster).group(Cluster).since("7.0.0").anytime().tips(VARIES)
        .says("Always an error: there is no cluster."),
    Command::new("cluster|slots", 2, no_cluster).group(Cluster).since("3.0.0").anytime().tips(VARIES)
        .says("Always an error: there is no cluster."),
];

fn no_cluster(_: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    Err(CommandError::text("ERR This instance has cluster support disabled"))
}
