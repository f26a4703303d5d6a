//! Sets of words: those at which something may begin, so that the rules look at no others.

use std::fmt;

use smallvec::SmallVec;

/// The sets a word is in, as flags; those up to [`Flags::CASED`] are kept for a whole document.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Flags(u32);

impl Flags {
    /// A code may begin here.
    pub(crate) const CODE: Self = Self(1);
    /// A cue phrase may begin here.
    pub(crate) const CUE: Self = Self(1 << 1);
    /// Has digits.
    pub(crate) const DIGITS: Self = Self(1 << 2);
    /// A name may begin here if it is one that was learnt, or close to it.
    pub(crate) const LEARNT: Self = Self(1 << 3);
    /// Before a street it makes up for a missing house number.
    pub(crate) const LEADS_STREET: Self = Self(1 << 4);
    /// Before a town it says that somebody or something is there.
    pub(crate) const LEADS_TOWN: Self = Self(1 << 5);
    /// Something before the word, which is no cue, leads to a name.
    pub(crate) const LED: Self = Self(1 << 6);
    /// A name may begin here, whatever stands before it.
    pub(crate) const NAME: Self = Self(1 << 7);
    /// Begins a number that is said.
    pub(crate) const NUMBER: Self = Self(1 << 8);
    /// Begins a unit of an address, or the address of a post office box.
    pub(crate) const PLACE: Self = Self(1 << 9);
    /// Rare and of many uses: may begin a date, names a speaker, or is "at" or "dot".
    pub(crate) const RARE: Self = Self(1 << 10);
    /// The name of a state, or the first word of one; "county".
    pub(crate) const STATE: Self = Self(1 << 11);
    /// Part of the name of a street.
    pub(crate) const SUFFIX: Self = Self(1 << 12);
    /// The name of a town or county, or the first word of one.
    pub(crate) const TOWN: Self = Self(1 << 13);

    /// Before it stands something that may be part of an address in a network.
    pub(crate) const SIGNED: Self = Self(1 << 14);
    /// The word or one shortly before it in its turn is capitalised.
    pub(crate) const CASED: Self = Self(1 << 16);

    /// The sets that are kept.
    const SETS: usize = 17;

    /// In small letters, where capitals mean nothing, it may be a name.
    pub(crate) const SMALL_NAME: Self = Self(1 << 24);
    /// With a capital it may be a name.
    pub(crate) const CAPITAL_NAME: Self = Self(1 << 25);
    /// In small letters it may be a name that was learnt.
    pub(crate) const SMALL_LEARNT: Self = Self(1 << 26);
    /// In small letters it may be a name where something leads to it.
    pub(crate) const SMALL_LED: Self = Self(1 << 27);
    /// With a capital it may be a name where something leads to it.
    pub(crate) const CAPITAL_LED: Self = Self(1 << 28);
    /// Some cue phrase begins with it.
    pub(crate) const CUE_GOES_ON: Self = Self(1 << 29);
    /// Some cue phrase goes on with it.
    pub(crate) const CUE_INSIDE: Self = Self(1 << 30);
    /// In small letters it is in no set for what stands around it, but for that of cues and unless what stands before it tells
    /// something.
    pub(crate) const PLAIN: Self = Self(1 << 31);

    /// Whether any flag of `other` is set.
    pub(crate) const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Both sets of flags together.
    #[must_use]
    pub(crate) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// These flags where a condition holds, else none.
    #[must_use]
    pub(crate) fn when(self, condition: bool) -> Self {
        Self(self.0 * u32::from(condition))
    }

    /// These flags without those of `other`.
    #[must_use]
    pub(crate) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The first sixteen.
    pub(crate) const fn first(self) -> u16 {
        self.0 as u16
    }

    const fn index(self) -> usize {
        self.0.trailing_zeros() as usize
    }
}

/// For every one of the kept [`Flags`] the words of a document that have it.
///
/// The flags are collected word by word, and turned into sets at the end: to add a word to each of its sets at once takes a
/// branch for each, which nothing can foresee.
#[derive(Default)]
pub(crate) struct Starts {
    /// The first sixteen flags of every word, behind the place of a word that is none.
    words: Vec<u16>,
    /// In its first places, the words of which more has to be found out.
    odd: Vec<u32>,
    /// How many those are.
    pub(crate) odds: usize,
    /// For 64 words each, a bit for every word that has the flag.
    blocks: Vec<[u64; Flags::SETS]>,
}

