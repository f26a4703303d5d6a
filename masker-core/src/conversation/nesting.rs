//! Reads JSON as it comes: which text stands in its strings, and in the JSON that is written in them, and how often what
//! is put there has to be escaped.

use std::ops::Range;

/// Strings in strings are told apart down to here; what is deeper is text.
const LEVELS: usize = 6;
/// Arrays and objects in one another; deeper ones are text.
const DEPTH: usize = 128;

/// How a text is related to JSON.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Syntax {
    /// It is JSON, or the inside of a JSON string.
    Json,
    /// It is JSON if it begins as an object or array does, and for as long as it goes on like one.
    Perhaps,
    /// It is no JSON.
    Text,
}

/// A text that comes in pieces, as it was written and as it reads.
#[derive(Default)]
pub(super) struct Source {
    /// As it reads, from `base` on. The same as `raw` where it is no JSON.
    text: String,
    base: usize,
    json: Option<Json>,
}

struct Json {
    syntax: Syntax,
    levels: Vec<Level>,
    root: Inner,
    /// As it was written, from `base` on.
    raw: String,
    base: usize,
    /// Where the runs of characters that read as they are written begin, by place in the text.
    runs: Vec<Run>,
}

/// Characters that are written one after the other, of which only the last may be escaped.
#[derive(Clone, Copy)]
struct Run {
    text: usize,
    raw: usize,
    place: Place,
}

/// Where a character stands.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Place {
    /// In how many strings.
    pub(super) depth: usize,
    /// In the key of an object.
    pub(super) is_key: bool,
}

/// What stands in a string, or in the whole.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Inner {
    Json,
    Text,
    Unread,
}

/// One JSON text.
struct Level {
    /// Whether each array or object that is open is an object.
    open: Vec<bool>,
    expects: Expects,
    string: Option<Str>,
    is_key: bool,
    /// Where the escape at hand begins.
    escape: usize,
    /// The first half of a surrogate pair, and where it is written, until it is known what follows.
    high: Option<(u32, usize)>,
    inner: Inner,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Str {
    Escape,
    Plain,
    /// So many digits of `\uXXXX`, and what they make.
    Unicode(u8, u32),
}

#[derive(Clone, Copy)]
enum Expects {
    Colon,
    Comma,
    End,
    FirstKey,
    FirstValue,
    Key,
    /// The rest of a literal.
    Literal(&'static str),
    Number,
    Value,
}

impl Source {
    pub(super) fn new(syntax: Syntax) -> Self {
        let json = (syntax != Syntax::Text).then(|| Json {
            syntax,
            levels: Vec::new(),
            root: Inner::Unread,
            raw: String::new(),
            base: 0,
            runs: Vec::new(),
        });
        Self { json, ..Self::default() }
    }

    /// Takes the next piece.
    pub(super) fn push(&mut self, piece: &str) {
        let Some(json) = &mut self.json else {
            self.text.push_str(piece);
            return;
        };
        let from = json.base + json.raw.len();
        json.raw.push_str(piece);
        for (at, c) in piece.char_indices() {
            json.take(c, from + at, &mut |c, raw, place, runs| {
                let text = self.base + self.text.len();
                let goes_on = runs
                    .last()
                    .is_some_and(|last: &Run| last.place == place && last.raw + (text - last.text) == raw);
                if !goes_on {
                    runs.push(Run { text, raw, place });
                }
                self.text.push(c);
            });
        }
    }

    /// The text as it reads, from the byte on that [`Source::forget`] has left.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The text between two bytes of it as it is written.
    pub(super) fn raw(&self, range: Range<usize>) -> &str {
        match &self.json {
            None => &self.text[range],
            Some(json) => &json.raw[self.raw_at(range.start)..self.raw_at(range.end)],
        }
    }

    /// The part of an escape that the text ends with, as far as it is there.
    pub(super) fn unread(&self) -> &str {
        self.json.as_ref().map_or("", |json| &json.raw[self.raw_at(self.text.len())..])
    }

