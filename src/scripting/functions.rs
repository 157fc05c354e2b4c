//! Libraries of functions: running their code, which registers the functions, and keeping those.

use super::flags::{self, invalid_name, is_name};
use super::interpreter::Interpreter;
use super::raised;
use super::running::Commands;
use super::stack::Compiled;
use crate::library::{FunctionInfo, Library, ScriptFlags};
use ahash::RandomState;
use mlua::{Function, Lua, MultiValue, Result, Table, Value};
use std::collections::HashMap;
use std::result::Result as StdResult;
use std::sync::{Arc, Mutex, PoisonError};

/// The functions of a library, ready to be called.
pub(crate) type Functions = HashMap<Box<[u8]>, Compiled, RandomState>;

/// The libraries that were run, so that their functions can be called.
#[derive(Debug, Default)]
pub(crate) struct LoadedLibraries {
    by_name: HashMap<Box<[u8]>, (Arc<Library>, Functions), RandomState>,
}

impl LoadedLibraries {
    /// The function of a library; none if this version of the library was not run.
    #[inline]
    pub(crate) fn function(&self, library: &Arc<Library>, name: &[u8]) -> Option<&Compiled> {
        let (loaded, functions) = self.by_name.get(&library.name)?;
        if !Arc::ptr_eq(loaded, library) {
            return None;
        }
        functions.get(name)
    }

    /// Adds the functions of a library.
    pub(crate) fn add(&mut self, library: &Arc<Library>, functions: Functions) {
        self.by_name.insert(library.name.clone(), (Arc::clone(library), functions));
    }

    /// Forgets a library.
    pub(crate) fn remove(&mut self, name: &[u8]) {
        self.by_name.remove(name);
    }

    /// Forgets all libraries.
    pub(crate) fn clear(&mut self) {
        self.by_name.clear();
    }
}

/// A function that was registered.
struct Registered {
    info: FunctionInfo,
    function: Function,
}

/// Runs the code of a library, which registers its functions.
///
/// # Errors
/// The error reply.
pub(crate) fn load_library(
    interpreter: &mut Interpreter,
    text: &[u8],
    commands: &mut dyn Commands,
) -> StdResult<(Library, Functions), Vec<u8>> {
    let (name, code) = flags::of_library(text)?;
    let environment = &interpreter.library_environment;
    let compiled = interpreter.compile_in(environment, "@user_function", code);
    let compiled = compiled.map_err(|error| format!("ERR Error compiling function: {error}"))?;
    let registered = register(interpreter, &compiled, commands)
        .map_err(|error| [b"ERR Error registering functions: ", &error[..]].concat())?;
    if registered.is_empty() {
        return Err(b"ERR No functions registered".to_vec());
    }
    let mut functions = Functions::default();
    let mut infos = Vec::with_capacity(registered.len());
    for Registered { info, function } in registered {
        let compiled = interpreter.entry.add(&interpreter.lua, function);
        let compiled = compiled.map_err(|error| raised::described(&error).into_bytes())?;
        functions.insert(info.name.clone(), compiled);
        infos.push(info);
    }
    let library = Library { name: name.into(), code: text.into(), functions: infos };
    Ok((library, functions))
}

/// Runs a library's code; returns what it registered, or its error.
fn register(
    interpreter: &mut Interpreter,
    compiled: &Compiled,
    commands: &mut dyn Commands,
) -> StdResult<Vec<Registered>, Vec<u8>> {
    let registered = Arc::<Mutex<Vec<Registered>>>::default();
    let own = |error: mlua::Error| raised::described(&error).into_bytes();
    let adds_to = Arc::clone(&registered);
    let function = interpreter.lua.create_function(move |lua, args: MultiValue| {
        let function = registration(lua, args)?;
        let mut registered = adds_to.lock().unwrap_or_else(PoisonError::into_inner);
        if registered.iter().any(|other| other.info.name == function.info.name) {
            return Err(raised::reply("ERR Function already exists in the library"));
        }
        registered.push(function);
        Ok(())
    });
    let function = function.map_err(own)?;
    interpreter.registration.raw_set("register_function", function).map_err(own)?;
    interpreter.begin_library.call::<()>(()).map_err(own)?;
    let entered = interpreter.run_unnamed(compiled, commands);
    interpreter.end_library.call::<()>(()).map_err(own)?;
    interpreter.registration.raw_set("register_function", Value::Nil).map_err(own)?;
    entered?;
    let mut registered = registered.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(std::mem::take(&mut *registered))
}

