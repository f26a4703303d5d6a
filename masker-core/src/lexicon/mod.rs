//! What masker knows about words: names, places, common words and medical terms, in one packed table.
//!
//! The table is part of the binary and is read where it lies; nothing is parsed at start-up. `cargo xtask gen` packs it from
//! `data/sources`.

mod entry;
mod table;

pub use self::entry::{Entry, EntryBuilder};
pub use self::table::{Table, pack};

use std::sync::LazyLock;

use crate::view::WordHash;

static PACKED: &[u8] = include_bytes!("../../data/packed/lexicon.bin");
static TABLE: LazyLock<Table<'static>> = LazyLock::new(|| Table::new(PACKED));

/// Looks a word or phrase up in the table that ships with masker; unknown words have the empty entry.
///
/// ```
/// use masker_core::lexicon::lookup;
/// use masker_core::view::hash_word;
///
/// assert!(lookup(hash_word(b"jennifer")).given_name() > 4);
/// assert_eq!(lookup(hash_word(b"jennifer")).common(), 0);
/// assert_eq!(lookup(hash_word(b"qqqqqq")), Default::default());
/// ```
pub fn lookup(hash: WordHash) -> Entry {
    TABLE.lookup(hash)
}
