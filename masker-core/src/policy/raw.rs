//! The file's shape: YAML as a tree of nodes that know where they stand.
//!
//! Built from the parser's events and not through serde, whose data model has no place for positions of keys, for tags and
//! for the difference between `5` and `"5"` in a key.

use std::collections::HashMap;
use std::rc::Rc;

use serde_yaml::granit_parser::{ErrorKind, Event, Marker, Options, Parser, ScalarStyle, ScanError, Tag};

use super::limits::{MAX_ALIAS_NODES, MAX_POLICY_BYTES, MAX_POLICY_DEPTH};

const TAB: &str = "a tab where YAML wants spaces";

/// Line and column in characters, both from 1.
pub(super) type Mark = (usize, usize);

/// A value and where it starts. An alias starts where the alias stands; what is inside it, where it was written.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) at: Mark,
    pub(super) value: Rc<Value>,
}

#[derive(Debug, PartialEq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    /// Saturated at the ends of the type, which no field accepts.
    Int(i128),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    /// Every pair in order of the file, equal keys too.
    Map(Vec<(Key, Node)>),
}

impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

/// A key as written: `on` and `1` are keys like any other.
#[derive(Debug, PartialEq)]
pub(super) struct Key {
    pub(super) at: Mark,
    pub(super) text: String,
}

#[derive(Debug)]
pub(super) struct SyntaxError {
    pub(super) at: Mark,
    pub(super) message: &'static str,
}

/// Reads one document.
pub(super) fn parse(text: &str) -> Result<Node, SyntaxError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut options = Options::default();
    options.emit_comments = false;
    options.flow_nesting_limit = MAX_POLICY_DEPTH;
    options.block_nesting_limit = MAX_POLICY_DEPTH;
    let mut tree = Tree::default();
    let mut documents = 0;
    for next in Parser::new_from_str_with_options(text, options) {
        let (event, span) = next.map_err(|e| scan_error(&e, text))?;
        let at = mark(&span.start);
        match event {
            Event::DocumentStart(..) => {
                documents += 1;
                if documents > 1 {
                    return Err(SyntaxError {
                        at,
                        message: "a policy is one document, and a second one starts here",
                    });
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                let tag = core_tag(tag.as_deref(), span.tag_start().map_or(at, |m| mark(&m)))?;
                let value = scalar(&text, style, tag)
                    .ok_or(SyntaxError { at, message: "the value does not fit its tag" })?;
                tree.complete(at, anchor, Rc::new(value), Some(&text))?;
            }
            Event::SequenceStart(_, anchor, tag) => {
                let tag = core_tag(tag.as_deref(), span.tag_start().map_or(at, |m| mark(&m)))?;
                if tag.is_some_and(|t| t != "seq") {
                    return Err(SyntaxError { at, message: "the value does not fit its tag" });
                }
                tree.open(at, anchor, Items::List(Vec::new()))?;
            }
            Event::MappingStart(_, anchor, tag) => {
                let tag = core_tag(tag.as_deref(), span.tag_start().map_or(at, |m| mark(&m)))?;
                if tag.is_some_and(|t| t != "map") {
                    return Err(SyntaxError { at, message: "the value does not fit its tag" });
                }
                tree.open(at, anchor, Items::Map(Vec::new(), None))?;
            }
            Event::SequenceEnd | Event::MappingEnd => tree.close()?,
            Event::Alias(anchor) => tree.alias(at, anchor)?,
            _ => {}
        }
    }
    tree.root.ok_or(SyntaxError { at: (1, 1), message: "the policy is empty" })
}

enum Items {
    List(Vec<Node>),
    Map(Vec<(Key, Node)>, Option<Key>),
}

struct Frame {
    at: Mark,
    anchor: usize,
    items: Items,
}

#[derive(Default)]
struct Tree {
    root: Option<Node>,
    open: Vec<Frame>,
    /// `None` while the anchored node is still open.
    anchors: HashMap<usize, Option<Rc<Value>>>,
    expanded_nodes: usize,
    expanded_bytes: usize,
}

impl Tree {
    fn open(&mut self, at: Mark, anchor: usize, items: Items) -> Result<(), SyntaxError> {
        if let Some(Frame { items: Items::Map(_, None), .. }) = self.open.last() {
            return Err(SyntaxError { at, message: "a key must be plain text" });
        }
        if self.open.len() >= MAX_POLICY_DEPTH {
            return Err(SyntaxError { at, message: "nested too deeply" });
        }
        if anchor > 0 {
            self.anchors.insert(anchor, None);
        }
        self.open.push(Frame { at, anchor, items });
        Ok(())
    }

