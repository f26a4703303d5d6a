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
#![allow(
    clippy::cast_possible_wrap,
    reason = "counts and times stay far below the signed limit, and the database has signed integers only"
)]
#![allow(
    clippy::enum_variant_names,
    reason = "variants of codes and kinds are named as the contract names them"
)]
#![allow(clippy::needless_pass_by_value, reason = "lists of details and of changes are made for the call")]
#![allow(clippy::single_match_else, reason = "a refusal reads best beside the good case")]
#![allow(clippy::struct_field_names, reason = "fields are named as the contract names them")]
#![allow(clippy::unnecessary_wraps, reason = "handlers have one type, whether they can fail or not")]

mod agents;
mod audit;
mod auth;
mod config;
mod connections;
mod crypto;
mod error;
mod http;
mod ids;
mod limits;
mod metrics;
mod openapi;
mod outgoing;
mod owed;
mod policies;
mod probe;
mod proxy;
mod report;
mod router;
mod routes;
mod run;
mod sessions;
mod state;
mod store;
mod time;
mod webhooks;

pub use self::auth::codes::{Bootstrap, BootstrapError, bootstrap, login_link};
pub use self::config::{Config, Secret, SecretString, StartError};
pub use self::router::app;
pub use self::run::{Handle, check, run_retention, serve, start};
pub use self::state::State;