/// The arguments of `redis.register_function`: a name and a function, or a table of named arguments.
fn registration(lua: &Lua, args: MultiValue) -> Result<Registered> {
    let mut args = args.into_iter();
    match (args.next(), args.next(), args.next()) {
        (Some(Value::Table(named)), None, _) => named_registration(lua, &named),
        (Some(_), None, _) => Err(raised::reply(
            "ERR calling redis.register_function with a single argument is only applicable to Lua \
             table (representing named arguments).",
        )),
        (Some(name), Some(function), None) => {
            let name = string(lua, &name)?;
            let name = name.ok_or_else(|| {
                raised::reply("ERR first argument to redis.register_function must be a string")
            })?;
            let Value::Function(function) = function else {
                let text = "ERR second argument to redis.register_function must be a function";
                return Err(raised::reply(text));
            };
            checked(name, None, ScriptFlags::default(), function)
        }
        _ => Err(raised::reply("ERR wrong number of arguments to redis.register_function")),
    }
}

/// A string, or a number as one.
fn string(lua: &Lua, value: &Value) -> Result<Option<Vec<u8>>> {
    match value {
        Value::String(_) | Value::Integer(_) | Value::Number(_) => {
            let string = lua.coerce_string(value.clone())?;
            Ok(string.map(|string| string.as_bytes().to_vec()))
        }
        _ => Ok(None),
    }
}

fn checked(
    name: Vec<u8>,
    description: Option<Vec<u8>>,
    flags: ScriptFlags,
    function: Function,
) -> Result<Registered> {
    if !is_name(&name) {
        return Err(raised::reply(invalid_name("Function")));
    }
    let description = description.map(Vec::into_boxed_slice);
    Ok(Registered { info: FunctionInfo { name: name.into(), description, flags }, function })
}

fn named_registration(lua: &Lua, named: &Table) -> Result<Registered> {
    let (mut name, mut description, mut function) = (None, None, None);
    let mut flags = ScriptFlags::default();
    let must_be = |argument: &str, what: &str| {
        raised::reply(format!(
            "ERR {argument} argument given to redis.register_function must be a {what}"
        ))
    };
    for pair in named.pairs::<Value, Value>() {
        let (key, value) = pair?;
        let key = string(lua, &key)?.ok_or_else(|| {
            raised::reply("ERR named argument key given to redis.register_function is not a string")
        })?;
        match &key[..] {
            b"function_name" => {
                let text = string(lua, &value)?;
                name = Some(text.ok_or_else(|| must_be("function_name", "string"))?);
            }
            b"description" => {
                let text = string(lua, &value)?;
                description = Some(text.ok_or_else(|| must_be("description", "string"))?);
            }
            b"callback" => {
                let Value::Function(callback) = value else {
                    return Err(must_be("callback", "function"));
                };
                function = Some(callback);
            }
            b"flags" => flags = flags_in(&value)?,
            _ => {
                let text = "ERR unknown argument given to redis.register_function";
                return Err(raised::reply(text));
            }
        }
    }
    let name = name.ok_or_else(|| {
        raised::reply("ERR redis.register_function must get a function name argument")
    })?;
    let function = function
        .ok_or_else(|| raised::reply("ERR redis.register_function must get a callback argument"))?;
    checked(name, description, flags, function)
}

fn flags_in(value: &Value) -> Result<ScriptFlags> {
    let Value::Table(names) = value else {
        return Err(raised::reply(
            "ERR flags argument to redis.register_function must be a table representing function \
             flags",
        ));
    };
    let mut flags = ScriptFlags::default();
    for name in names.sequence_values::<Value>() {
        let flag = match name? {
            Value::String(name) => ScriptFlags::named(&name.as_bytes()),
            _ => None,
        };
        flags = flags.with(flag.ok_or_else(|| raised::reply("ERR unknown flag given"))?);
    }
    Ok(flags)
}
