//! Everything that the server is asked over HTTP, in one program: what each file would link anew is linked once, and what waits in
//! one test lets another run. Tests that look at the whole process have their own.
#[path = "../common/mod.rs"]
mod common;
#[path = "../common/world.rs"]
mod world;

mod access;
mod accounts;
mod agents;
mod clock;
mod connections;
mod contract;
mod conventions;
mod deletion;
mod errors;
mod fixtures;
mod postgres;
mod proxy;
mod reports;
mod storage;
mod surface;
mod upstream;
mod webhooks;
