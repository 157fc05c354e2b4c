//! ACL LIST, USERS, GETUSER, WHOAMI, CAT: what users and categories there are.

use super::only_argument;
use crate::acl::{Categories, Selector, User};
use crate::engine::{Arguments, CommandError, Context};
use crate::resp::{Output, Request};

pub(super) fn list(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    let users = ctx.state.users.iter();
    ctx.reply.array(users.len());
    users.for_each(|user| ctx.reply.bulk(&user.describe()));
    Ok(())
}

pub(super) fn users(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    let users = ctx.state.users.iter();
    ctx.reply.array(users.len());
    users.for_each(|user| ctx.reply.bulk(user.name()));
    Ok(())
}

pub(super) fn whoami(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    let user = ctx.client().map(|client| client.user).unwrap_or_default();
    ctx.reply.bulk(ctx.state.users.get(user).name());
    Ok(())
}

pub(super) fn getuser(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let name = Arguments::from(request, 2).required()?;
    match ctx.state.users.find(name) {
        Some(id) => write_user(ctx.reply, ctx.state.users.get(id)),
        None => ctx.reply.null(),
    }
    Ok(())
}

fn write_user(reply: &mut Output, user: &User) {
    reply.map(6);
    reply.bulk(b"flags");
    let flags = user.flags();
    reply.set(flags.len());
    flags.iter().for_each(|flag| reply.bulk(flag.as_bytes()));
    reply.bulk(b"passwords");
    let passwords = user.shown_passwords();
    reply.array(passwords.len());
    passwords.for_each(|hash| reply.bulk(hash.as_bytes()));
    write_selector(reply, user.root());
    reply.bulk(b"selectors");
    reply.array(user.selectors().len());
    for selector in user.selectors() {
        reply.map(3);
        write_selector(reply, selector);
    }
}

/// Writes the three fields of a selector.
fn write_selector(reply: &mut Output, selector: &Selector) {
    reply.bulk(b"commands");
    reply.bulk(selector.shown_commands().as_bytes());
    reply.bulk(b"keys");
    reply.bulk(&selector.shown_keys());
    reply.bulk(b"channels");
    reply.bulk(&selector.shown_channels());
}

pub(super) fn cat(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    let names: Vec<&str> = match only_argument(request)? {
        None => Categories::ALL.names().collect(),
        Some(name) => {
            let category = Categories::named(name)
                .ok_or_else(|| CommandError::quoting("ERR Unknown category '", name, "'"))?;
            let all = ctx.state.users.catalogue().entries().iter();
            all.filter(|entry| entry.categories.intersects(category)).map(|own| own.name).collect()
        }
    };
    ctx.reply.array(names.len());
    names.iter().for_each(|name| ctx.reply.bulk(name.as_bytes()));
    Ok(())
}
