//! The journal against a disk that does its worst: after any end, what loads is a state that there
//! was, and not older than what was promised.
//!
//! Runs are made from seeds. `TIDEGATE_CRASH_SEEDS=1000` plays so many, `TIDEGATE_CRASH_SEED=n` one.

mod crashes {
    // The tests.
    mod at_work;
    mod damage;
    mod foreign;
    mod loss_of_power;
    mod trouble;

    // What they need.
    mod checks;
    pub mod policies;
    pub mod script;
    mod small_directory;
    pub mod watchful;
    pub mod world;
}

const SEEDS: u64 = 40;
const NEW_SEEDS: u64 = 6;
const STEPS: usize = 60;
