//! The masker server: hosted agents over the core, as one axum application.
//!
//! [`Config`] holds the settings, [`State`] what every request shares, [`app`] is the router, and [`serve`] runs it all until a
//! signal. Handlers in `routes` parse, call and answer; what they do lives beside them and knows nothing of HTTP.
//!
//! ```no_run
//! use masker_server::{Config, serve};
//!
//! serve(Config::from_env()?)?;
//! # Ok::<(), masker_server::StartError>(())
//! ```
#![forbid(unsafe_code)]
#![deny(missing_docs, rustdoc::broken_intra_doc_links)]

mod agents;
mod audit;
mod auth;
mod config;
mod crypto;
mod error;
mod http;
mod ids;
mod limits;
mod metrics;
mod openapi;
mod outgoing;
mod policies;
mod proxy;
mod report;
mod router;
mod routes;
mod run;
mod sessions;
mod state;
mod store;
mod time;

pub use self::auth::codes::{Bootstrap, BootstrapError, bootstrap, login_link};
pub use self::config::{Config, Secret, SecretString, StartError};
pub use self::router::app;
pub use self::run::{Handle, check, run_retention, serve, start};
pub use self::state::State;
