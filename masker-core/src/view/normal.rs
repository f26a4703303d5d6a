use std::fmt;

use super::fold::{escape, fold_char};
use crate::Span;
use crate::secret::discard;

/// A text folded to the plain form in which patterns and word lists are written: lower case, ASCII digits, plain dashes,
/// quotes and spaces, no accents, no invisible characters, escapes of HTML and JSON resolved.
///
/// ```
/// use masker_core::Span;
/// use masker_core::view::NormalView;
///
/// let source = "Call ４１５\u{2011}555";
/// let view = NormalView::new(source, &[]);
/// assert_eq!(view.text(), "call 415-555");
/// assert_eq!(view.source_span(5, 8), Span::new(5, 14));
/// ```
pub struct NormalView<'s> {
    source: &'s str,
    text: String,
    /// The same bytes before capitals were made small; empty where they are those of the source, and nothing is covered.
    cased: String,
    /// Where the view is more than the source in small letters, in order.
    edits: Vec<Edit>,
    /// Whether any letter of the source outside the protected parts is not ASCII.
    accents: bool,
    /// Whether any part was protected.
    barriers: bool,
}

/// Lengths alone: a view is text.
impl fmt::Debug for NormalView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NormalView")
            .field("source", &self.source.len())
            .field("text", &self.text.len())
            .finish_non_exhaustive()
    }
}

/// A part of the view that stands for a part of the source of other bytes. Between two edits every byte stands for one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Edit {
    /// Bytes of the view.
    view: (u32, u32),
    /// Bytes of the source.
    source: (u32, u32),
}

/// The memory of a view, to be used for the next one.
#[derive(Debug, Default)]
pub(crate) struct ViewBuffers {
    text: String,
    cased: String,
    edits: Vec<Edit>,
}

impl ViewBuffers {
    /// Bytes held.
    pub(crate) fn capacity(&self) -> usize {
        self.text.capacity() + self.cased.capacity() + self.edits.capacity() * size_of::<Edit>()
    }
}

/// Stands in the view for a part of the source that nobody may look into, such as a token.
pub(crate) const BARRIER: u8 = 0x1A;

impl<'s> NormalView<'s> {
    /// Folds a text. The `protected` spans, sorted and disjoint, are replaced byte by byte by a barrier that no
    /// pattern crosses.
    ///
    /// # Panics
    ///
    /// When the text has 4 GiB or more, or a protected span is not inside it.
    pub fn new(source: &'s str, protected: &[Span]) -> Self {
        Self::reusing(ViewBuffers::default(), source, protected)
    }

    /// [`NormalView::new`] in the memory of an earlier view.
    pub(crate) fn reusing(buffers: ViewBuffers, source: &'s str, protected: &[Span]) -> Self {
        assert!(u32::try_from(source.len()).is_ok(), "a text of 4 GiB or more cannot be viewed");
        let ViewBuffers { mut text, mut cased, mut edits } = buffers;
        text.clear();
        cased.clear();
        edits.clear();
        let mut accents = false;
        let barriers = !protected.is_empty();
        if protected.is_empty() && plain_length(source.as_bytes()) == source.len() {
            text.push_str(source);
            text.make_ascii_lowercase();
            return Self { source, text, cased, edits, accents, barriers };
        }
        // A buffer that grows leaves a copy behind that nobody wipes.
        text.reserve(source.len());
        cased.reserve(source.len());
        let mut protected = protected.iter().peekable();
        let mut at = 0;
        while at < source.len() {
            let begin = text.len();
            if let Some(span) = protected.next_if(|s| s.start <= at) {
                // An escape before it may have reached into it.
                let end = span.end.max(at);
                push_barrier(&mut text, end - at);
                push_barrier(&mut cased, end - at);
                at = end;
                continue;
            }
            let border = protected.peek().map_or(source.len(), |span| span.start);
            let plain = plain_length(&source.as_bytes()[at..border]);
            if plain > 0 {
                text.push_str(&source[at..at + plain]);
                text[begin..].make_ascii_lowercase();
                cased.push_str(&source[at..at + plain]);
                at += plain;
                continue;
            }
            let rest = &source[at..];
            let c = rest.chars().next().expect("`at` is a character boundary below the length");
            accents |= !c.is_ascii() && c.is_alphabetic();
            let (plain, len) = match escape(rest) {
                Some(escaped) => escaped,
                None if c == char::from(BARRIER) => (' ', 1),
                None => (c, c.len_utf8()),
            };
            fold_char(plain, &mut text);
            cased.push_str(&text[begin..]);
            if plain.is_uppercase() {
                cased[begin..].make_ascii_uppercase();
            }
            let end = at + len;
            edits.push(Edit { view: (begin as u32, text.len() as u32), source: (at as u32, end as u32) });
            at = end;
        }
        Self { source, text, cased, edits, accents, barriers }
    }