    fn close(&mut self) -> Result<(), SyntaxError> {
        let frame = self.open.pop().expect("the parser balances starts and ends");
        let value = match frame.items {
            Items::List(items) => Value::List(items),
            Items::Map(pairs, _) => Value::Map(pairs),
        };
        self.complete(frame.at, frame.anchor, Rc::new(value), None)
    }

    fn alias(&mut self, at: Mark, anchor: usize) -> Result<(), SyntaxError> {
        let value = match self.anchors.get(&anchor) {
            Some(Some(value)) => Rc::clone(value),
            _ => return Err(SyntaxError { at, message: "an alias inside the node it stands for" }),
        };
        let (nodes, bytes) = size(&value);
        self.expanded_nodes += nodes;
        self.expanded_bytes += bytes;
        if self.expanded_nodes > MAX_ALIAS_NODES || self.expanded_bytes > MAX_POLICY_BYTES {
            return Err(SyntaxError {
                at,
                message: "the aliases stand for more than 1,000 nodes or 256 KiB",
            });
        }
        let key = if let Value::Text(text) = &*value { Some(text.clone()) } else { None };
        self.complete(at, 0, value, key.as_deref())
    }

    /// Puts a finished node where it belongs. `raw` is its text, if it can be a key.
    fn complete(
        &mut self,
        at: Mark,
        anchor: usize,
        value: Rc<Value>,
        raw: Option<&str>,
    ) -> Result<(), SyntaxError> {
        if anchor > 0 {
            self.anchors.insert(anchor, Some(Rc::clone(&value)));
        }
        let node = Node { at, value };
        match self.open.last_mut().map(|f| &mut f.items) {
            None => self.root = Some(node),
            Some(Items::List(items)) => items.push(node),
            Some(Items::Map(pairs, key)) => match key.take() {
                Some(key) => pairs.push((key, node)),
                None => match raw {
                    Some(raw) => *key = Some(Key { at, text: raw.to_owned() }),
                    None => return Err(SyntaxError { at, message: "a key must be plain text" }),
                },
            },
        }
        Ok(())
    }
}

/// Nodes and bytes of text in a tree. Bounded, since what aliases stand for is.
fn size(value: &Value) -> (usize, usize) {
    let add = |(n, b): (usize, usize), (m, c): (usize, usize)| (n + m, b + c);
    match value {
        Value::Text(text) => (1, text.len()),
        Value::List(items) => items.iter().map(|n| size(&n.value)).fold((1, 0), add),
        Value::Map(pairs) => {
            pairs.iter().map(|(k, n)| add((1, k.text.len()), size(&n.value))).fold((1, 0), add)
        }
        _ => (1, 0),
    }
}

fn mark(marker: &Marker) -> Mark {
    (marker.line().max(1), marker.col() + 1)
}

fn core_tag(tag: Option<&Tag>, at: Mark) -> Result<Option<&str>, SyntaxError> {
    match tag {
        None => Ok(None),
        Some(tag) => match tag.core_suffix() {
            Some(suffix) => Ok(Some(suffix)),
            None => Err(SyntaxError { at, message: "only the tags of the YAML core schema are allowed" }),
        },
    }
}

/// The value of a scalar under the YAML 1.2 core schema; `None` if its tag says something else.
fn scalar(text: &str, style: ScalarStyle, tag: Option<&str>) -> Option<Value> {
    let Some(tag) = tag else {
        let plain = style == ScalarStyle::Plain;
        return Some(if plain { resolve(text) } else { Value::Text(text.to_owned()) });
    };
    if tag == "str" {
        return Some(Value::Text(text.to_owned()));
    }
    match (tag, resolve(text)) {
        ("float", Value::Int(n)) => Some(Value::Float(n as f64)),
        ("int", v @ Value::Int(_)) | ("float", v @ Value::Float(_)) => Some(v),
        ("bool", v @ Value::Bool(_)) | ("null", v @ Value::Null) => Some(v),
        _ => None,
    }
}

