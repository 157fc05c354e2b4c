//! Values as numbers.

use crate::commands::edit_value::update;
use crate::commands::string::Extended;
use crate::dict::Item;
use crate::engine::Arg::One;
use crate::engine::Group::Hash;
use crate::engine::uses::READ_AND_UPDATE;
use crate::engine::{Arguments, Command, CommandError, Context};
use crate::resp::Request;
use crate::value::HashValue;

#[rustfmt::skip]
pub(in crate::commands) static COMMANDS: &[Command] = &[
    Command::new("hincrby", 4, hincrby).group(Hash).since("2.0.0").write().deny_oom().fast()
        .key(1, READ_AND_UPDATE).args(&[One("key"), One("field"), One("increment")])
        .says("Adds an integer to the value of a field."),
    Command::new("hincrbyfloat", 4, hincrbyfloat).group(Hash).since("2.6.0").write().deny_oom()
        .fast().key(1, READ_AND_UPDATE).args(&[One("key"), One("field"), One("increment")])
        .says("Adds a floating-point number to the value of a field."),
];

/// Sets a field to what `sum` makes of its value, and returns that. `item`: the result as it is stored.
fn add<T>(
    ctx: &mut Context<'_>,
    key: &[u8],
    field: &[u8],
    sum: impl Fn(Option<Item<'_>>) -> Result<T, CommandError>,
    item: impl Fn(&T) -> Item<'_>,
) -> Result<T, CommandError> {
    let growth = ctx.state.hash_growth();
    update(&mut ctx.state.keyspace, ctx.db, key, |hash: &mut HashValue| {
        let sum = sum(hash.get(field));
        if let Ok(sum) = &sum {
            hash.set_item(field, item(sum), &growth);
        }
        let is_changed = sum.is_ok();
        (sum, is_changed)
    })?
}

fn hincrby(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    const OVERFLOW: CommandError = CommandError::text("ERR increment or decrement would overflow");
    let mut args = Arguments::of(request);
    let (key, field, number) = (args.required()?, args.required()?, args.integer()?);
    let sum = |value: Option<Item<'_>>| match value {
        None => Ok(number),
        Some(Item::Integer(before)) => before.checked_add(number).ok_or(OVERFLOW),
        Some(Item::Text(_)) => Err(CommandError::text("ERR hash value is not an integer")),
    };
    let sum = add(ctx, key, field, sum, |sum| Item::Integer(*sum))?;
    ctx.reply.integer(sum);
    Ok(())
}

fn hincrbyfloat(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<(), CommandError> {
    const NO_NUMBER: CommandError = CommandError::text("ERR value is not a valid float");
    const INFINITE: CommandError = CommandError::text("ERR value is NaN or Infinity");
    const NO_SUM: CommandError = CommandError::text("ERR increment would produce NaN or Infinity");
    let mut args = Arguments::of(request);
    let (key, field, number) = (args.required()?, args.required()?, args.required()?);
    let number = Extended::parse(number).ok_or(NO_NUMBER)?;
    if number.plus(&Extended::ZERO).is_none() {
        return Err(INFINITE);
    }
    let sum = |value: Option<Item<'_>>| {
        let before = match value {
            None => Extended::ZERO,
            Some(value) => value
                .with(Extended::parse)
                .ok_or(const { CommandError::text("ERR hash value is not a float") })?,
        };
        Ok(before.plus(&number).ok_or(NO_SUM)?.shown())
    };
    let sum = add(ctx, key, field, sum, |sum: &String| Item::of(sum.as_bytes()))?;
    // Record the sum, as Redis does: how numbers are added may change.
    ctx.state.keyspace.effects.record(ctx.db, [&b"HSET"[..], key, field, sum.as_bytes()]);
    ctx.reply.bulk(sum.as_bytes());
    Ok(())
}
