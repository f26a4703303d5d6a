//! The masker server: what its routes do, without HTTP.
//!
//! ```
//! use masker_server::{MaskRequest, Server};
//!
//! let server = Server::new()?;
//! let answer = server.mask(&MaskRequest { text: "please call 415-555-0142".into() })?;
//! assert_eq!(answer.redaction_count, 1);
//! assert!(!answer.masked.contains("0142"));
//! # Ok::<(), masker_core::Error>(())
//! ```
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod mask;
mod state;

pub use self::mask::{MaskAnswer, MaskEvent, MaskRequest};
pub use self::state::Server;