    /// The code points that the unread part may turn into.
    pub(super) fn unread_codes(&self) -> Option<Range<u32>> {
        let mut pending = self.json.as_ref()?.levels.iter().filter(|level| level.pending().is_some());
        let level = pending.next()?;
        match (level.string, level.high, pending.next()) {
            (Some(Str::Unicode(digits, code)), None, None) => {
                let bits = 4 * u32::from(4 - digits);
                Some(code << bits..(code + 1) << bits)
            }
            (Some(Str::Plain), Some(_), None) => Some(0x1_0000..0x11_0000),
            _ => Some(0..0x11_0000),
        }
    }

    fn raw_at(&self, at: usize) -> usize {
        let Some(json) = &self.json else { return at };
        if at == self.text.len() {
            return json.unread_from() - json.base;
        }
        let run = json.run_at(self.base + at);
        run.map_or(0, |run| run.raw + (self.base + at - run.text) - json.base)
    }

    pub(super) fn place(&self, at: usize) -> Place {
        let Some(json) = &self.json else { return Place::default() };
        let least = usize::from(json.syntax == Syntax::Json);
        let place = json.run_at(self.base + at).map(|run| run.place).unwrap_or_default();
        Place { depth: place.depth.max(least), ..place }
    }

    /// Lets go of the text before a byte.
    pub(super) fn forget(&mut self, until: usize) {
        let raw = self.raw_at(until);
        self.text.drain(..until);
        self.base += until;
        if let Some(json) = &mut self.json {
            json.raw.drain(..raw);
            json.base += raw;
            let kept = json.runs.partition_point(|run| run.text <= self.base);
            json.runs.drain(..kept.saturating_sub(1));
        }
    }
}

impl Json {
    fn run_at(&self, text: usize) -> Option<Run> {
        let next = self.runs.partition_point(|run| run.text <= text);
        self.runs.get(next.checked_sub(1)?).copied()
    }

    /// Where the escape begins that is not complete, or the end.
    fn unread_from(&self) -> usize {
        let escapes = self.levels.iter().filter_map(Level::pending);
        escapes.min().unwrap_or(self.base + self.raw.len())
    }

    /// Takes a character; tells `out` what is there to read now, where it is written, and where it stands.
    fn take(&mut self, c: char, raw: usize, out: &mut impl FnMut(char, usize, Place, &mut Vec<Run>)) {
        self.take_at(0, c, raw, out);
    }

    /// [`Json::take`] for what stands in so many strings.
    fn take_at(
        &mut self,
        mut depth: usize,
        mut c: char,
        mut raw: usize,
        out: &mut impl FnMut(char, usize, Place, &mut Vec<Run>),
    ) {
        loop {
            let is_key = depth > 0 && self.levels[depth - 1].is_key;
            let place = Place { depth, is_key };
            let is_begin = matches!(c, '{' | '[') || depth == 0 && self.syntax == Syntax::Json;
            let inner = self.inner(depth);
            if *inner == Inner::Unread && !(c == '\u{feff}' && depth == 0) && !is_space(c) {
                *inner = if is_begin && depth < LEVELS { Inner::Json } else { Inner::Text };
                if *inner == Inner::Json {
                    self.levels.push(Level::new());
                }
            }
            if *self.inner(depth) != Inner::Json {
                return out(c, raw, place, &mut self.runs);
            }
            let level = &mut self.levels[depth];
            match level.take(c, raw) {
                Taken::Half(from) => {
                    self.take_at(depth + 1, char::REPLACEMENT_CHARACTER, from, out);
                    continue;
                }
                Taken::Inside(inside, from) => (c, raw) = (inside, from),
                Taken::Mark => {
                    self.levels.truncate(depth + 1);
                    return out(c, raw, place, &mut self.runs);
                }
                Taken::Unread => return,
                Taken::Wrong => {
                    // What began as JSON is none: from here on it is text.
                    let escape = match level.string {
                        Some(Str::Escape) => Some(('\\', level.escape)),
                        // Part of it may be given out, so nothing may begin with it.
                        Some(Str::Unicode(..)) => Some((char::REPLACEMENT_CHARACTER, level.escape)),
                        _ => None,
                    };
                    self.levels.truncate(depth);
                    *self.inner(depth) = Inner::Text;
                    if let Some((mark, from)) = escape {
                        out(mark, from, place, &mut self.runs);
                    }
                    return out(c, raw, place, &mut self.runs);
                }
            }
            depth += 1;
        }
    }

