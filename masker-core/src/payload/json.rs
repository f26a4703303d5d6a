//! JSON as it is written: a reader that knows where every value stands, and edits that leave the rest byte for byte.
//!
//! Key order, equal keys, the form of numbers, spacing and the escapes of untouched strings survive, because they are never
//! taken apart and written again.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::Error;

/// The longest JSON text that one call takes, in bytes: 64 MiB.
pub const MAX_JSON_BYTES: usize = 64 << 20;

/// How deep arrays, objects and JSON inside strings may nest.
pub const MAX_JSON_DEPTH: usize = 128;

/// A value and the bytes it stands in, quotes and brackets included.
#[derive(Debug)]
pub(super) struct Value<'s> {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) data: Data<'s>,
}

#[derive(Debug)]
pub(super) enum Data<'s> {
    /// `null`, `true` or `false`.
    Literal,
    /// As written.
    Number(&'s str),
    Text(Cow<'s, str>),
    Array(Vec<Value<'s>>),
    Object(Vec<Member<'s>>),
}

#[derive(Debug)]
pub(super) struct Member<'s> {
    pub(super) key: Cow<'s, str>,
    pub(super) start: usize,
    pub(super) key_end: usize,
    pub(super) value: Value<'s>,
}

impl<'s> Value<'s> {
    pub(super) fn text(&self) -> Option<&str> {
        match &self.data {
            Data::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn items(&self) -> Option<&[Value<'s>]> {
        match &self.data {
            Data::Array(items) => Some(items),
            _ => None,
        }
    }

    pub(super) fn members(&self) -> Option<&[Member<'s>]> {
        match &self.data {
            Data::Object(members) => Some(members),
            _ => None,
        }
    }

    /// The last member of a name, which is the one that readers of equal keys commonly take.
    pub(super) fn get(&self, key: &str) -> Option<&Value<'s>> {
        self.members()?.iter().rev().find(|member| member.key == key).map(|member| &member.value)
    }

    pub(super) fn is_null(&self, source: &str) -> bool {
        &source[self.start..self.end] == "null"
    }
}

/// Reads one JSON text.
///
/// # Errors
///
/// When it is too long, not JSON, or nested deeper than `depth`.
pub(super) fn parse(source: &str, depth: usize) -> Result<Value<'_>, Error> {
    if source.len() > MAX_JSON_BYTES {
        return Err(Error::TooLong { len: source.len(), limit: MAX_JSON_BYTES });
    }
    let start = if source.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let mut reader = Reader { source, bytes: source.as_bytes(), at: start };
    let read = reader.value(depth).and_then(|value| {
        reader.skip_space();
        if reader.at == source.len() { Ok(value) } else { Err(Fault::Syntax) }
    });
    read.map_err(|fault| match fault {
        Fault::Depth => Error::TooDeep { limit: MAX_JSON_DEPTH },
        Fault::Syntax => {
            let before = &source.as_bytes()[..reader.at.min(source.len())];
            let line_start = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
            let is_first_byte = |byte: &&u8| !(0x80..0xc0).contains(*byte);
            Error::NotJson {
                line: 1 + memchr::memchr_iter(b'\n', before).count(),
                column: 1 + before[line_start..].iter().filter(is_first_byte).count(),
            }
        }
    })
}

enum Fault {
    Syntax,
    Depth,
}

struct Reader<'s> {
    source: &'s str,
    bytes: &'s [u8],
    at: usize,
}

impl<'s> Reader<'s> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8) -> Result<(), Fault> {
        if self.eat(byte) { Ok(()) } else { Err(Fault::Syntax) }
    }

    fn value(&mut self, depth: usize) -> Result<Value<'s>, Fault> {
        self.skip_space();
        let start = self.at;
        let data = match self.peek() {
            Some(b'"') => Data::Text(self.string()?),
            Some(b'{') => self.object(depth.checked_sub(1).ok_or(Fault::Depth)?)?,
            Some(b'[') => self.array(depth.checked_sub(1).ok_or(Fault::Depth)?)?,
            Some(b'-' | b'0'..=b'9') => self.number()?,
            _ => self.literal()?,
        };
        Ok(Value { start, end: self.at, data })
    }

    fn literal(&mut self) -> Result<Data<'s>, Fault> {
        for word in ["null", "true", "false"] {
            if self.bytes[self.at..].starts_with(word.as_bytes()) {
                self.at += word.len();
                return Ok(Data::Literal);
            }
        }
        Err(Fault::Syntax)
    }

    fn number(&mut self) -> Result<Data<'s>, Fault> {
        let start = self.at;
        self.eat(b'-');
        if !self.eat(b'0') {
            self.digits()?;
        }
        if self.eat(b'.') {
            self.digits()?;
        }
        if self.eat(b'e') || self.eat(b'E') {
            let _ = self.eat(b'+') || self.eat(b'-');
            self.digits()?;
        }
        Ok(Data::Number(&self.source[start..self.at]))
    }

    fn digits(&mut self) -> Result<(), Fault> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at > start { Ok(()) } else { Err(Fault::Syntax) }
    }

    fn array(&mut self, depth: usize) -> Result<Data<'s>, Fault> {
        self.at += 1;
        let mut items = Vec::new();
        self.skip_space();
        if self.eat(b']') {
            return Ok(Data::Array(items));
        }
        loop {
            items.push(self.value(depth)?);
            self.skip_space();
            if self.eat(b']') {
                return Ok(Data::Array(items));
            }
            self.expect(b',')?;
        }
    }

    fn object(&mut self, depth: usize) -> Result<Data<'s>, Fault> {
        self.at += 1;
        let mut members = Vec::new();
        self.skip_space();
        if self.eat(b'}') {
            return Ok(Data::Object(members));
        }
        loop {
            self.skip_space();
            let start = self.at;
            if self.peek() != Some(b'"') {
                return Err(Fault::Syntax);
            }
            let key = self.string()?;
            let key_end = self.at;
            self.skip_space();
            self.expect(b':')?;
            members.push(Member { key, start, key_end, value: self.value(depth)? });
            self.skip_space();
            if self.eat(b'}') {
                return Ok(Data::Object(members));
            }
            self.expect(b',')?;
        }
    }

    fn string(&mut self) -> Result<Cow<'s, str>, Fault> {
        self.at += 1;
        let mut copied = self.at;
        let mut text = String::new();
        loop {
            match self.peek() {
                Some(b'"') => {
                    let rest = &self.source[copied..self.at];
                    self.at += 1;
                    if text.is_empty() {
                        return Ok(Cow::Borrowed(rest));
                    }
                    text.push_str(rest);
                    return Ok(Cow::Owned(text));
                }
                Some(b'\\') => {
                    text.push_str(&self.source[copied..self.at]);
                    self.at += 1;
                    text.push(self.escape()?);
                    copied = self.at;
                }
                None | Some(0..0x20) => return Err(Fault::Syntax),
                Some(_) => self.at += 1,
            }
        }
    }

    fn escape(&mut self) -> Result<char, Fault> {
        let byte = self.peek().ok_or(Fault::Syntax)?;
        let plain = match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                self.at += 1;
                return self.unicode();
            }
            _ => return Err(Fault::Syntax),
        };
        self.at += 1;
        Ok(plain)
    }

    /// The character of `\uXXXX`, or of two of them. Half a pair alone, which some writers emit where they cut a text, is
    /// read as the replacement character.
    fn unicode(&mut self) -> Result<char, Fault> {
        let first = self.hex()?;
        if (0xd800..0xdc00).contains(&first) && self.bytes[self.at..].starts_with(b"\\u") {
            let back = self.at;
            self.at += 2;
            let second = self.hex()?;
            if (0xdc00..0xe000).contains(&second) {
                let code = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            self.at = back;
        }
        Ok(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn hex(&mut self) -> Result<u32, Fault> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16)).ok_or(Fault::Syntax)?;
            code = code * 16 + digit;
            self.at += 1;
        }
        Ok(code)
    }
}

