//! Commands that graphical clients and test harnesses send to every server: modules. There are none here. The
//! replies are those of a redis-server without any.

use super::help;
use crate::engine::Group::Server;
use crate::engine::tips::ORDER_VARIES;
use crate::engine::{Command, CommandError, Context};
use crate::resp::Request;

#[rustfmt::skip]
pub(super) static COMMANDS: &[Command] = &[
    Command::container("module", MODULE).group(Server).since("4.0.0")
        .says("A container for commands about modules."),
];

#[rustfmt::skip]
static MODULE: &[Command] = &[
    Command::new("module|list", 2, nothing).group(Server).since("4.0.0").admin().no_script()
        .tips(ORDER_VARIES).says("Lists the modules: none."),
    Command::new("module|help", 2, module_help).group(Server).since("5.0.0").anytime()
        .says("Returns help on the subcommands."),
];

fn nothing(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    ctx.reply.array(0);
    Ok(())
}

fn module_help(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    help::write(ctx.reply, "MODULE", &["LIST", "    Return a list of loaded modules: none."]);
    Ok(())
}