/// Words in a block.
const BLOCK: usize = 64;

/// The sets; not what they were made of.
impl fmt::Debug for Starts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let odd = &self.odd[..self.odds];
        f.debug_struct("Starts").field("odd", &odd).field("blocks", &self.blocks).finish_non_exhaustive()
    }
}

impl Starts {
    /// Begins anew with so many words. Gives room for the first flags of each, behind the place of a word that is none, and for
    /// those of which more has to be found out.
    pub(crate) fn begin(&mut self, words: usize) -> (&mut [u16], &mut [u32]) {
        let room = words.next_multiple_of(BLOCK) + 1;
        if self.words.len() < room {
            self.words.resize(room, 0);
            self.odd.resize(room, 0);
        }
        self.blocks.clear();
        self.blocks.resize(words.div_ceil(BLOCK), [0; Flags::SETS]);
        (&mut self.words[..=words], &mut self.odd)
    }

    /// Adds flags to those of a word.
    #[inline(always)]
    pub(crate) fn add(&mut self, word: usize, flags: Flags) {
        self.words[word + 1] |= flags.first();
    }

    /// Makes the sets of the flags that so many words were given.
    pub(crate) fn end(&mut self, words: usize) {
        self.words[words + 1..=words.next_multiple_of(BLOCK)].fill(0);
        let (blocks, _) = self.words[1..].as_chunks();
        for (sets, flags) in self.blocks.iter_mut().zip(blocks) {
            sets[..16].copy_from_slice(&transposed(flags));
        }
    }

    /// The words of which more has to be found out, in order.
    pub(crate) fn odd(&self) -> impl Iterator<Item = usize> {
        self.odd[..self.odds].iter().map(|&word| word as usize)
    }

    /// One of them, by its place.
    #[inline]
    pub(crate) fn nth_odd(&self, place: usize) -> Option<usize> {
        self.odd[..self.odds].get(place).map(|&word| word as usize)
    }

    /// Adds a flag to those of the words `start..end`.
    pub(crate) fn add_range(&mut self, flag: Flags, start: usize, end: usize) {
        let index = flag.index();
        let mut word = start;
        while word < end {
            let stop = end.min((word / BLOCK + 1) * BLOCK);
            let bits = u64::MAX >> (BLOCK - (stop - word)) << (word % BLOCK);
            self.blocks[word / BLOCK][index] |= bits;
            word = stop;
        }
    }

    /// Whether a word has a flag.
    pub(crate) fn has(&self, flag: Flags, word: usize) -> bool {
        let index = flag.index();
        self.blocks.get(word / BLOCK).is_some_and(|sets| sets[index] & (1 << (word % BLOCK)) != 0)
    }

    /// The words that have a flag, in order.
    #[inline]
    pub(crate) fn of(&self, flag: Flags) -> impl Iterator<Item = usize> {
        let index = flag.index();
        self.blocks
            .iter()
            .enumerate()
            .flat_map(move |(block, sets)| Bits { base: block * BLOCK, left: sets[index] })
    }

    /// The words that have one flag or another, in order.
    pub(crate) fn either(&self, one: Flags, other: Flags) -> impl Iterator<Item = usize> {
        let (one, other) = (one.index(), other.index());
        self.blocks
            .iter()
            .enumerate()
            .flat_map(move |(block, sets)| Bits { base: block * BLOCK, left: sets[one] | sets[other] })
    }

    /// The words that have a flag, as a set to go on with.
    pub(crate) fn set(&self, flag: Flags) -> WordSet {
        let index = flag.index();
        WordSet(self.blocks.iter().map(|sets| sets[index]).collect())
    }

    /// An empty set of words of the document.
    pub(crate) fn no_words(&self) -> WordSet {
        WordSet(SmallVec::from_elem(0, self.blocks.len()))
    }

