use super::Entry;
use crate::view::WordHash;

/// Bytes before the first array: magic, logarithm of the slot count, size of the palette.
const HEADER: usize = 16;
const MAGIC: &[u8; 8] = b"MSKLEX02";

/// A packed open-addressed hash table: for each word a fingerprint of 48 bits and an index into a palette of entries.
///
/// Layout, little-endian: magic (8 bytes), log2 of the slot count (u32), palette size (u32), palette (u64 each), slots (u64
/// each: the upper 48 bits of the hash, then the palette index; 0 marks a free slot). Words themselves are not kept: with so
/// much of the hash a word that is not in the table matches one that is with a probability below one in a thousand million.
#[derive(Clone, Copy, Debug)]
pub struct Table<'b> {
    palette: &'b [u8],
    slots: &'b [u8],
    mask: usize,
}

/// The bits of a slot that hold the palette index.
const INDEX: u64 = 0xFFFF;

impl<'b> Table<'b> {
    /// Reads the layout; the arrays stay where they are.
    ///
    /// # Panics
    ///
    /// When the bytes were not made by [`pack`].
    pub fn new(bytes: &'b [u8]) -> Self {
        let (table, rest) = Self::first(bytes);
        assert!(rest.is_empty(), "a packed lexicon of another size");
        table
    }

    /// Reads the layout of a table that others may follow; gives it with the bytes behind it.
    pub(super) fn first(bytes: &'b [u8]) -> (Self, &'b [u8]) {
        assert!(bytes.starts_with(MAGIC), "not a packed lexicon");
        let (bits, palette) = (read_u32(bytes, 8), read_u32(bytes, 12));
        let (palette, rest) = bytes[HEADER..].split_at(palette as usize * 8);
        let (slots, rest) = rest.split_at(8 << bits);
        (Self { palette, slots, mask: (1 << bits) - 1 }, rest)
    }

    /// The entry of a word or phrase, empty where it is not known.
    #[inline]
    pub fn lookup(&self, hash: WordHash) -> Entry {
        self.entry(self.index(hash))
    }

    /// The place of a word's entry among [`Table::entries`], 0 where it is not known.
    #[inline]
    pub(crate) fn index(&self, hash: WordHash) -> usize {
        let mut slot = hash.0 as usize & self.mask;
        loop {
            let found = read_u64(self.slots, slot * 8);
            if found == 0 {
                return 0;
            }
            if (found ^ hash.0) & !INDEX == 0 {
                return (found & INDEX) as usize;
            }
            slot = (slot + 1) & self.mask;
        }
    }

    /// The words, with the places of their entries. The lowest 16 bits of the hashes are not kept and are zero.
    pub(crate) fn words(&self) -> impl Iterator<Item = (WordHash, usize)> {
        let slots = (0..=self.mask).map(|slot| read_u64(self.slots, slot * 8)).filter(|slot| *slot != 0);
        slots.map(|slot| (WordHash(slot & !INDEX), (slot & INDEX) as usize))
    }

    /// The different entries, of which the first is the empty one.
    pub(crate) fn entries(&self) -> impl Iterator<Item = Entry> {
        (0..self.palette.len() / 8).map(|index| self.entry(index))
    }

    #[inline]
    fn entry(&self, index: usize) -> Entry {
        Entry(read_u64(self.palette, index * 8))
    }
}

fn read_u32(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes were taken"))
}

fn read_u64(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes were taken"))
}

/// Packs entries; the same entries give the same bytes in whatever order they come.
///
/// # Panics
///
/// When there are more than 65,535 different entries.
pub fn pack(entries: impl IntoIterator<Item = (WordHash, Entry)>) -> Vec<u8> {
    let mut entries: Vec<_> = entries.into_iter().filter(|(_, entry)| *entry != Entry::default()).collect();
    entries.sort_unstable();
    let mut palette: Vec<Entry> = entries.iter().map(|(_, entry)| *entry).collect();
    palette.push(Entry::default());
    palette.sort_unstable();
    palette.dedup();
    let bits = (entries.len() * 10 / 7).next_power_of_two().trailing_zeros();
    let mask = (1 << bits) - 1;
    let mut slots = vec![0_u64; 1 << bits];
    for (hash, entry) in entries {
        let index = palette.binary_search(&entry).expect("every entry is in the palette");
        let index = u16::try_from(index).expect("fewer than 65,536 different entries");
        let mut slot = hash.0 as usize & mask;
        while slots[slot] != 0 {
            slot = (slot + 1) & mask;
        }
        // The empty entry is the least, so no index is 0 and no slot taken looks free.
        slots[slot] = (hash.0 & !INDEX) | u64::from(index);
    }
    let mut bytes = MAGIC.to_vec();
    bytes.extend(bits.to_le_bytes());
    bytes.extend((palette.len() as u32).to_le_bytes());
    bytes.extend(palette.iter().flat_map(|entry| entry.0.to_le_bytes()));
    bytes.extend(slots.iter().flat_map(|slot| slot.to_le_bytes()));
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::hash_word;

    #[test]
    fn finds_what_was_packed_and_nothing_else() {
        let words: Vec<String> = (0..2000).map(|i| format!("word{i}")).collect();
        let packed =
            pack(words.iter().enumerate().map(|(i, w)| (hash_word(w.as_bytes()), Entry(i as u64 % 50 + 1))));
        let table = Table::new(&packed);
        for (i, word) in words.iter().enumerate() {
            assert_eq!(table.lookup(hash_word(word.as_bytes())), Entry(i as u64 % 50 + 1));
        }
        assert!(
            (2000..9000).all(|i| table.lookup(hash_word(format!("word{i}").as_bytes())) == Entry::default())
        );
    }

    #[test]
    fn order_of_the_entries_does_not_matter() {
        let entries: Vec<_> = (0..100_u64).map(|i| (hash_word(&i.to_le_bytes()), Entry(i % 7 + 1))).collect();
        assert_eq!(pack(entries.clone()), pack(entries.into_iter().rev()));
    }
}