    /// The view with more of the source replaced by barriers, in the memory of an earlier view.
    ///
    /// # Panics
    ///
    /// When the view is not [aligned](Self::is_aligned), or a protected span is not inside the source.
    pub(crate) fn covered(&self, buffers: ViewBuffers, protected: &[Span]) -> Self {
        assert!(self.is_aligned(), "the spans of the source are those of the view");
        let ViewBuffers { mut text, mut cased, mut edits } = buffers;
        edits.clear();
        let from_cased = if self.cased.is_empty() { self.source } else { &self.cased };
        for (buffer, from) in [(&mut text, &self.text[..]), (&mut cased, from_cased)] {
            buffer.clear();
            buffer.reserve(from.len());
            let mut at = 0;
            for span in protected {
                buffer.push_str(&from[at..span.start]);
                push_barrier(buffer, span.len());
                at = span.end;
            }
            buffer.push_str(&from[at..]);
        }
        let barriers = self.barriers || !protected.is_empty();
        Self { source: self.source, text, cased, edits, accents: self.accents, barriers }
    }

    /// Gives the memory back, wiped where that is wanted; an empty view is left.
    pub(crate) fn take_buffers(&mut self) -> ViewBuffers {
        self.wipe();
        self.source = "";
        ViewBuffers {
            text: std::mem::take(&mut self.text),
            cased: std::mem::take(&mut self.cased),
            edits: std::mem::take(&mut self.edits),
        }
    }

    fn wipe(&mut self) {
        discard(&mut self.text);
        discard(&mut self.cased);
    }

    /// The bytes of [`NormalView::text`] with the capitals of the source: as many, and the same but for those letters.
    pub(super) fn cased(&self) -> &[u8] {
        if self.cased.len() == self.text.len() { self.cased.as_bytes() } else { self.source.as_bytes() }
    }

    /// Whether parts of the source were protected.
    pub(crate) fn has_barriers(&self) -> bool {
        self.barriers
    }

    /// Whether the source has letters that are not ASCII.
    pub(crate) fn has_accents(&self) -> bool {
        self.accents
    }

    /// The folded text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text that was folded.
    pub fn source(&self) -> &'s str {
        self.source
    }

    /// The bytes of the source that the bytes `start..end` of the view came from.
    ///
    /// # Panics
    ///
    /// When the range is empty or reaches beyond the view.
    pub fn source_span(&self, start: usize, end: usize) -> Span {
        assert!(start < end && end <= self.text.len(), "a range inside the view");
        if self.edits.is_empty() {
            return Span::new(start, end);
        }
        Span::new(self.origin(start).0, self.origin(end - 1).1)
    }

    /// Whether every byte of the view stands for the byte of the source at the same place.
    pub(crate) fn is_aligned(&self) -> bool {
        self.edits.is_empty()
    }

    /// The bytes of the source that a byte of the view stands for.
    #[inline]
    fn origin(&self, at: usize) -> (usize, usize) {
        if self.edits.is_empty() {
            return (at, at + 1);
        }
        let after = self.edits.partition_point(|edit| edit.view.0 as usize <= at);
        let Some(edit) = after.checked_sub(1).map(|last| self.edits[last]) else { return (at, at + 1) };
        if at < edit.view.1 as usize {
            return (edit.source.0 as usize, edit.source.1 as usize);
        }
        let start = edit.source.1 as usize + (at - edit.view.1 as usize);
        (start, start + 1)
    }
}

fn push_barrier(buffer: &mut String, mut len: usize) {
    const MANY: &str = match str::from_utf8(&[BARRIER; 64]) {
        Ok(text) => text,
        Err(_) => unreachable!(),
    };
    while len > 0 {
        let part = len.min(MANY.len());
        buffer.push_str(&MANY[..part]);
        len -= part;
    }
}

/// How many bytes at the start of a text stand in the view as they are, but for capitals.
fn plain_length(bytes: &[u8]) -> usize {
    let is_plain = |b: &u8| b.is_ascii() && !matches!(*b, b'&' | b'\\' | BARRIER);
    let mut at = 0;
    for chunk in bytes.chunks(64) {
        // Without an early end the compiler tests many bytes at once.
        if chunk.iter().fold(true, |all, b| all & is_plain(b)) {
            at += chunk.len();
        } else {
            return at + chunk.iter().take_while(|b| is_plain(b)).count();
        }
    }
    at
}

impl Drop for NormalView<'_> {
    fn drop(&mut self) {
        self.wipe();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn protected_parts_are_barriers() {
        let view = NormalView::new("call MSKV1.X now", &[Span::new(5, 12)]);
        assert_eq!(view.text(), format!("call {} now", "\u{1A}".repeat(7)));
        assert_eq!(view.source_span(13, 16), Span::new(13, 16));
        let covered =
            NormalView::new("Call MSKV1.X now", &[]).covered(ViewBuffers::default(), &[Span::new(5, 12)]);
        assert_eq!(covered.text(), view.text());
        assert_eq!(NormalView::new("a\u{1A}B", &[]).text(), "a b", "the barrier cannot be forged");
    }

    #[test]
    fn escapes_map_back_to_themselves() {
        let view = NormalView::new("ada&#64;example.com", &[]);
        assert_eq!(view.text(), "ada@example.com");
        assert_eq!(view.source_span(0, 15), Span::new(0, 19));
    }

    proptest! {
        #[test]
        fn every_view_span_is_a_source_span(source in "\\PC{0,60}") {
            let view = NormalView::new(&source, &[]);
            let mut last = 0;
            for at in 0..view.text().len() {
                let span = view.source_span(at, at + 1);
                prop_assert!(source.is_char_boundary(span.start) && source.is_char_boundary(span.end));
                prop_assert!(span.start >= last || view.source_span(at - 1, at).start == span.start);
                last = span.start;
            }
        }
    }
}
