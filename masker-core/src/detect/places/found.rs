//! What a place is, and what may stand between its words.

use crate::Kind;
use crate::detect::document::Document;
use crate::view::Gap;

/// The words of a place.
pub(super) struct Found {
    pub(super) kind: Kind,
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) score: f32,
    pub(super) recognizer: &'static str,
    /// A ZIP code that stands apart from the place.
    pub(super) zip: Option<(usize, usize)>,
}

/// Whether a word and the one before it may belong to one line of an address.
pub(super) fn close(document: &Document<'_>, at: usize) -> bool {
    document.gap(at).only(Gap::SPACE.with(Gap::HYPHEN).with(Gap::STOP).with(Gap::SENTENCE).with(Gap::LINE))
        && (!document.gap(at).has(Gap::SENTENCE) || !document.begins_sentence(at))
}

/// Whether nothing more than a comma or the end of a line parts a word from the one before it.
pub(super) fn close_or_comma(document: &Document<'_>, at: usize) -> bool {
    document.gap(at).only(Gap::SPACE.with(Gap::STOP).with(Gap::COMMA).with(Gap::LINE))
}