    /// The words that may begin a place. A street shows by its suffix, a unit or a state, and a town by a state, unless a place is
    /// `expected` at a word.
    pub(crate) fn places(&self, expected: &WordSet) -> WordSet {
        let mut places = SmallVec::with_capacity(self.blocks.len());
        // What stands before the block at hand, and behind it.
        let mut before = [0; 2];
        for (at, sets) in self.blocks.iter().enumerate() {
            let none = [0; Flags::SETS];
            let next = self.blocks.get(at + 1).unwrap_or(&none);
            let leads = [Flags::LEADS_STREET, Flags::LEADS_TOWN].map(|flag| sets[flag.index()]);
            let [led_to_street, led_to_town] =
                [0, 1].map(|lead| leads[lead] << 1 | before[lead] >> (BLOCK - 1));
            before = leads;
            let suffix = reach_back::<16>(sets[Flags::SUFFIX.index()], next[Flags::SUFFIX.index()]);
            let state = reach_back::<8>(sets[Flags::STATE.index()], next[Flags::STATE.index()]);
            let number = sets[Flags::NUMBER.index()] | sets[Flags::DIGITS.index()];
            let town = sets[Flags::TOWN.index()];
            let unit = reach_back::<8>(sets[Flags::PLACE.index()], next[Flags::PLACE.index()]);
            // "1200 Peachtree, Atlanta, GA", "10-12 Peachtree, Atlanta, GA"
            let before_name = reach_back::<2>(sets[Flags::NAME.index()], next[Flags::NAME.index()]);
            let named = sets[Flags::DIGITS.index()] & before_name & state;
            let street = (number | led_to_street) & suffix | number & (expected.0[at] | unit) | named;
            places.push(sets[Flags::PLACE.index()] | street | town & (led_to_town | state | expected.0[at]));
        }
        WordSet(places)
    }

    /// Whether some word of `start..end`, of which there are fewer than 64, has a flag.
    #[inline]
    pub(crate) fn any(&self, flag: Flags, start: usize, end: usize) -> bool {
        debug_assert!(end - start < BLOCK);
        let (index, block) = (flag.index(), start / BLOCK);
        let set = |block: usize| self.blocks.get(block).map_or(0, |sets| sets[index]);
        let words = u128::from(set(block)) | u128::from(set(block + 1)) << BLOCK;
        (words >> (start % BLOCK)) as u64 & ((1 << (end - start)) - 1) != 0
    }

    /// The first word from `from` on that has a flag.
    #[inline]
    pub(crate) fn next(&self, flag: Flags, from: usize) -> Option<usize> {
        let index = flag.index();
        next_in(self.blocks.iter().map(|sets| sets[index]), from)
    }

    /// Bytes held.
    pub(crate) fn capacity(&self) -> usize {
        self.blocks.capacity() * size_of::<[u64; Flags::SETS]>()
            + self.words.capacity() * size_of::<u16>()
            + self.odd.capacity() * size_of::<u32>()
    }
}

/// For each of sixteen bits the numbers that have it.
fn transposed(numbers: &[u16; BLOCK]) -> [u64; 16] {
    let (sixteens, _) = numbers.as_chunks::<16>();
    let squares: [[u64; 4]; 4] = std::array::from_fn(|at| square_transposed(&sixteens[at]));
    // The sixteen bits that one square has for a flag stand beside those of the next.
    let mut sets = [0; 16];
    for at in 0..4 {
        let mut rows = squares.map(|square| square[at]);
        swap::<16, 0x0000_FFFF_0000_FFFF>(&mut rows, 1);
        swap::<32, 0x0000_0000_FFFF_FFFF>(&mut rows, 2);
        sets[4 * at..4 * at + 4].copy_from_slice(&rows);
    }
    sets
}

/// Rows and columns of sixteen times sixteen bits change places; four rows are in each number.
fn square_transposed(rows: &[u16; 16]) -> [u64; 4] {
    let (fours, _) = rows.as_chunks::<4>();
    let mut rows: [u64; 4] = std::array::from_fn(|at| {
        let four = fours[at].map(u64::from);
        four[0] | four[1] << 16 | four[2] << 32 | four[3] << 48
    });
    swap::<8, 0x00FF_00FF_00FF_00FF>(&mut rows, 2);
    swap::<4, 0x0F0F_0F0F_0F0F_0F0F>(&mut rows, 1);
    for row in &mut rows {
        for (by, mask) in [(30, 0xCCCC_CCCC), (15, 0x0000_AAAA_0000_AAAA)] {
            let other = (*row ^ *row >> by) & mask;
            *row ^= other ^ other << by;
        }
    }
    rows
}

/// Swaps the bits of each row that stand `BY` places above a mask with those of the mask in the row that comes `apart` later.
fn swap<const BY: u32, const MASK: u64>(rows: &mut [u64; 4], apart: usize) {
    for at in (0..4).filter(|at| at & apart == 0) {
        let other = (rows[at] >> BY ^ rows[at + apart]) & MASK;
        rows[at + apart] ^= other;
        rows[at] ^= other << BY;
    }
}

