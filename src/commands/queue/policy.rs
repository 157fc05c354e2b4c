//! QUEUE POLICY: setting and showing policies while the server runs.

use crate::commands::help::unknown_or_wrong;
use crate::engine::gates::refuse_unwritable;
use crate::engine::{Arguments, CommandError, Context, is_word};
use crate::policy::{Policies, QueuePolicy};
use crate::queueing::Queues;
use crate::resp::{Output, Request};

pub(super) fn policy(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let mut args = Arguments::from(request, 2);
    let word = args.required()?;
    match args.left() {
        2.. if is_word(word, "set") => set(ctx, args),
        1 if is_word(word, "del") => delete(ctx, args.required()?),
        0 if is_word(word, "list") => {
            list(ctx);
            Ok(())
        }
        1 if is_word(word, "of") => {
            of(ctx, args.required()?);
            Ok(())
        }
        _ => Err(unknown_or_wrong(&[b"policy ", word].concat(), "QUEUE")),
    }
}

fn set(ctx: &mut Context<'_>, args: Arguments<'_>) -> Result<(), CommandError> {
    refuse_unwritable(&ctx.state.persistence)?;
    let words: Vec<&[u8]> = args.rest().collect();
    if words.contains(&&b";"[..]) {
        return Err(refused(
            "no word of a policy may be ';', which ends a policy in CONFIG".into(),
        ));
    }
    let policy = QueuePolicy::parse(&words).map_err(refused)?;
    policy.check_acknowledge().map_err(refused)?;
    let keyspace = &mut ctx.state.keyspace;
    Queues::new(keyspace).set_policy(policy).map_err(refused)?;
    ctx.state.show_policies();
    ctx.reply.ok();
    Ok(())
}

fn refused(reason: String) -> CommandError {
    CommandError::from(format!("ERR {reason}"))
}

fn delete(ctx: &mut Context<'_>, name: &[u8]) -> Result<(), CommandError> {
    refuse_unwritable(&ctx.state.persistence)?;
    let keyspace = &mut ctx.state.keyspace;
    let is_deleted = Queues::new(keyspace).delete_policy(name);
    ctx.state.show_policies();
    ctx.reply.flag(is_deleted);
    Ok(())
}

fn list(ctx: &mut Context<'_>) {
    let policies = ctx.state.keyspace.policies();
    ctx.reply.array(policies.iter().len());
    for policy in policies.iter() {
        write(ctx.reply, policy, policies);
    }
}

fn of(ctx: &mut Context<'_>, key: &[u8]) {
    let policies = ctx.state.keyspace.policies();
    match policies.of(key) {
        Some(policy) => write(ctx.reply, policy, policies),
        None => ctx.reply.null(),
    }
}

/// Writes a policy's name, pattern, source, and the options that differ from their defaults.
fn write(reply: &mut Output, policy: &QueuePolicy, policies: &Policies) {
    let is_configured = policies.configured_as(&policy.name) == Some(policy);
    let source: &[u8] = if is_configured { b"configuration" } else { b"command" };
    let options = policy.options();
    let fields = [("name", &policy.name[..]), ("pattern", &policy.pattern), ("source", source)];
    reply.map(fields.len() + options.len());
    for (name, value) in fields.into_iter().chain(options.iter().map(|(name, v)| (*name, &v[..]))) {
        reply.bulk(name.as_bytes());
        reply.bulk(value);
    }
}
