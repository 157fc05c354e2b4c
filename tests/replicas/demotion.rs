//! A primary becomes a replica while replies wait for replicas.

use crate::net::Net;

const LOST: &str =
    "-NOREPLICAS The change was made here, but this server became a replica: it may be lost\r\n";

/// The offsets that replicas of the next primary acknowledge are those of another stream.
#[test]
fn changes_of_a_former_primary_are_not_acknowledged_by_replicas_of_the_next() {
    let mut net = Net::new(3, "write-ack-replicas 1\nwrite-ack-timeout-ms 60000");
    let clients: Vec<_> = (0..4).map(|_| net.client(0)).collect();
    let receive = |net: &mut Net, client: usize, line: &str| {
        let bytes = format!("{line}\r\n");
        net.nodes[0].broker.receive(clients[client], bytes.as_bytes(), net.now);
    };
    let [earlier, same_turn, admin, later] = [0, 1, 2, 3];
    receive(&mut net, earlier, "RPUSH q earlier");
    net.turn(0);
    assert_eq!(net.sent(0, clients[earlier]), "");
    receive(&mut net, same_turn, "RPUSH q too");
    receive(&mut net, admin, "REPLICAOF node 2");
    net.turn(0);
    assert_eq!(net.sent(0, clients[earlier]), LOST);
    net.round(1);
    let reply = net.sent(0, clients[same_turn]);
    assert!(reply.starts_with("-NOREPLICAS The change was made here, "), "{reply}");
    // It becomes a primary again, and gets a replica that acknowledges more than there was before.
    net.settle();
    let other = net.client(2);
    for (node, client, line) in
        [(0, clients[admin], "REPLICAOF NO ONE"), (2, other, "REPLICAOF node 1")]
    {
        net.nodes[node].broker.receive(client, format!("{line}\r\n").as_bytes(), net.now);
        net.turn(node);
    }
    net.settle();
    receive(&mut net, later, "RPUSH q kept");
    net.turn(0);
    net.settle();
    assert_eq!(net.sent(0, clients[later]), ":1\r\n");
    // Nor does WAIT take them for acknowledged.
    receive(&mut net, earlier, "WAIT 1 5");
    receive(&mut net, later, "WAIT 1 5");
    net.turn(0);
    net.settle();
    net.round(10);
    assert_eq!(net.sent(0, clients[later]), ":1\r\n");
    assert_eq!(net.sent(0, clients[earlier]), ":0\r\n");
}