    /// What stands in so many strings.
    fn inner(&mut self, depth: usize) -> &mut Inner {
        match depth.checked_sub(1) {
            None => &mut self.root,
            Some(around) => &mut self.levels[around].inner,
        }
    }
}

/// What a character is in a JSON text.
enum Taken {
    /// Before it stands half of a surrogate pair, written there; it is to be given again.
    Half(usize),
    /// It stands, or an escape that it ends stands, for this one in a string, and is written from there on.
    Inside(char, usize),
    /// It is a part of the structure, the ends of strings included.
    Mark,
    /// It is a part of an escape.
    Unread,
    /// It makes the text no JSON.
    Wrong,
}

impl Level {
    fn new() -> Self {
        Self {
            open: Vec::new(),
            expects: Expects::Value,
            string: None,
            is_key: false,
            escape: 0,
            high: None,
            inner: Inner::Unread,
        }
    }

    /// Where what is not complete yet begins.
    fn pending(&self) -> Option<usize> {
        let is_escape = self.string.is_some_and(|string| string != Str::Plain);
        self.high.map(|(_, from)| from).or_else(|| is_escape.then_some(self.escape))
    }

    fn take(&mut self, c: char, raw: usize) -> Taken {
        let Some(string) = &mut self.string else {
            return if self.structure(c) { Taken::Mark } else { Taken::Wrong };
        };
        let digits = match (*string, c.to_digit(16)) {
            (Str::Unicode(3, code), Some(digit)) => Some(code * 16 + digit),
            _ => None,
        };
        if let Some((high, from)) = self.high {
            let goes_on = match (*string, c) {
                (Str::Plain, '\\') | (Str::Escape, 'u') => true,
                (Str::Unicode(3, _), _) => digits.is_some_and(|low| (0xdc00..0xe000).contains(&low)),
                (Str::Unicode(..), _) => c.is_ascii_hexdigit(),
                _ => false,
            };
            if !goes_on {
                self.high = None;
                return Taken::Half(from);
            }
            if let Some(low) = digits {
                self.high = None;
                *string = Str::Plain;
                let code = 0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00);
                return Taken::Inside(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), from);
            }
        }
        match (*string, c) {
            (Str::Plain, '"') => {
                self.string = None;
                if self.is_key {
                    self.expects = Expects::Colon;
                } else {
                    self.end_value();
                }
                Taken::Mark
            }
            (Str::Plain, '\\') => {
                *string = Str::Escape;
                self.escape = raw;
                Taken::Unread
            }
            (Str::Plain, c) if c < ' ' => Taken::Wrong,
            (Str::Plain, c) => Taken::Inside(c, raw),
            (Str::Escape, 'u') => {
                *string = Str::Unicode(0, 0);
                Taken::Unread
            }
            (Str::Escape, c) => {
                let inside = match c {
                    '"' | '\\' | '/' => c,
                    'b' => '\u{8}',
                    'f' => '\u{c}',
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    _ => return Taken::Wrong,
                };
                *string = Str::Plain;
                Taken::Inside(inside, self.escape)
            }
            (Str::Unicode(digits, code), c) => {
                let Some(digit) = c.to_digit(16) else { return Taken::Wrong };
                let code = code * 16 + digit;
                if digits < 3 {
                    *string = Str::Unicode(digits + 1, code);
                    return Taken::Unread;
                }
                *string = Str::Plain;
                if (0xd800..0xdc00).contains(&code) {
                    self.high = Some((code, self.escape));
                    return Taken::Unread;
                }
                Taken::Inside(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), self.escape)
            }
        }
    }

    /// Takes a character outside strings; whether it may stand there.
    fn structure(&mut self, c: char) -> bool {
        match self.expects {
            Expects::Literal(rest) => {
                let Some(rest) = rest.strip_prefix(c) else { return false };
                self.expects = Expects::Literal(rest);
                if rest.is_empty() {
                    self.end_value();
                }
                return true;
            }
            Expects::Number if matches!(c, '0'..='9' | '+' | '-' | '.' | 'e' | 'E') => return true,
            Expects::Number => self.end_value(),
            _ => {}
        }
        if is_space(c) {
            return true;
        }
        let in_object = self.open.last() == Some(&true);
        match (self.expects, c) {
            (Expects::Key | Expects::FirstKey, '"') => self.begin_string(true),
            (Expects::Value | Expects::FirstValue, '"') => self.begin_string(false),
            (Expects::Value | Expects::FirstValue, '{' | '[') if self.open.len() < DEPTH => {
                self.open.push(c == '{');
                self.expects = if c == '{' { Expects::FirstKey } else { Expects::FirstValue };
            }
            (Expects::Value | Expects::FirstValue, '-' | '0'..='9') => self.expects = Expects::Number,
            (Expects::Value | Expects::FirstValue, 't') => self.expects = Expects::Literal("rue"),
            (Expects::Value | Expects::FirstValue, 'f') => self.expects = Expects::Literal("alse"),
            (Expects::Value | Expects::FirstValue, 'n') => self.expects = Expects::Literal("ull"),
            (Expects::Colon, ':') => self.expects = Expects::Value,
            (Expects::Comma, ',') => self.expects = if in_object { Expects::Key } else { Expects::Value },
            (Expects::FirstKey, '}') | (Expects::FirstValue, ']') => self.close(),
            (Expects::Comma, '}') if in_object => self.close(),
            (Expects::Comma, ']') if !in_object => self.close(),
            _ => return false,
        }
        true
    }

    fn begin_string(&mut self, is_key: bool) {
        self.string = Some(Str::Plain);
        self.is_key = is_key;
        self.inner = Inner::Unread;
    }

    fn close(&mut self) {
        self.open.pop();
        self.end_value();
    }

    fn end_value(&mut self) {
        self.expects = if self.open.is_empty() { Expects::End } else { Expects::Comma };
    }
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