fn resolve(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        ".nan" | ".NaN" | ".NAN" => return Value::Float(f64::NAN),
        _ => {}
    }
    let negative = text.starts_with('-');
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") {
        return Value::Float(if negative { f64::NEG_INFINITY } else { f64::INFINITY });
    }
    let radix = [("0o", 8), ("0x", 16)].into_iter().find_map(|(p, r)| text.strip_prefix(p).map(|d| (d, r)));
    if let Some((digits, radix)) = radix {
        return if !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix)) {
            Value::Int(i128::from_str_radix(digits, radix).unwrap_or(i128::MAX))
        } else {
            Value::Text(text.to_owned())
        };
    }
    if !unsigned.is_empty() && unsigned.bytes().all(|b| b.is_ascii_digit()) {
        let limit = if negative { i128::MIN } else { i128::MAX };
        return Value::Int(text.parse().unwrap_or(limit));
    }
    if is_float(unsigned) {
        return text.parse().map_or_else(|_| Value::Text(text.to_owned()), Value::Float);
    }
    Value::Text(text.to_owned())
}

/// `[0-9]*` with an optional fraction and exponent, and at least one digit before the exponent.
fn is_float(text: &str) -> bool {
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(i) => (&text[..i], Some(&text[i + 1..])),
        None => (text, None),
    };
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    let mantissa_fits = match mantissa.split_once('.') {
        Some((whole, part)) => digits(whole) && digits(part) && whole.len() + part.len() > 0,
        None => digits(mantissa) && !mantissa.is_empty(),
    };
    mantissa_fits
        && exponent.is_none_or(|e| {
            let e = e.strip_prefix(['-', '+']).unwrap_or(e);
            !e.is_empty() && digits(e)
        })
}

