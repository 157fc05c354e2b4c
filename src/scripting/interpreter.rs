//! The Lua interpreter: compiles and runs scripts, in a sandbox and within limits.

use super::running::{Commands, Running};
use super::stack::{self, Compiled, CompiledId, Ended, Entry, Inputs, Link, Written, enter};
use super::{api, failure, libraries, questions, raised, watch};
use crate::resp::{Output, RequestBuffer};
use mlua::chunk::ChunkMode;
use mlua::{
    Error, Function, IntoLuaMulti, Lua, LuaOptions, LuaString, Result, StdLib, Table, Value,
};
use std::result::Result as StdResult;
use std::sync::Arc;

/// A longer text is not parsed. The lexer counts some characters as C integers, which must not overflow.
const SCRIPT_BYTES_MAX: usize = 64 << 20;

/// An interpreter with the sandbox around scripts. All scripts share it; none can change it.
pub(crate) struct Interpreter {
    pub(super) lua: Lua,
    pub(super) entry: Entry,
    environment: Table,
    pub(super) library_environment: Table,
    /// What is behind `redis` while a library is loaded.
    pub(super) registration: Table,
    pub(super) begin_library: Function,
    pub(super) end_library: Function,
    /// The functions of Lua know it by its address.
    link: Arc<Link>,
    /// The buffer for requests.
    request: RequestBuffer,
}

impl std::fmt::Debug for Interpreter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Interpreter").finish_non_exhaustive()
    }
}

impl Interpreter {
    /// An interpreter whose scripts may take this much memory, all together.
    ///
    /// # Errors
    /// That is not even enough for the sandbox.
    pub(crate) fn new(memory_bytes_max: usize) -> Result<Interpreter> {
        let used = StdLib::TABLE | StdLib::STRING | StdLib::MATH | StdLib::OS;
        let lua = Lua::new_with(used, LuaOptions::new().catch_rust_panics(false))?;
        lua.set_memory_limit(memory_bytes_max)?;
        let link = Arc::new(Link::new(&lua)?);
        let native = native_functions(&lua, &link)?;
        // Its environment comes from the prelude.
        let environments = lua.create_table()?;
        native.raw_set("compile", compiler(&lua, environments.clone())?)?;
        let prelude = lua.load(include_str!("prelude.lua"));
        let prelude = prelude.set_name(failure::SANDBOX).set_mode(ChunkMode::Text);
        let made: Table = prelude.call(native)?;
        let environment: Table = made.raw_get("environment")?;
        environments.raw_set("script", &environment)?;
        watch::begin(&lua, &link)?;
        let failed = Arc::clone(&link);
        let handler = lua.create_function(move |lua, error| {
            failed.set_failure(failure::locate(lua, error)?);
            Ok(())
        })?;
        Ok(Interpreter {
            entry: Entry::new(&lua, &handler, &made.raw_get("globals")?)?,
            environment,
            library_environment: made.raw_get("library_environment")?,
            registration: made.raw_get("registration")?,
            begin_library: made.raw_get("begin_library")?,
            end_library: made.raw_get("end_library")?,
            link,
            request: RequestBuffer::default(),
            lua,
        })
    }

    /// Changes how much memory scripts may take.
    pub(crate) fn set_memory_limit(&self, bytes: usize) {
        // The interpreter's memory is always its own.
        let _ = self.lua.set_memory_limit(bytes);
    }

