//! QUEUE INFLIGHT: the messages in flight of a queue.

use super::fields;
use crate::client_id::ClientId;
use crate::clients::Clients;
use crate::commands::take::count_of;
use crate::engine::{Arguments, CommandError, Context};
use crate::resp::{Output, Request};
use crate::state::State;

pub(super) fn inflight(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::from(request, 2);
    let key = args.required()?;
    let mut count_max = usize::MAX;
    if args.takes("count") {
        count_max = count_of(args.required()?, "ERR count should be greater than 0", 1)?;
    }
    if args.left() > 0 {
        return Err(CommandError::Syntax);
    }
    let State { keyspace, clients, .. } = &mut *ctx.state;
    let now_ms = keyspace.queue_ms();
    let Some(queue_state) = keyspace.queue_state(ctx.db, key) else {
        ctx.reply.array(0);
        return Ok(());
    };
    let reply = &mut *ctx.reply;
    let count = queue_state.in_flight.len().min(count_max);
    reply.array(count);
    for (number, delivery) in queue_state.in_flight.iter().take(count) {
        reply.map(8);
        fields::text(reply, "receipt", Some(itoa::Buffer::new().format(number).as_bytes()));
        fields::text(reply, "message", Some(&delivery.message));
        write_client(reply, clients, delivery.owner);
        let in_flight_ms = now_ms.saturating_sub(delivery.delivered_ms);
        fields::number(reply, "in-flight-ms", Some(in_flight_ms));
        let due_ms = queue_state.ack_due_ms(delivery);
        let due_ms = due_ms.map(|due_ms| due_ms.saturating_sub(now_ms).max(0));
        fields::number(reply, "due-ms", due_ms);
        fields::number(reply, "deliveries", Some(delivery.stamp.deliveries.into()));
    }
    keyspace.work.moved(count);
    Ok(())
}

/// Writes who has a message: nobody, or a client, which may have disconnected while its messages are being
/// returned.
fn write_client(reply: &mut Output, clients: &Clients, id: ClientId) {
    let number = (id != ClientId::nobody()).then(|| id.number().to_string());
    fields::text(reply, "client-id", number.as_deref().map(str::as_bytes));
    let client = clients.get(id);
    let name = client.map(|client| client.identity.as_ref().map_or(&[][..], |who| &who.name));
    fields::text(reply, "client-name", name);
    let addr = client.map(|client| client.peer.addr());
    fields::text(reply, "client-addr", addr.as_ref().map(|addr| addr.as_bytes()));
}
