//! Sessions: conversations as far as the server can tell.

mod feed;
mod live;
mod view;

pub(crate) use self::feed::{Feed, Finished};
pub(crate) use self::live::{
    Admission, Ended, Live, TurnRecord, close_idle, close_orphans, end, terminate, terminated_error,
};
pub(crate) use self::view::{detail, event_page, summary, summary_of};
