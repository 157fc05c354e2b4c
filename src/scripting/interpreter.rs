//! The Lua interpreter: compiles and runs scripts, in a sandbox and within limits.

use super::reply::Names;
use super::running::{Commands, Running};
use super::{api, failure, libraries, raised, returned, watch};
use crate::resp::{Output, RequestBuffer};
use mlua::chunk::ChunkMode;
use mlua::{
    Error, Function, IntoLua, IntoLuaMulti, Lua, LuaOptions, LuaString, MultiValue, Result, StdLib,
    Table, Value,
};
use std::cell::{Cell, RefCell, RefMut};
use std::result::Result as StdResult;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// A longer text is not parsed. The lexer counts some characters as C integers, which must not overflow.
const SCRIPT_BYTES_MAX: usize = 64 << 20;

/// A compiled script or function.
pub(crate) type Compiled = Function;

/// The arguments of a script.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inputs<'a> {
    /// The names of keys.
    pub(crate) keys: &'a [&'a [u8]],
    /// The other arguments.
    pub(crate) args: &'a [&'a [u8]],
    pub(crate) passing: Passing,
}

/// How arguments get to the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passing {
    /// As the global variables KEYS and ARGV.
    Globals,
    /// As two arguments.
    Arguments,
}

/// An interpreter with the sandbox around scripts. All scripts share it; none can change it.
pub(crate) struct Interpreter {
    pub(super) lua: Lua,
    names: Names,
    call_name: LuaString,
    ask_name: LuaString,
    keys_name: LuaString,
    argv_name: LuaString,
    /// The global variables of scripts, KEYS and ARGV among them.
    globals: Table,
    has_keys: Cell<bool>,
    environment: Table,
    pub(super) library_environment: Table,
    /// What is behind `redis`: its `call` is set while a script runs.
    redis: Table,
    /// What is behind `redis` while a library is loaded.
    pub(super) registration: Table,
    /// Its field `ask` is set while a script runs.
    link: Table,
    run: Function,
    run_with: Function,
    pub(super) begin_library: Function,
    pub(super) end_library: Function,
    /// Whether the running script must stop.
    is_stopped: Arc<AtomicBool>,
    /// The buffer for requests.
    request: RefCell<RequestBuffer>,
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
        let is_stopped = Arc::<AtomicBool>::default();
        let native = native_functions(&lua, &is_stopped)?;
        // Its environment comes from the prelude.
        let environments = lua.create_table()?;
        native.raw_set("compile", compiler(&lua, environments.clone())?)?;
        let prelude = lua.load(include_str!("prelude.lua"));
        let prelude = prelude.set_name(failure::SANDBOX).set_mode(ChunkMode::Text);
        let made: Table = prelude.call(native)?;
        let environment: Table = made.raw_get("environment")?;
        environments.raw_set("script", &environment)?;
        let link: Table = made.raw_get("link")?;
        watch::begin(&lua, &link, &is_stopped)?;
        Ok(Interpreter {
            names: Names::new(&lua)?,
            call_name: lua.create_string("call")?,
            ask_name: lua.create_string("ask")?,
            keys_name: lua.create_string("KEYS")?,
            argv_name: lua.create_string("ARGV")?,
            globals: made.raw_get("globals")?,
            has_keys: Cell::new(false),
            environment,
            library_environment: made.raw_get("library_environment")?,
            redis: made.raw_get("redis")?,
            registration: made.raw_get("registration")?,
            link,
            run: made.raw_get("run")?,
            run_with: made.raw_get("run_with")?,
            begin_library: made.raw_get("begin_library")?,
            end_library: made.raw_get("end_library")?,
            is_stopped,
            request: RefCell::default(),
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
        self.lua.used_memory()
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
        compiled.map_err(|error| raised::described(&error))
    }

    /// Runs compiled code, and writes what it returns. `name` is that of the script in errors; the reply takes
    /// at most `reply_bytes_max`.
    ///
    /// # Errors
    /// The error reply: the script failed.
    pub(crate) fn run(
        &self,
        compiled: &Compiled,
        name: &[u8],
        inputs: Inputs<'_>,
        commands: &mut dyn Commands,
        (output, reply_bytes_max): (&mut Output, usize),
    ) -> StdResult<(), Vec<u8>> {
        let entered = self.run_scoped(commands, || self.enter(compiled, inputs));
        let value = match entered {
            Ok((true, value)) => value,
            Ok((false, error)) => return Err(failure::text(&error, name)),
            Err(error) => return Err(failure::unlocated(&raised::described(&error), name)),
        };
        let mark = output.mark();
        let protocol = commands.protocol();
        let written = returned::write(&self.names, &value, output, protocol, reply_bytes_max);
        if matches!(written, Ok(true)) {
            return Ok(());
        }
        output.truncate(mark);
        Err(b"ERR the script's reply takes more memory than lua-memory-limit allows".to_vec())
    }

    fn enter(&self, compiled: &Compiled, inputs: Inputs<'_>) -> Result<(bool, Value)> {
        let keys = self.sequence(inputs.keys)?;
        let args = self.sequence(inputs.args)?;
        if inputs.passing == Passing::Globals {
            self.has_keys.set(true);
            self.globals.raw_set(&self.keys_name, keys)?;
            self.globals.raw_set(&self.argv_name, args)?;
            return self.run.call(compiled);
        }
        if self.has_keys.take() {
            self.globals.raw_set(&self.keys_name, Value::Nil)?;
            self.globals.raw_set(&self.argv_name, Value::Nil)?;
        }
        self.run_with.call((compiled, keys, args))
    }

    /// Runs code without arguments; returns whether it succeeded, and its value or error.
    pub(super) fn run_unnamed(&self, compiled: &Compiled) -> Result<(bool, Value)> {
        self.run.call(compiled)
    }

    fn sequence(&self, words: &[&[u8]]) -> Result<Table> {
        self.lua.create_sequence_from(words.iter().map(|word| Word(word)))
    }

    /// Does something while scripts have the broker.
    pub(super) fn run_scoped<R>(
        &self,
        commands: &mut dyn Commands,
        enter: impl FnOnce() -> Result<R>,
    ) -> Result<R> {
        self.is_stopped.store(false, Relaxed);
        let request = self.request.take();
        let running = RefCell::new(Running { commands, names: &self.names, request });
        let result = self.lua.scope(|scope| {
            let call = scope
                .create_function(|lua, args: MultiValue| borrow(&running)?.call(lua, &args))?;
            let ask =
                scope.create_function(|lua, args: MultiValue| borrow(&running)?.ask(lua, args))?;
            self.redis.raw_set(&self.call_name, call)?;
            self.link.raw_set(&self.ask_name, ask)?;
            enter()
        });
        self.request.replace(running.into_inner().request);
        result
    }
}

/// The broker of a running script. No command runs scripts, so it is never in use already.
fn borrow<'a, 'b>(running: &'a RefCell<Running<'b>>) -> Result<RefMut<'a, Running<'b>>> {
    running.try_borrow_mut().map_err(|_| raised::text("the broker runs another command"))
}

/// A string of a sequence.
struct Word<'a>(&'a [u8]);

impl IntoLua for Word<'_> {
    fn into_lua(self, lua: &Lua) -> Result<Value> {
        Ok(Value::String(lua.create_string(self.0)?))
    }
}

/// What the prelude gets.
fn native_functions(lua: &Lua, is_stopped: &Arc<AtomicBool>) -> Result<Table> {
    let native = lua.create_table()?;
    native.raw_set("convert", lua.create_function(raised::convert)?)?;
    native.raw_set("locate", lua.create_function(failure::locate)?)?;
    let is_stopped = Arc::clone(is_stopped);
    let is_stopped = lua.create_function(move |_, (): ()| Ok(is_stopped.load(Relaxed)))?;
    native.raw_set("is_stopped", is_stopped)?;
    native.raw_set("redis", api::open(lua)?)?;
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
