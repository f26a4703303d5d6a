//! Requests and answers: what every route shares.

pub(crate) mod context;
mod cursor;
mod fields;
pub(crate) mod query;
mod reply;

pub(crate) use self::context::{Context, Precondition};
pub(crate) use self::cursor::Page;
pub(crate) use self::fields::{Fields, field_name, object};
pub(crate) use self::query::Query;
pub(crate) use self::reply::Reply;
