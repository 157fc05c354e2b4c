use crate::command::Command;

pub(super) static COMMANDS: &[Command] = &[];