/// Own words throughout: the parser's may quote the file.
fn scan_error(error: &ScanError, text: &str) -> SyntaxError {
    let message = match error.kind() {
        ErrorKind::UnknownAnchor => "an alias without an anchor before it",
        ErrorKind::RecursionLimitExceeded => "nested too deeply",
        ErrorKind::TabNotAllowed
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation
        | ErrorKind::TabAtBlockScalarStart
        | ErrorKind::TabInPlainScalar => TAB,
        ErrorKind::InvalidIndentation
        | ErrorKind::InvalidBlockScalarIndent
        | ErrorKind::InvalidQuotedScalarIndent
        | ErrorKind::InvalidFlowScalarIndent => "the indentation does not fit",
        ErrorKind::UnclosedQuotedScalar | ErrorKind::DocumentIndicatorInQuotedScalar => {
            "a quoted text is not closed"
        }
        ErrorKind::UnknownQuotedScalarEscape
        | ErrorKind::InvalidQuotedScalarHexEscape
        | ErrorKind::InvalidUnicodeEscape => {
            "an escape that YAML does not know; in single quotes a backslash stands for itself"
        }
        ErrorKind::UnclosedFlowCollection { .. }
        | ErrorKind::UnexpectedEofFlowSequence
        | ErrorKind::UnexpectedEofFlowMapping
        | ErrorKind::UnexpectedEofImplicitFlowMapping => "a bracket is not closed",
        ErrorKind::MisplacedFlowCollectionEnd | ErrorKind::MismatchedFlowCollectionEnd { .. } => {
            "a closing bracket that fits no opening one"
        }
        ErrorKind::MappingValueNotAllowed
        | ErrorKind::InvalidMappingValueWhitespace
        | ErrorKind::InvalidColonPlacement => {
            "a colon that YAML does not expect here; quote the text, or close the bracket before it"
        }
        ErrorKind::SimpleKeyExpected | ErrorKind::InvalidSimpleKey => "a colon is missing after a key",
        ErrorKind::UndeclaredTagHandle => "only the tags of the YAML core schema are allowed",
        _ => "not valid YAML",
    };
    let (line, mut column) = mark(error.marker());
    if message == TAB {
        // The parser points behind the tab.
        let before = text.lines().nth(line - 1).unwrap_or("").chars().take(column).collect::<Vec<_>>();
        column = before.iter().rposition(|c| *c == '\t').map_or(column, |i| i + 1);
    }
    SyntaxError { at: (line, column), message }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(s: &str) -> Value {
        Value::Text(s.to_owned())
    }

    fn get<'n>(node: &'n Node, name: &str) -> &'n Node {
        match &*node.value {
            Value::Map(pairs) => &pairs.iter().find(|(k, _)| k.text == name).unwrap().1,
            _ => panic!("not a mapping"),
        }
    }

    #[test]
    fn scalars_follow_the_core_schema() {
        for (source, value) in [
            ("no", text("no")),
            ("on", text("on")),
            ("True", Value::Bool(true)),
            ("tRUE", text("tRUE")),
            ("~", Value::Null),
            ("0x1F", Value::Int(31)),
            ("0o17", Value::Int(15)),
            ("017", Value::Int(17)),
            ("-12", Value::Int(-12)),
            ("1_000", text("1_000")),
            ("1.", Value::Float(1.0)),
            (".5e1", Value::Float(5.0)),
            ("1e3", Value::Float(1000.0)),
            (".", text(".")),
            ("e5", text("e5")),
            ("-.inf", Value::Float(f64::NEG_INFINITY)),
            ("infinity", text("infinity")),
            ("2026-01-02", text("2026-01-02")),
            ("'5'", text("5")),
            ("!!str 5", text("5")),
            ("!!int \"5\"", Value::Int(5)),
            ("!!float 5", Value::Float(5.0)),
            ("99999999999999999999999999999999999999999999", Value::Int(i128::MAX)),
        ] {
            assert_eq!(*parse(&format!("k: {source}")).unwrap().value, map_of("k", value), "{source}");
        }
    }

    fn map_of(key: &str, value: Value) -> Value {
        let key = Key { at: (1, 1), text: key.to_owned() };
        Value::Map(vec![(key, Node { at: (1, 4), value: Rc::new(value) })])
    }

    #[test]
    fn nodes_know_where_they_stand() {
        let root = parse("# c\na: 1\nb:\n  - x\n  - {k: \"v\", é: w}\nempty:\nlast: |\n  block\n").unwrap();
        assert_eq!(root.at, (2, 1));
        assert_eq!(get(&root, "a").at, (2, 4));
        let b = get(&root, "b");
        assert_eq!(b.at, (4, 3));
        let Value::List(items) = &*b.value else { panic!("a list") };
        assert_eq!((items[0].at, items[1].at), ((4, 5), (5, 5)));
        assert_eq!((get(&items[1], "k").at, get(&items[1], "é").at), ((5, 9), (5, 17)));
        assert_eq!(*get(&root, "empty").value, Value::Null);
        assert_eq!(get(&root, "empty").at.0, 6);
        assert_eq!(get(&root, "last").at, (8, 3));
    }

    #[test]
    fn equal_keys_survive() {
        let root = parse("a: 1\na: 2\n").unwrap();
        let Value::Map(pairs) = &*root.value else { panic!("a mapping") };
        assert_eq!(pairs.len(), 2);
        assert_eq!(pairs[1].0.at, (2, 1));
    }

    #[test]
    fn aliases_are_expanded_within_limits() {
        let root = parse("a: &x [1, 2]\nb: *x\n").unwrap();
        assert_eq!(get(&root, "a").value, get(&root, "b").value);
        assert_eq!(get(&root, "b").at, (2, 4));

        let list = |n: usize| format!("a: &x [{}]\nb: [*x, *x]\n", vec!["1"; n].join(", "));
        assert!(parse(&list(499)).is_ok());
        assert!(parse(&list(500)).is_err());
        let long = format!("a: &x '{}'\nb: [*x, *x, *x]\n", "w".repeat(100_000));
        assert_eq!(parse(&long).unwrap_err().at, (2, 13));
        let laughs = "a: &a [l, l, l, l, l, l, l, l, l]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a]\n\
                      c: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b]\nd: [*c, *c, *c, *c, *c, *c, *c, *c]\n";
        assert!(parse(laughs).is_err());
        assert!(parse("a: &x [1, *x]\n").is_err());
    }

    #[test]
    fn what_is_not_one_plain_document_is_refused() {
        for (source, at) in [
            ("", (1, 1)),
            ("# only a comment\n", (1, 1)),
            ("a: 1\n---\nb: 2\n", (2, 1)),
            ("a: !secret x\n", (1, 4)),
            ("a: !!timestamp 2026-01-02\n", (1, 4)),
            ("a: !!int x\n", (1, 10)),
            ("[a]: 1\n", (1, 1)),
            ("? {a: 1}\n: 1\n", (1, 3)),
            ("a: *x\n", (1, 4)),
        ] {
            assert_eq!(parse(source).unwrap_err().at, at, "{source}");
        }
        for source in ["a: [1\n", "a: 'x\n", "a:\n\t- b\n", "a: b: c\n", "a\u{0}: 1\n", &"[".repeat(20_000)] {
            assert!(parse(source).is_err(), "{source}");
        }
    }
}
