//! Byte ranges in a text.

use std::ops::Range;

/// A non-empty half-open range of bytes, `start..end`, whose ends lie on character boundaries of the text it refers to.
///
/// Spans order by start, then by end.
///
/// ```
/// use masker_core::Span;
///
/// let span = Span::new(3, 7);
/// assert_eq!(span.len(), 4);
/// assert!(span.overlaps(Span::new(6, 9)));
/// assert!(!span.overlaps(Span::new(7, 9)));
/// assert_eq!(&"my Sara"[span.range()], "Sara");
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Span {
    /// Makes the span `start..end`.
    ///
    /// # Panics
    ///
    /// When `start` is not below `end`: an empty span covers nothing and would hide a mistake.
    pub fn new(start: usize, end: usize) -> Self {
        assert!(start < end, "span {start}..{end} is empty or reversed");
        Self { start, end }
    }

    /// Length in bytes, at least one.
    #[expect(clippy::len_without_is_empty, reason = "a span is never empty")]
    pub fn len(self) -> usize {
        self.end - self.start
    }

    /// The same range as the standard library writes it.
    pub fn range(self) -> Range<usize> {
        self.start..self.end
    }

    /// Whether the two spans share a byte.
    pub fn overlaps(self, other: Self) -> bool {
        self.start < other.end && other.start < self.end
    }

    /// Whether every byte of `other` is also in `self`.
    pub fn contains(self, other: Self) -> bool {
        self.start <= other.start && other.end <= self.end
    }

    /// The smallest span that holds both.
    pub fn cover(self, other: Self) -> Self {
        Self { start: self.start.min(other.start), end: self.end.max(other.end) }
    }
}
