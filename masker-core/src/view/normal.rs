use std::borrow::Cow;

use memchr::memchr2;

use super::fold::{escape, fold_char};
use crate::Span;

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
#[derive(Debug)]
pub struct NormalView<'s> {
    source: &'s str,
    text: Cow<'s, str>,
    /// For every byte of `text`, the range of source bytes that it came from; `None` where both are the same.
    origins: Option<Vec<(u32, u32)>>,
}

/// Stands in the view for a part of the source that nobody may look into, such as a token.
pub(crate) const BARRIER: u8 = 0x1A;

impl<'s> NormalView<'s> {
    /// Folds a text. The `protected` spans, sorted and disjoint, are replaced by a barrier that no pattern crosses.
    ///
    /// # Panics
    ///
    /// When the text has 4 GiB or more, or a protected span is not inside it.
    pub fn new(source: &'s str, protected: &[Span]) -> Self {
        assert!(u32::try_from(source.len()).is_ok(), "a text of 4 GiB or more cannot be viewed");
        if source.is_ascii() && protected.is_empty() && memchr2(b'&', b'\\', source.as_bytes()).is_none() {
            let has_upper = source.bytes().any(|b| b.is_ascii_uppercase() || b == BARRIER);
            let text = if has_upper {
                Cow::Owned(source.to_ascii_lowercase().replace(char::from(BARRIER), " "))
            } else {
                Cow::Borrowed(source)
            };
            return Self { source, text, origins: None };
        }
        let mut text = String::with_capacity(source.len());
        let mut origins = Vec::with_capacity(source.len());
        let mut protected = protected.iter().peekable();
        let mut at = 0;
        while at < source.len() {
            let end;
            if let Some(span) = protected.next_if(|s| s.start <= at) {
                text.push(char::from(BARRIER));
                end = span.end;
            } else {
                let rest = &source[at..];
                let c = rest.chars().next().expect("`at` is a character boundary below the length");
                match escape(rest) {
                    Some((c, len)) => {
                        fold_char(c, &mut text);
                        end = at + len;
                    }
                    None if c == char::from(BARRIER) => {
                        text.push(' ');
                        end = at + 1;
                    }
                    None => {
                        fold_char(c, &mut text);
                        end = at + c.len_utf8();
                    }
                }
            }
            origins.resize(text.len(), (at as u32, end as u32));
            at = end;
        }
        Self { source, text: Cow::Owned(text), origins: Some(origins) }
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
        match &self.origins {
            None => Span::new(start, end),
            Some(origins) => Span::new(origins[start].0 as usize, origins[end - 1].1 as usize),
        }
    }

    /// The first character of the source behind a byte of the view.
    pub fn source_char(&self, at: usize) -> char {
        let start = self.origins.as_ref().map_or(at, |origins| origins[at].0 as usize);
        self.source[start..].chars().next().unwrap_or(' ')
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn protected_parts_are_barriers() {
        let view = NormalView::new("call MSKV1.X now", &[Span::new(5, 12)]);
        assert_eq!(view.text(), "call \u{1A} now");
        assert_eq!(view.source_span(5, 6), Span::new(5, 12));
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
