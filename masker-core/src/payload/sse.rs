//! Server-sent events: bytes to events and back.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use crate::Error;

/// The longest event that is taken, in bytes: 16 MiB.
pub const MAX_EVENT_BYTES: usize = 16 << 20;

/// One event, or a comment that stands alone. `Debug` prints lengths and never what is said.
#[derive(Clone, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct SseEvent {
    /// Comments in it, without the colon; servers send them to keep a connection open.
    pub comments: Vec<String>,
    /// Its name.
    pub event: Option<String>,
    /// Its data, lines joined by line feeds; nothing where it has none, and readers then do not see the event.
    pub data: Option<String>,
    /// The id from here on.
    pub id: Option<String>,
    /// After how many milliseconds to connect again.
    pub retry: Option<u64>,
}

impl SseEvent {
    /// An event with data and nothing else.
    ///
    /// ```
    /// use masker_core::payload::SseEvent;
    ///
    /// assert_eq!(SseEvent::data("one\ntwo").to_string(), "data: one\ndata: two\n\n");
    /// ```
    pub fn data(data: impl Into<String>) -> Self {
        Self { data: Some(data.into()), ..Self::default() }
    }
}

impl fmt::Debug for SseEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = |text: &Option<String>| text.as_ref().map(String::len);
        f.debug_struct("SseEvent")
            .field("comments", &self.comments.len())
            .field("event", &length(&self.event))
            .field("data", &length(&self.data))
            .field("id", &length(&self.id))
            .field("retry", &self.retry)
            .finish()
    }
}

/// The event as it is sent, line feeds as line ends, with the empty line that ends it.
impl fmt::Display for SseEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for comment in &self.comments {
            writeln!(f, ":{comment}")?;
        }
        if let Some(event) = &self.event {
            writeln!(f, "event: {event}")?;
        }
        if let Some(id) = &self.id {
            writeln!(f, "id: {id}")?;
        }
        if let Some(retry) = &self.retry {
            writeln!(f, "retry: {retry}")?;
        }
        for line in self.data.iter().flat_map(|data| data.split(['\n', '\r'])) {
            writeln!(f, "data: {line}")?;
        }
        f.write_char('\n')
    }
}

/// Cuts a stream of bytes into events, wherever the pieces were cut.
///
/// Lines end in LF, CRLF or CR; a byte order mark at the start is dropped; bytes that are no UTF-8 become the replacement
/// character, as the standard says. Unlike the standard, an event that the stream's end cuts off is given out, because
/// servers leave out the last empty line.
///
/// ```
/// use masker_core::payload::{SseDecoder, SseEvent};
///
/// let mut decoder = SseDecoder::new();
/// assert!(decoder.push(b"data: caf\xc3")?.is_empty());
/// assert_eq!(decoder.push(b"\xa9\r\n\r\n")?, [SseEvent::data("caf\u{e9}")]);
/// assert_eq!(decoder.finish(), None);
/// # Ok::<(), masker_core::Error>(())
/// ```
#[derive(Default)]
pub struct SseDecoder {
    /// The line at hand.
    line: Vec<u8>,
    event: SseEvent,
    has_fields: bool,
    /// Bytes of the event at hand.
    size: usize,
    /// A CR was the last byte, so that an LF belongs to it.
    after_cr: bool,
    past_first_line: bool,
}

impl fmt::Debug for SseDecoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SseDecoder").field("held", &self.size).finish_non_exhaustive()
    }
}

impl SseDecoder {
    /// A decoder at the start of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes bytes and gives the events that they complete.
    ///
    /// # Errors
    ///
    /// When an event grows above [`MAX_EVENT_BYTES`].
    pub fn push(&mut self, mut bytes: &[u8]) -> Result<Vec<SseEvent>, Error> {
        let mut events = Vec::new();
        while !bytes.is_empty() {
            if std::mem::take(&mut self.after_cr) && bytes[0] == b'\n' {
                bytes = &bytes[1..];
                continue;
            }
            let end = memchr::memchr2(b'\n', b'\r', bytes);
            let rest = &bytes[..end.unwrap_or(bytes.len())];
            self.size += rest.len();
            if self.size > MAX_EVENT_BYTES {
                return Err(Error::TooLong { len: self.size, limit: MAX_EVENT_BYTES });
            }
            self.line.extend_from_slice(rest);
            let Some(end) = end else { break };
            self.after_cr = bytes[end] == b'\r';
            bytes = &bytes[end + 1..];
            events.extend(self.end_line());
        }
        Ok(events)
    }