    /// Bytes of memory in use.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.entry.memory_bytes()
    }

    /// Frees what is not in use.
    pub(crate) fn collect_garbage(&self) {
        // There are no finalizers that could fail.
        let _ = self.lua.gc_collect();
    }

    /// Compiles a script.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn compile(&self, text: &[u8]) -> StdResult<Compiled, String> {
        self.compile_in(&self.environment, "@user_script", text)
    }

    pub(super) fn compile_in(
        &self,
        environment: &Table,
        name: &str,
        text: &[u8],
    ) -> StdResult<Compiled, String> {
        let compiled = compile(&self.lua, environment.clone(), name, text);
        let compiled = compiled.and_then(|compiled| self.entry.add(&self.lua, compiled));
        compiled.map_err(|error| raised::described(&error))
    }

    /// Runs compiled code, and writes what it returns. `name` is that of the script in errors; the reply takes
    /// at most `reply_bytes_max`.
    ///
    /// # Errors
    /// The error reply: the script failed.
    pub(crate) fn run(
        &mut self,
        compiled: CompiledId,
        name: &[u8],
        inputs: Inputs<'_>,
        commands: &mut dyn Commands,
        (output, reply_bytes_max): (&mut Output, usize),
    ) -> StdResult<(), Vec<u8>> {
        let mark = output.mark();
        let written = Written { output: &mut *output, bytes_max: reply_bytes_max };
        match self.enter(compiled, Some(inputs), Some(written), commands) {
            Ended::Written => Ok(()),
            Ended::TooLong => {
                output.truncate(mark);
                let text = "ERR the script's reply takes more memory than lua-memory-limit allows";
                Err(text.into())
            }
            Ended::Failed(failure) => Err(failure.reply(name)),
        }
    }

    /// Runs compiled code without arguments, whose value is not used.
    ///
    /// # Errors
    /// The error reply, without the place of the error.
    pub(super) fn run_unnamed(
        &mut self,
        compiled: &Compiled,
        commands: &mut dyn Commands,
    ) -> StdResult<(), Vec<u8>> {
        match self.enter(compiled.id(), None, None, commands) {
            Ended::Failed(failure) => Err(failure.into_text()),
            Ended::Written | Ended::TooLong => Ok(()),
        }
    }

    fn enter(
        &mut self,
        compiled: CompiledId,
        inputs: Option<Inputs<'_>>,
        written: Option<Written<'_>>,
        commands: &mut dyn Commands,
    ) -> Ended {
        let request = std::mem::take(&mut self.request);
        let mut running = Running { commands, request };
        let entering = || enter((&self.link, self.entry), compiled, inputs, written);
        let ended = self.link.lend(&mut running, entering);
        self.request = running.request;
        ended
    }
}

/// What the prelude gets.
fn native_functions(lua: &Lua, link: &Arc<Link>) -> Result<Table> {
    let native = lua.create_table()?;
    native.raw_set("convert", lua.create_function(raised::convert)?)?;
    let asked = Arc::clone(link);
    let is_stopped = lua.create_function(move |_, (): ()| Ok(asked.stop().is_some()))?;
    native.raw_set("is_stopped", is_stopped)?;
    let asked = Arc::clone(link);
    let ask = lua.create_function(move |lua, args| questions::ask(&asked, lua, args))?;
    native.raw_set("ask", ask)?;
    let redis = api::open(lua)?;
    let (call, pcall) = stack::functions(lua, link)?;
    redis.raw_set("call", call)?;
    redis.raw_set("pcall", pcall)?;
    native.raw_set("redis", redis)?;
    native.raw_set("constants", api::constants(lua)?)?;
    libraries::open(lua, &native)?;
    Ok(native)
}

/// `loadstring`: the compiled text, or nil and what is wrong with it.
fn compiler(lua: &Lua, environments: Table) -> Result<Function> {
    lua.create_function(move |lua, (text, name): (LuaString, Option<LuaString>)| {
        let text = text.as_bytes();
        let name = name.map_or_else(|| text.to_vec(), |name| name.as_bytes().to_vec());
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        let name = String::from_utf8_lossy(name.get(..1024).unwrap_or(name)).into_owned();
        match compile(lua, environments.raw_get("script")?, &name, &text) {
            Ok(compiled) => (compiled,).into_lua_multi(lua),
            Err(error) => (Value::Nil, raised::described(&error)).into_lua_multi(lua),
        }
    })
}

/// Compiles a text. The parser reads it from one buffer, and calls no code of the script meanwhile.
fn compile(lua: &Lua, environment: Table, name: &str, text: &[u8]) -> Result<Function> {
    if text.len() > SCRIPT_BYTES_MAX {
        return Err(Error::runtime(format!("the script is longer than {SCRIPT_BYTES_MAX} bytes")));
    }
    // Bytecode is refused: Lua does not check it.
    let chunk = lua.load(text).set_mode(ChunkMode::Text).set_name(name);
    chunk.set_environment(environment).into_function()
}
