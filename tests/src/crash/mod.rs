//! The crash checker: load on all pairs, SIGKILL at random, then a comparison of what every client was told.

pub mod check;
mod collect;
pub mod findings;
mod follow;
mod keeper;
mod killer;
mod load;
mod meddler;
mod notebook;
mod outcome;
mod plan;
pub mod points;
mod programs;
pub mod record;
mod relay_database;
mod rest;
mod run;
mod wall_clock;
mod ward;

pub use load::Burst;
pub use outcome::Outcome;
pub use run::{Plan, Run, run};
