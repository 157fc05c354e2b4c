pub mod clock;
pub mod glob;
pub mod queue;
pub mod resp;
