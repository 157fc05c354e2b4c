//! The way from functions of scripts to the broker that runs the script.

use super::dropped::Noticing;
use super::{Names, Stack};
use crate::scripting::failure::Failure;
use crate::scripting::running::Running;
use crate::scripting::stop::Stop;
use mlua::{Lua, Result};
use std::any::Any;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU8, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

/// What the functions of one interpreter share. They run on one thread at a time, that of the script: the atomics
/// are there so that an interpreter may move to another thread between two scripts.
pub(in crate::scripting) struct Link {
    /// The running script; null without one, and while it is in use.
    running: AtomicPtr<Running<'static>>,
    /// The number of the reason why the running script must stop; 0 if it need not.
    stop: AtomicU8,
    /// How the running script failed.
    failure: Mutex<Option<Failure>>,
    /// The panic of a command that the script has called.
    panic: Mutex<Option<Box<dyn Any + Send>>>,
    pub(super) names: Names,
    pub(super) noticing: Noticing,
}

impl Link {
    /// The link of a new interpreter.
    ///
    /// # Errors
    /// There is too little memory.
    pub(in crate::scripting) fn new(lua: &Lua) -> Result<Link> {
        let mut names = MaybeUninit::uninit();
        // SAFETY: the closure has no value with a destructor, and leaves the stack as it was.
        unsafe {
            lua.exec_raw::<()>((), |state| {
                names.write(Names::new(Stack(state)));
            })?;
        }
        Ok(Link {
            running: AtomicPtr::default(),
            stop: AtomicU8::default(),
            failure: Mutex::default(),
            panic: Mutex::default(),
            // SAFETY: the closure ran to its end: there was no error.
            names: unsafe { names.assume_init() },
            noticing: Noticing::of(lua)?,
        })
    }

    /// Lends the broker to a script while something is done: entering the script.
    pub(in crate::scripting) fn lend<R>(
        &self,
        running: &mut Running<'_>,
        enter: impl FnOnce() -> R,
    ) -> R {
        struct Taken<'a>(&'a Link);
        impl Drop for Taken<'_> {
            fn drop(&mut self) {
                self.0.running.store(ptr::null_mut(), Relaxed);
            }
        }
        self.stop.store(0, Relaxed);
        // The lifetime is cut off. `Taken` ends the loan before it is over.
        self.running.store(ptr::from_mut(running).cast(), Relaxed);
        let _taken = Taken(self);
        enter()
    }

    /// Does something with the running script. Returns none without a script, and within another such call.
    pub(in crate::scripting) fn with<R>(
        &self,
        does: impl FnOnce(&mut Running<'_>) -> R,
    ) -> Option<R> {
        let running = self.running.swap(ptr::null_mut(), Relaxed);
        // SAFETY: the pointer is null or that of `lend`, which has not returned: it takes the pointer away. Nobody
        // else has it meanwhile: it is taken out here.
        let result = does(unsafe { running.as_mut() }?);
        self.running.store(running, Relaxed);
        Some(result)
    }

    /// Why the running script must stop, if it must.
    pub(in crate::scripting) fn stop(&self) -> Option<Stop> {
        Stop::from_number(self.stop.load(Relaxed))
    }

    /// Makes the running script stop.
    pub(in crate::scripting) fn set_stop(&self, stop: Stop) {
        self.stop.store(stop as u8, Relaxed);
    }

    /// Keeps how the running script failed.
    pub(in crate::scripting) fn set_failure(&self, failure: Failure) {
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
    }

    /// The failure that was kept.
    pub(super) fn take_failure(&self) -> Option<Failure> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Keeps a panic, and makes the script stop.
    pub(super) fn set_panic(&self, panic: Box<dyn Any + Send>) {
        self.set_stop(Stop::Panic);
        *self.panic.lock().unwrap_or_else(PoisonError::into_inner) = Some(panic);
    }

    /// The panic that was kept.
    pub(super) fn take_panic(&self) -> Option<Box<dyn Any + Send>> {
        self.panic.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
