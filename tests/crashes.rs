//! The journal on the worst possible disk: after any crash, what loads is always a state the broker was
//! really in, and not older than promised.
//!
//! Runs are made from seeds. `TIDEGATE_CRASH_SEEDS=1000` plays that many, `TIDEGATE_CRASH_SEED=n` one.

mod crashes {
    // The tests.
    mod at_work;
    mod damage;
    mod foreign;
    mod loss_of_power;
    mod trouble;

    // Their support.
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