/// The words of a block that stand at most `REACH` words, a power of two, before a word of a set, or are in it.
fn reach_back<const REACH: usize>(block: u64, next: u64) -> u64 {
    let mut both = u128::from(block) | u128::from(next) << BLOCK;
    let mut reach = 1;
    while reach <= REACH / 2 {
        both |= both >> reach;
        reach *= 2;
    }
    (both | both >> 1) as u64
}

/// A set of words of a document: a bit for each of 64 words.
#[derive(Debug, Default)]
pub(crate) struct WordSet(SmallVec<[u64; 8]>);

impl WordSet {
    /// The words, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = usize> {
        self.0.iter().enumerate().flat_map(|(block, set)| Bits { base: block * BLOCK, left: *set })
    }

    /// Adds a word of the document.
    pub(crate) fn add(&mut self, word: usize) {
        self.0[word / BLOCK] |= 1 << (word % BLOCK);
    }

    /// Adds the words of another set of the same document.
    pub(crate) fn add_all(&mut self, others: &Self) {
        for (block, other) in self.0.iter_mut().zip(&others.0) {
            *block |= other;
        }
    }

    /// Whether a word is in the set.
    pub(crate) fn has(&self, word: usize) -> bool {
        self.0.get(word / BLOCK).is_some_and(|block| block & (1 << (word % BLOCK)) != 0)
    }

    /// The first word of the set from `from` on.
    pub(crate) fn next(&self, from: usize) -> Option<usize> {
        next_in(self.0.iter().copied(), from)
    }
}

/// The first word from `from` on that is in a set of these blocks.
#[inline]
fn next_in(blocks: impl Iterator<Item = u64>, from: usize) -> Option<usize> {
    let mut blocks = blocks.enumerate().skip(from / BLOCK);
    let (index, first) = blocks.next()?;
    let first = (index, first & (u64::MAX << (from % BLOCK)));
    std::iter::once(first)
        .chain(blocks)
        .find(|(_, set)| *set != 0)
        .map(|(index, set)| index * BLOCK + set.trailing_zeros() as usize)
}

/// The words of a block that are in a set, in order.
struct Bits {
    /// The first word of the block.
    base: usize,
    left: u64,
}

impl Iterator for Bits {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        if self.left == 0 {
            return None;
        }
        let bit = self.left.trailing_zeros() as usize;
        self.left &= self.left - 1;
        Some(self.base + bit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flag_is_found_at_its_words() {
        let all: Vec<Flags> = (0..16).map(|flag| Flags(1 << flag)).collect();
        let mut starts = Starts::default();
        for words in [0, 1, 63, 64, 65, 200] {
            let has = |flag: usize, word: usize| (word + flag).is_multiple_of(flag + 2);
            starts.begin(words).0.fill(0);
            for word in 0..words {
                let flags = all.iter().enumerate().map(|(index, flag)| flag.when(has(index, word)));
                starts.add(word, flags.fold(Flags::default(), Flags::with));
            }
            starts.end(words);
            for (index, &flag) in all.iter().enumerate() {
                let wanted: Vec<usize> = (0..words).filter(|&word| has(index, word)).collect();
                assert_eq!(starts.of(flag).collect::<Vec<_>>(), wanted);
                let set = starts.set(flag);
                for from in 0..words {
                    assert_eq!(starts.has(flag, from), wanted.contains(&from));
                    assert_eq!(set.next(from), wanted.iter().copied().find(|&word| word >= from));
                    let near = wanted.iter().any(|&word| (from..from + 8).contains(&word));
                    assert_eq!(starts.any(flag, from, from + 8), near);
                    assert_eq!(starts.next(flag, from), set.next(from));
                }
            }
        }
    }

    #[test]
    fn a_range_is_all_of_its_words() {
        for (start, end) in [(0, 0), (0, 1), (3, 64), (63, 65), (10, 200), (64, 128)] {
            let mut starts = Starts::default();
            starts.begin(200);
            starts.add_range(Flags::CASED, start, end);
            assert_eq!(starts.of(Flags::CASED).collect::<Vec<_>>(), (start..end).collect::<Vec<_>>());
        }
    }

    #[test]
    fn what_reaches_back() {
        for word in 0..128_u32 {
            let set = 1_u128 << word;
            let reached = reach_back::<16>(set as u64, (set >> 64) as u64);
            for at in 0..64 {
                assert_eq!(reached & (1 << at) != 0, (at..=at + 16).contains(&word), "{at} before {word}");
            }
        }
    }
}