    /// Ends the stream: the event it cut off, if any.
    pub fn finish(&mut self) -> Option<SseEvent> {
        let last = if self.line.is_empty() { None } else { self.end_line() };
        last.or_else(|| self.end_event())
    }

    fn end_line(&mut self) -> Option<SseEvent> {
        let line = std::mem::take(&mut self.line);
        let mut line: &[u8] = &line;
        if !std::mem::replace(&mut self.past_first_line, true) {
            line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        }
        if line.is_empty() {
            return self.end_event();
        }
        self.has_fields = true;
        let (field, value) = match memchr::memchr(b':', line) {
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => (line, &b""[..]),
        };
        if field.is_empty() {
            self.event.comments.push(String::from_utf8_lossy(value).into_owned());
            return None;
        }
        let value: Cow<'_, str> = String::from_utf8_lossy(value.strip_prefix(b" ").unwrap_or(value));
        match field {
            b"data" => match &mut self.event.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(&value);
                }
                data => *data = Some(value.into_owned()),
            },
            b"event" => self.event.event = Some(value.into_owned()),
            b"id" if !value.contains('\0') => self.event.id = Some(value.into_owned()),
            b"retry" if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) => {
                self.event.retry = value.parse().ok();
            }
            _ => {}
        }
        None
    }

    fn end_event(&mut self) -> Option<SseEvent> {
        self.size = 0;
        let event = std::mem::take(&mut self.event);
        std::mem::take(&mut self.has_fields).then_some(event).filter(|event| *event != SseEvent::default())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode(pieces: &[&[u8]]) -> Vec<SseEvent> {
        let mut decoder = SseDecoder::new();
        let mut events: Vec<SseEvent> =
            pieces.iter().flat_map(|piece| decoder.push(piece).unwrap()).collect();
        events.extend(decoder.finish());
        events
    }

    const STREAM: &str = "\u{feff}: hi\n\nevent: a\r\ndata: one\r\ndata:two\r\n\r\nid: 7\rretry: 30\rdata\r\rdata: é😀\nnonsense: x\n\n\n\nid\n\ndata: cut off";

    fn expected() -> Vec<SseEvent> {
        vec![
            SseEvent { comments: vec![" hi".into()], ..SseEvent::default() },
            SseEvent { event: Some("a".into()), ..SseEvent::data("one\ntwo") },
            SseEvent { id: Some("7".into()), retry: Some(30), ..SseEvent::data("") },
            SseEvent::data("é😀"),
            SseEvent { id: Some(String::new()), ..SseEvent::default() },
            SseEvent::data("cut off"),
        ]
    }

    #[test]
    fn every_cut_gives_the_same_events() {
        let bytes = STREAM.as_bytes();
        assert_eq!(decode(&[bytes]), expected());
        for size in 1..5 {
            assert_eq!(decode(&bytes.chunks(size).collect::<Vec<_>>()), expected(), "{size}");
        }
        for cut in 0..bytes.len() {
            assert_eq!(decode(&[&bytes[..cut], &bytes[cut..]]), expected(), "{cut}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced() {
        assert_eq!(decode(&[b"data: a\xffb\n\n"]), [SseEvent::data("a\u{fffd}b")]);
    }

    #[test]
    fn an_event_without_end_is_refused() {
        let mut decoder = SseDecoder::new();
        let piece = vec![b'x'; MAX_EVENT_BYTES / 2 + 1];
        decoder.push(&piece).unwrap();
        assert!(matches!(decoder.push(&piece), Err(Error::TooLong { .. })));
    }

    proptest! {
        #[test]
        fn what_is_sent_is_what_is_read(
            data in proptest::option::of("[^\r]{0,20}"),
            event in proptest::option::of("[a-z.]{1,8}"),
            retry in proptest::option::of(0u64..100_000),
            comments in proptest::collection::vec("[^\r\n]{0,8}", 0..3),
        ) {
            let event = SseEvent { comments, event, data, id: None, retry };
            let want: Vec<SseEvent> = Some(event.clone()).filter(|e| *e != SseEvent::default()).into_iter().collect();
            prop_assert_eq!(decode(&[event.to_string().as_bytes()]), want);
        }

        #[test]
        fn no_bytes_break_it(pieces in proptest::collection::vec(proptest::collection::vec(
            prop_oneof![Just(b'\n'), Just(b'\r'), Just(b':'), Just(b'd'), any::<u8>()], 0..12), 0..6)
        ) {
            let whole: Vec<u8> = pieces.concat();
            let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
            prop_assert_eq!(decode(&pieces), decode(&[&whole]));
        }
    }
}
