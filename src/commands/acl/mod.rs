//! ACL: users, their passwords and their rights. <https://redis.io/docs/latest/commands/?group=server>

mod file;
mod log;
mod show;
mod trial;
mod users;

pub(crate) use file::load_users;

use super::help;
use crate::engine::Arg::{Many, One, Optional, OptionalMany, OptionalWord};
use crate::engine::Group::Server;
use crate::engine::tips::ALL_NODES_SUCCEED;
use crate::engine::{Arguments, Command, CommandError, Context};
use crate::resp::Request;

const PER_RULE: &str = "O(N) where N is the number of rules given and of clients";

#[rustfmt::skip]
pub(super) static COMMANDS: &[Command] = &[
    Command::container("acl", SUBCOMMANDS).group(Server).since("6.0.0")
        .says("A container for commands about users."),
];

#[rustfmt::skip]
static SUBCOMMANDS: &[Command] = &[
    Command::new("acl|cat", -2, show::cat).group(Server).since("6.0.0").no_script().anytime()
        .args(&[Optional("category")]).cost("O(N) where N is the number of commands")
        .says("Lists the categories of commands, or the commands of a category."),
    Command::new("acl|deluser", -3, users::deluser).group(Server).since("6.0.0").admin().no_script()
        .anytime().secrets(all_arguments).args(&[Many("username")]).tips(ALL_NODES_SUCCEED)
        .cost("O(N) where N is the number of clients")
        .says("Deletes users, and closes their connections."),
    Command::new("acl|dryrun", -4, trial::dryrun).group(Server).since("7.0.0").admin().no_script()
        .anytime().args(&[One("username"), One("command"), OptionalMany("arg")]).cost("O(1)")
        .says("Returns whether a user may run a command, without running it."),
    Command::new("acl|genpass", -2, users::genpass).group(Server).since("6.0.0").no_script()
        .anytime().args(&[Optional("bits")]).says("Returns a random password."),
    Command::new("acl|getuser", 3, show::getuser).group(Server).since("6.0.0").admin().no_script()
        .anytime().secrets(all_arguments).args(&[One("username")])
        .cost("O(N) where N is the number of rules of the user")
        .says("Returns the flags, password hashes and rules of a user."),
    Command::new("acl|list", 2, show::list).group(Server).since("6.0.0").admin().no_script()
        .anytime().cost("O(N) where N is the number of users")
        .says("Returns all users as lines of an ACL file."),
    Command::new("acl|load", 2, file::load).group(Server).since("6.0.0").admin().no_script()
        .anytime().cost("O(N) where N is the number of users and clients")
        .says("Replaces all users by those of the ACL file."),
    Command::new("acl|log", -2, log::log).group(Server).since("6.0.0").admin().no_script()
        .anytime().args(&[Optional("count"), OptionalWord("RESET")])
        .cost("O(N) where N is the number of entries returned")
        .says("Returns the newest refused requests, or clears their log."),
    Command::new("acl|save", 2, file::save).group(Server).since("6.0.0").admin().no_script()
        .anytime().cost("O(N) where N is the number of users").tips(ALL_NODES_SUCCEED)
        .says("Writes all users to the ACL file."),
    Command::new("acl|setuser", -3, users::setuser).group(Server).since("6.0.0").admin().no_script()
        .anytime().secrets(all_arguments).args(&[One("username"), OptionalMany("rule")])
        .cost(PER_RULE).tips(ALL_NODES_SUCCEED).says("Creates or changes a user."),
    Command::new("acl|users", 2, show::users).group(Server).since("6.0.0").admin().no_script()
        .anytime().cost("O(N) where N is the number of users").says("Lists the names of all users."),
    Command::new("acl|whoami", 2, show::whoami).group(Server).since("6.0.0").no_script().anytime()
        .says("Returns the name of the connection's user."),
    Command::new("acl|help", 2, help_lines).group(Server).since("6.0.0").anytime()
        .says("Returns help on the subcommands."),
];

/// All arguments behind the subcommand: names of users, and passwords.
fn all_arguments(request: &Request<'_>) -> Vec<usize> {
    (2..request.len()).collect()
}

/// Takes the only argument of a subcommand, if there is one.
fn only_argument<'a>(request: &Request<'a>) -> Result<Option<&'a [u8]>, CommandError> {
    let mut args = Arguments::from(request, 2);
    let only = args.optional();
    if args.left() > 0 { Err(help::wrong_arguments(request, "ACL")) } else { Ok(only) }
}

fn help_lines(ctx: &mut Context<'_>, _: &Request<'_>) -> Result<(), CommandError> {
    help::write(
        ctx.reply,
        "ACL",
        &[
            "CAT [<category>]",
            "    List all commands that belong to <category>, or all command categories",
            "    when no category is specified.",
            "DELUSER <username> [<username> ...]",
            "    Delete a list of users.",
            "DRYRUN <username> <command> [<arg> ...]",
            "    Returns whether the user can execute the given command without executing the command.",
            "GETUSER <username>",
            "    Get the user's details.",
            "GENPASS [<bits>]",
            "    Generate a secure 256-bit user password. The optional `bits` argument can",
            "    be used to specify a different size.",
            "LIST",
            "    Show users details in config file format.",
            "LOAD",
            "    Reload users from the ACL file.",
            "LOG [<count> | RESET]",
            "    Show the ACL log entries.",
            "SAVE",
            "    Save the current config to the ACL file.",
            "SETUSER <username> <attribute> [<attribute> ...]",
            "    Create or modify a user with the specified attributes.",
            "USERS",
            "    List all the registered usernames.",
            "WHOAMI",
            "    Return the current connection username.",
        ],
    );
    Ok(())
}
