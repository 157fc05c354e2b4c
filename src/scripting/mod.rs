//! The Lua interpreter of scripts, which knows neither the state nor the commands of the broker.
//!
//! | module | responsibility |
//! |---|---|
//! | `interpreter` | compiling and running, in the sandbox of `prelude.lua` |
//! | `running`, `questions` | what a running script asks of the broker |
//! | `watch`, `stop` | the look at the clock; why a script must stop |
//! | `stack` | entering a script, `redis.call`, and the conversions of replies: on Lua's stack itself |
//! | `raised`, `failure` | errors raised in Rust; the error reply of a script that failed |
//! | `api` | the functions of `redis` that ask nothing of the broker |
//! | `libraries`, `params` | `cjson`, `cmsgpack`, `struct`, `bit`; arguments |
//! | `cache`, `flags` | compiled scripts by name; the properties in their first line |
//! | `functions` | loaded libraries of functions |
//! | `state` | all of this that lasts beyond a script |
//!
//! Lua itself is C code. It, and `stack`, which uses it without `mlua`, are the only unsafe code that clients can
//! give scripts to. What protects them is in `docs/scripting.md`.

mod api;
mod cache;
mod failure;
pub(crate) mod flags;
mod functions;
mod interpreter;
mod libraries;
mod params;
mod questions;
mod raised;
mod running;
mod stack;
mod state;
mod stop;
mod watch;

pub(crate) use cache::{Script, ScriptCache, ScriptName};
pub(crate) use functions::{Functions, LoadedLibraries, load_library};
pub(crate) use interpreter::Interpreter;
pub(crate) use running::Commands;
pub(crate) use stack::{Compiled, CompiledId, Inputs, Passing};
pub(crate) use state::Scripting;
pub(crate) use stop::Stop;
