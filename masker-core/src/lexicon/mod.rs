//! What masker knows about words: names, places, common words and medical terms, in one packed table.
//!
//! The table is part of the binary and is read where it lies; nothing is parsed at start-up. `cargo xtask gen` packs it from
//! `data/sources`.

#[cfg(feature = "small")]
mod dense;
mod entry;
mod table;

pub use self::entry::{Entry, EntryBuilder};
pub use self::table::{Table, pack};

use std::sync::LazyLock;

use crate::view::WordHash;

static SHIPPED: LazyLock<Lexicon> = LazyLock::new(|| Lexicon::new(packed()));

#[cfg(not(feature = "small"))]
fn packed() -> &'static [u8] {
    include_bytes!("../../data/packed/lexicon.bin")
}

/// Lives as long as the program, as the bytes in the binary do.
#[cfg(feature = "small")]
fn packed() -> &'static [u8] {
    dense::expand(include_bytes!(concat!(env!("OUT_DIR"), "/lexicon.dense"))).leak()
}

/// Two tables: the words that most texts are made of, small enough to stay near the processor, and the others.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lexicon {
    /// The words that most texts are made of.
    pub(crate) common: Table<'static>,
    pub(crate) others: Table<'static>,
}

impl Lexicon {
    fn new(bytes: &'static [u8]) -> Self {
        let (common, others) = Table::first(bytes);
        Self { common, others: Table::new(others) }
    }

    /// The entry of a word or phrase, empty where it is not known.
    #[inline]
    pub(crate) fn lookup(&self, hash: WordHash) -> Entry {
        let entry = self.common.lookup(hash);
        if entry == Entry::default() { self.others.lookup(hash) } else { entry }
    }
}

/// What ships with masker.
pub(crate) fn shipped() -> &'static Lexicon {
    &SHIPPED
}

/// Packs entries into the two tables of a lexicon, which follow one another.
///
/// # Panics
///
/// When there are more than 65,535 different entries.
pub fn pack_lexicon(entries: impl IntoIterator<Item = (WordHash, Entry)>) -> Vec<u8> {
    let (common, others): (Vec<_>, Vec<_>) =
        entries.into_iter().partition(|(_, entry)| entry.common() >= 4 || entry.basic() == 1);
    [pack(common), pack(others)].concat()
}

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
    SHIPPED.lookup(hash)
}