/// A text as a JSON string, escaped no more than needed.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\0'..='\u{1f}' => {
                let _ = write!(quoted, "\\u{:04x}", c as u32);
            }
            _ => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// Replacements of byte ranges of one source, in order and disjoint.
#[derive(Debug, Default)]
pub(super) struct Edits {
    list: Vec<(usize, usize, String)>,
}

impl Edits {
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn replace(&mut self, start: usize, end: usize, with: String) {
        self.list.push((start, end, with));
    }

    /// Leaves out the parts of a list that are marked, each with one comma.
    pub(super) fn leave_out(&mut self, parts: &[(usize, usize)], out: impl Fn(usize) -> bool) {
        let mut index = 0;
        while index < parts.len() {
            if !out(index) {
                index += 1;
                continue;
            }
            let first = index;
            while index < parts.len() && out(index) {
                index += 1;
            }
            let (start, end) = if index < parts.len() {
                (parts[first].0, parts[index].0)
            } else if first > 0 {
                (parts[first - 1].1, parts[index - 1].1)
            } else {
                (parts[first].0, parts[index - 1].1)
            };
            self.replace(start, end, String::new());
        }
    }

    pub(super) fn apply(mut self, source: &str) -> String {
        self.list.sort_by_key(|(start, end, _)| (*start, *end));
        let mut result = String::with_capacity(source.len() + 32 * self.list.len());
        let mut copied = 0;
        for (start, end, with) in &self.list {
            result.push_str(&source[copied..*start]);
            result.push_str(with);
            copied = *end;
        }
        result.push_str(&source[copied..]);
        result
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn accepts(text: &str) -> bool {
        parse(text, MAX_JSON_DEPTH).is_ok()
    }

    /// What the values of a text are, by the well-known reader.
    fn agrees(value: &Value<'_>, other: &serde_json::Value) -> bool {
        match (&value.data, other) {
            (Data::Literal, serde_json::Value::Null | serde_json::Value::Bool(_)) => true,
            (Data::Number(text), serde_json::Value::Number(number)) => {
                text.parse::<f64>().ok() == number.as_f64()
            }
            (Data::Text(text), serde_json::Value::String(other)) => text == other,
            (Data::Array(items), serde_json::Value::Array(others)) => {
                items.len() == others.len() && items.iter().zip(others).all(|(a, b)| agrees(a, b))
            }
            (Data::Object(members), serde_json::Value::Object(others)) => {
                others.iter().all(|(key, other)| value.get(key).is_some_and(|value| agrees(value, other)))
                    && members.iter().all(|member| others.contains_key(&*member.key))
            }
            _ => false,
        }
    }

    #[test]
    fn a_mistake_is_named_by_line_and_column() {
        for (text, line, column) in
            [("", 1, 1), ("{\n \"é\": tru}", 2, 7), ("[1,]", 1, 4), ("{} x", 1, 4), ("\"a\nb\"", 1, 3)]
        {
            let error = parse(text, MAX_JSON_DEPTH).unwrap_err();
            assert!(
                matches!(error, Error::NotJson { line: l, column: c } if (l, c) == (line, column)),
                "{text:?}: {error}"
            );
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(accepts(&nested(MAX_JSON_DEPTH)));
        assert!(matches!(parse(&nested(MAX_JSON_DEPTH + 1), MAX_JSON_DEPTH), Err(Error::TooDeep { .. })));
    }

    #[test]
    fn escapes_are_read_and_half_a_pair_is_replaced() {
        for (text, want) in [
            (r#""\u00e9\n\"\\\/\ud83d\ude00""#, "é\n\"\\/😀"),
            (r#""\ud83dx""#, "\u{fffd}x"),
            (r#""\ude00""#, "\u{fffd}"),
            (r#""\ud83d\u0041""#, "\u{fffd}A"),
        ] {
            assert_eq!(parse(text, 1).unwrap().text(), Some(want));
        }
    }

    #[test]
    fn parts_are_left_out_with_their_commas() {
        for (marks, want) in [
            ("100", "[b , c]"),
            ("010", "[a , c]"),
            ("001", "[a , b]"),
            ("011", "[a]"),
            ("101", "[b]"),
            ("111", "[]"),
            ("000", "[a , b , c]"),
        ] {
            let mut edits = Edits::default();
            edits.leave_out(&[(1, 2), (5, 6), (9, 10)], |at| marks.as_bytes()[at] == b'1');
            assert_eq!(edits.apply("[a , b , c]"), want, "{marks}");
        }
    }

    proptest! {
        #[test]
        fn reads_what_others_read(text in r#"[\[\]{}",:\\ 0-9eE+\-.untrfalsée]{0,24}"#) {
            let other = serde_json::from_str::<serde_json::Value>(&text);
            let ours = parse(&text, MAX_JSON_DEPTH);
            match (&ours, &other) {
                (Ok(value), Ok(other)) => prop_assert!(agrees(value, other)),
                (Err(_), Err(_)) => {}
                // Half a surrogate pair, and numbers beyond a double.
                (Ok(_), Err(_)) => prop_assert!(text.contains("\\u") || text.contains(['e', 'E'])),
                (Err(_), Ok(_)) => prop_assert!(false, "refused {text:?}"),
            }
        }

        #[test]
        fn quoting_is_undone_by_reading(text in any::<String>()) {
            let quoted = quoted(&text);
            prop_assert_eq!(serde_json::from_str::<String>(&quoted).unwrap(), text.as_str());
            let value = parse(&quoted, 1).unwrap();
            prop_assert_eq!(value.text(), Some(text.as_str()));
        }
    }
}
