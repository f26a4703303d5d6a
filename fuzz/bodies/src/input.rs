//! An input read as a text and, from its end backwards, as numbers that choose what is done with it.

use std::borrow::Cow;

/// What is left of an input. Choices are taken from the end, so that the beginning of a file stays readable.
pub(crate) struct Input<'d> {
    data: &'d [u8],
}

impl<'d> Input<'d> {
    pub(crate) fn new(data: &'d [u8]) -> Self {
        Self { data }
    }

    /// A byte, or 0 where none is left.
    pub(crate) fn byte(&mut self) -> u8 {
        let Some((last, rest)) = self.data.split_last() else { return 0 };
        self.data = rest;
        *last
    }

    /// A number below a limit.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        let number = if limit > 256 {
            usize::from(self.byte()) << 8 | usize::from(self.byte())
        } else {
            usize::from(self.byte())
        };
        number % limit
    }

    pub(crate) fn flag(&mut self) -> bool {
        self.byte() % 2 == 1
    }

    pub(crate) fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    /// A few changes of bytes: what is written over, cut out and put in.
    pub(crate) fn edit(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut edited = bytes.to_vec();
        for _ in 0..=self.below(4) {
            if edited.is_empty() {
                break;
            }
            let at = self.below(edited.len());
            match self.below(4) {
                0 => edited[at] ^= 1 << self.below(8),
                1 => edited[at] = self.byte(),
                2 => {
                    let end = (at + 1 + self.below(64)).min(edited.len());
                    edited.drain(at..end);
                }
                _ => {
                    let piece = self.take(8);
                    edited.splice(at..at, piece.iter().copied());
                }
            }
        }
        edited
    }

    /// Up to `most` bytes of the end.
    fn take(&mut self, most: usize) -> &'d [u8] {
        let (rest, taken) = self.data.split_at(self.data.len().saturating_sub(most));
        self.data = rest;
        taken
    }

    pub(crate) fn rest(&self) -> &'d [u8] {
        self.data
    }

    /// The rest as a text, in which bytes that are no UTF-8 become U+FFFD.
    pub(crate) fn text(&self) -> Cow<'d, str> {
        String::from_utf8_lossy(self.data)
    }
}

/// How a text is cut into parts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cuts(u64);

impl Cuts {
    pub(crate) fn new(input: &mut Input<'_>) -> Self {
        Self(u64::from(input.byte()) << 8 | u64::from(input.byte()))
    }

    /// The length of each part in turn: always the same for small numbers, else as if drawn.
    fn lengths(self) -> impl FnMut() -> usize {
        let mut state = self.0 | 1 << 16;
        move || {
            if self.0.is_multiple_of(4) {
                return 1 + (self.0 as usize >> 2) % 16;
            }
            // xorshift64: enough to vary lengths.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 40) as usize % if state.is_multiple_of(7) { 400 } else { 12 }
        }
    }

    pub(crate) fn bytes(self, mut bytes: &[u8]) -> Vec<&[u8]> {
        let mut length = self.lengths();
        let mut parts = Vec::new();
        while !bytes.is_empty() {
            let (part, rest) = bytes.split_at(length().min(bytes.len()));
            parts.push(part);
            bytes = rest;
        }
        parts
    }

    /// Parts that begin and end between characters.
    pub(crate) fn text(self, mut text: &str) -> Vec<&str> {
        let mut length = self.lengths();
        let mut parts = Vec::new();
        while !text.is_empty() {
            let length = length();
            let end = (length..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
            let (part, rest) = text.split_at(end);
            parts.push(part);
            text = rest;
        }
        parts
    }
}