/// An original as it is written in so many strings.
pub(super) fn escaped(original: &str, depth: usize) -> String {
    let mut out = original.to_owned();
    for _ in 0..depth {
        let mut next = String::with_capacity(out.len() + 8);
        for c in out.chars() {
            match c {
                '"' => next.push_str("\\\""),
                '\\' => next.push_str("\\\\"),
                '\n' => next.push_str("\\n"),
                '\r' => next.push_str("\\r"),
                '\t' => next.push_str("\\t"),
                c if c < ' ' => {
                    const DIGITS: &[u8; 16] = b"0123456789abcdef";
                    next.push_str("\\u00");
                    next.push(char::from(DIGITS[c as usize >> 4]));
                    next.push(char::from(DIGITS[c as usize & 15]));
                }
                c => next.push(c),
            }
        }
        out = next;
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(syntax: Syntax, raw: &str) -> Source {
        let mut source = Source::new(syntax);
        source.push(raw);
        source
    }

    fn quoted(text: &str) -> String {
        serde_json::to_string(text).unwrap()
    }

    /// The depth of the first `@`.
    fn depth(syntax: Syntax, raw: &str) -> Place {
        let source = read(syntax, raw);
        source.place(source.text().find('@').unwrap())
    }

    #[test]
    fn strings_in_strings_are_told_apart() {
        let inner = r#"{"a": ["@"]}"#;
        let twice = format!("{{\"n\":{}}}", quoted(inner));
        let thrice = format!("[1.0e5, null, {}]", quoted(&twice));
        for (raw, want) in
            [(inner, 1), (&twice, 2), (&thrice, 3), ("@", 0), ("{\"x\": true}@", 0), ("{\"a\":@", 0)]
        {
            assert_eq!(depth(Syntax::Perhaps, raw).depth, want, "{raw}");
            assert_eq!(depth(Syntax::Json, raw).depth, want.max(1), "{raw}");
            assert_eq!(depth(Syntax::Text, raw).depth, 0);
        }
        assert_eq!(depth(Syntax::Json, "\"@\"").depth, 1);
        assert_eq!(depth(Syntax::Json, "\"{@\"").depth, 1, "what only begins like JSON is text");
        assert_eq!(depth(Syntax::Json, r#"{"a":"[note: \"@\"]"}"#).depth, 1);
        assert_eq!(depth(Syntax::Json, r#"{"a":"[1] \"@\""}"#).depth, 1);
        assert_eq!(depth(Syntax::Json, r#"{"a":"{\"b\":\"\\q @\"}"}"#).depth, 1, "an escape that is none");
        for (quote, want) in [(r"\u0022", 1), (r"\\u0022", 2), (r"\\\u0022", 2)] {
            let raw = format!(r#"{{"a":"{{\"b\":\"c{quote}@"#);
            assert_eq!(depth(Syntax::Json, &raw).depth, want, "{raw}");
        }
        assert!(depth(Syntax::Json, r#"{"@":1}"#).is_key && !depth(Syntax::Json, r#"{"a":"@"}"#).is_key);
        assert!(depth(Syntax::Json, r#"[{"a":1,"@"#).is_key);
        assert!(!depth(Syntax::Json, r#"{"a":[{"b":[]},"@"#).is_key);
    }

    #[test]
    fn escapes_are_read_and_kept_as_written() {
        let raw = r#"{"a":"x\u005bP\u0041\n\ud83d\ude00\/y\\z"}"#;
        let source = read(Syntax::Json, raw);
        assert_eq!(source.text(), "{\"a\":\"x[PA\n\u{1f600}/y\\z\"}");
        let at = source.text().find('[').unwrap();
        assert_eq!(source.raw(at..at + 3), r"\u005bP\u0041");
        assert_eq!(source.raw(0..source.text().len()), raw);
        for (raw, unread, codes) in [
            ("\"a\\", "\\", Some(0..0x11_0000)),
            ("\"a\\u", "\\u", Some(0..0x1_0000)),
            ("\"a\\u00", "\\u00", Some(0..0x100)),
            ("\"a\\u005", "\\u005", Some(0x50..0x60)),
            ("\"a\\u005b", "", None),
            ("\"a\\ud83d", "\\ud83d", Some(0x1_0000..0x11_0000)),
            ("\"a\\ud83d\\", "\\ud83d\\", Some(0..0x11_0000)),
            ("\"a\\ud83dx", "", None),
            ("\"a\\ud83d\\ude00", "", None),
            ("\"a\\ud83d\\ud83d", "\\ud83d", Some(0x1_0000..0x11_0000)),
            ("\"{\\\"a\\\":\\\"\\\\u00", "\\\\u00", Some(0..0x100)),
            ("\"{\\\"a\\\":\\\"\\", "\\", Some(0..0x11_0000)),
        ] {
            let source = read(Syntax::Json, raw);
            assert_eq!((source.unread(), source.unread_codes()), (unread, codes), "{raw}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_what_was_pushed(
            raw in r#"([\[\]{}",:\\ u0bnré@5]|\\u[dD][89cC]00){0,40}"#,
            cuts in proptest::collection::vec(0usize..40, 0..6),
            json in any::<bool>(),
        ) {
            let syntax = if json { Syntax::Json } else { Syntax::Perhaps };
            let whole = read(syntax, &raw);
            prop_assert_eq!(format!("{}{}", whole.raw(0..whole.text().len()), whole.unread()), raw.clone());
            let mut source = Source::new(syntax);
            let mut rest = raw.as_str();
            for cut in cuts {
                let (piece, after) = rest.split_at(rest.char_indices().nth(cut).map_or(rest.len(), |(at, _)| at));
                source.push(piece);
                rest = after;
            }
            source.push(rest);
            prop_assert_eq!(source.text(), whole.text());
            for (at, _) in whole.text().char_indices() {
                prop_assert_eq!(source.place(at), whole.place(at));
                let mut forgetful = read(syntax, &raw);
                forgetful.forget(at);
                prop_assert_eq!(forgetful.text(), &whole.text()[at..]);
                prop_assert_eq!(forgetful.raw(0..forgetful.text().len()), whole.raw(at..whole.text().len()));
                prop_assert!(forgetful.text().is_empty() || forgetful.place(0) == whole.place(at));
            }
        }

        #[test]
        fn what_is_escaped_is_read_again(text in any::<String>(), depth in 0usize..4) {
            let mut read = escaped(&text, depth);
            for _ in 0..depth {
                read = serde_json::from_str::<String>(&format!("\"{read}\"")).unwrap();
            }
            prop_assert_eq!(read, text);
        }
    }
}
