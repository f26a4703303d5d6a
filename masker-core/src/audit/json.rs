//! JSON as the chain needs it: read without tolerance, written in the canonical form of RFC 8785.

use std::fmt::{self, Write as _};

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Integers above this have no exact place in the numbers of RFC 8785.
const MAX_INTEGER: u64 = 1 << 53;
/// How deep values may be nested in an event; readers refuse from 128 on.
const MAX_DEPTH: usize = 64;

/// One JSON object in a text, or `None` where it is none, has a key twice, or holds a number that the canonical form
/// would change.
pub(super) fn parse(text: &str) -> Option<Map<String, Value>> {
    match serde_json::from_str::<Strict>(text).ok()?.0 {
        Value::Object(map) => Some(map),
        _ => None,
    }
}

struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Strict)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Value, E> {
        if value.unsigned_abs() > MAX_INTEGER {
            return Err(E::custom("integer out of range"));
        }
        Ok(value.into())
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Value, E> {
        if value > MAX_INTEGER {
            return Err(E::custom("integer out of range"));
        }
        Ok(value.into())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Strict(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some((name, Strict(value))) = members.next_entry::<String, Strict>()? {
            if map.insert(name, value).is_some() {
                return Err(A::Error::custom("key given twice"));
            }
        }
        Ok(Value::Object(map))
    }
}

/// The members of an object.
pub(super) fn members(map: &Map<String, Value>) -> impl Iterator<Item = (&str, &Value)> {
    map.iter().map(|(name, value)| (name.as_str(), value))
}

/// Whether a member, written and read again by [`parse`], is the same: every number has its place in the canonical form, and
/// nothing is nested too deep for the reader.
pub(super) fn is_plain(value: &Value) -> bool {
    is_plain_at(value, MAX_DEPTH)
}

fn is_plain_at(value: &Value, depth: usize) -> bool {
    let Some(below) = depth.checked_sub(1) else { return false };
    match value {
        Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(value), _) => value <= MAX_INTEGER,
            (None, Some(value)) => value.unsigned_abs() <= MAX_INTEGER,
            // Doubles are written so that they read back as themselves.
            (None, None) => true,
        },
        Value::Array(items) => items.iter().all(|item| is_plain_at(item, below)),
        Value::Object(map) => map.values().all(|value| is_plain_at(value, below)),
        Value::Null | Value::Bool(_) | Value::String(_) => true,
    }
}

/// The canonical form of the object with these members.
pub(super) fn canonical<'a>(members: impl Iterator<Item = (&'a str, &'a Value)>) -> String {
    let mut out = String::with_capacity(512);
    write_object(&mut out, members);
    out
}

fn write_object<'a>(out: &mut String, members: impl Iterator<Item = (&'a str, &'a Value)>) {
    let mut members: Vec<(&str, &Value)> = members.collect();
    // RFC 8785, section 3.2.3: by UTF-16 code units, which for ASCII are the bytes.
    members.sort_unstable_by(|(a, _), (b, _)| {
        if a.is_ascii() && b.is_ascii() { a.cmp(b) } else { a.encode_utf16().cmp(b.encode_utf16()) }
    });
    out.push('{');
    for (i, (name, value)) in members.into_iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        write_string(out, name);
        out.push(':');
        write_value(out, value);
    }
    out.push('}');
}

fn write_value(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => {
            write_number(out, number.as_f64().expect("without arbitrary precision every number is a double"));
        }
        Value::String(text) => write_string(out, text),
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_value(out, item);
            }
            out.push(']');
        }
        Value::Object(map) => write_object(out, members(map)),
    }
}

/// RFC 8785, section 3.2.2.2: only what must be escaped is, in the shortest way.
fn write_string(out: &mut String, text: &str) {
    out.push('"');
    // Most texts here are ids and names, in which nothing is escaped.
    if text.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\') {
        out.push_str(text);
        out.push('"');
        return;
    }
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            '\0'..='\u{1f}' => write!(out, "\\u{:04x}", c as u32).expect("a string takes every write"),
            c => out.push(c),
        }
    }
    out.push('"');
}

/// RFC 8785, section 3.2.2.3: numbers as ECMAScript prints them.
fn write_number(out: &mut String, value: f64) {
    if value.fract() == 0.0 && value.abs() < MAX_INTEGER as f64 && value != 0.0 {
        // Whole numbers of this size have one form in every notation.
        write!(out, "{}", value as i64).expect("a string takes every write");
        return;
    }
    if value == 0.0 {
        // Minus zero has no sign there.
        out.push('0');
        return;
    }
    // The shortest digits that read back as the same number, and where their point is.
    let shortest = format!("{:e}", value.abs());
    let (digits, exponent) = shortest.split_once('e').expect("this format always has an exponent");
    let digits: String = digits.chars().filter(|c| *c != '.').collect();
    let point = exponent.parse::<i32>().expect("the exponent of a double is a small integer") + 1;
    let count = i32::try_from(digits.len()).expect("a double has at most 17 digits");
    if value < 0.0 {
        out.push('-');
    }
    if (count..=21).contains(&point) {
        out.push_str(&digits);
        out.extend(std::iter::repeat_n('0', (point - count) as usize));
    } else if (1..=21).contains(&point) {
        let (whole, fraction) = digits.split_at(point as usize);
        out.push_str(whole);
        out.push('.');
        out.push_str(fraction);
    } else if (-5..=0).contains(&point) {
        out.push_str("0.");
        out.extend(std::iter::repeat_n('0', -point as usize));
        out.push_str(&digits);
    } else {
        let (first, rest) = digits.split_at(1);
        out.push_str(first);
        if !rest.is_empty() {
            out.push('.');
            out.push_str(rest);
        }
        let sign = if point > 0 { "+" } else { "-" };
        write!(out, "e{sign}{}", (point - 1).abs()).expect("a string takes every write");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(value: f64) -> String {
        let mut out = String::new();
        write_number(&mut out, value);
        out
    }

    // RFC 8785, appendix B, and values around the borders between the notations.
    #[test]
    fn numbers() {
        for (bits, text) in [
            (0x0000_0000_0000_0000, "0"),
            (0x8000_0000_0000_0000, "0"),
            (0x0000_0000_0000_0001, "5e-324"),
            (0x8000_0000_0000_0001, "-5e-324"),
            (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
            (0x4340_0000_0000_0000, "9007199254740992"),
            (0x4430_0000_0000_0000, "295147905179352830000"),
            (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22"),
            (0x44b5_2d02_c7e1_4af6, "1e+23"),
            (0x444b_1ae4_d6e2_ef4e, "999999999999999700000"),
            (0x444b_1ae4_d6e2_ef50, "1e+21"),
            (0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7"),
            (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
            (0x41b3_de43_5555_5553, "333333333.3333332"),
        ] {
            assert_eq!(number(f64::from_bits(bits)), text);
        }
        for (value, text) in [(1.0, "1"), (0.95, "0.95"), (-1.5, "-1.5"), (120.0, "120"), (1e-7, "1e-7")] {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn keys_are_sorted_by_utf_16_and_strings_escaped_as_little_as_may_be() {
        let text =
            "{\"\u{20ac}\":1,\"\\r\":2,\"\u{fb33}\":3,\"1\":4,\"\u{1f600}\":5,\"\u{80}\":6,\"\u{f6}\":7}";
        let sorted = canonical(members(&parse(text).unwrap()));
        assert_eq!(
            sorted,
            "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"\u{f6}\":7,\"\u{20ac}\":1,\"\u{1f600}\":5,\"\u{fb33}\":3}"
        );
        let map = parse(r#"{"a" : "\u20ac$\u000f\nA'\u0042\"\\\/\u007f", "b":[ ]}"#).unwrap();
        let escaped = canonical(members(&map).filter(|(name, _)| *name != "b"));
        assert_eq!(escaped, "{\"a\":\"\u{20ac}$\\u000f\\nA'B\\\"\\\\/\u{7f}\"}");
    }

    #[test]
    fn what_is_plain_reads_back_as_itself() {
        let values = [
            serde_json::json!({ "a": [0, -1, 1_u64 << 53, -(1_i64 << 53), 0.1, 1e300, -0.0, 5e-324, 1.0], "b": { "c": "\u{0}\"" } }),
            serde_json::json!({ "a": (1_u64 << 53) + 1 }),
            serde_json::json!({ "a": { "b": [-(1_i64 << 53) - 1] } }),
            serde_json::json!({ "a": u64::MAX }),
            serde_json::json!({ "a": i64::MIN }),
        ];
        for value in &values {
            let map = value.as_object().unwrap();
            let read = parse(&value.to_string());
            assert_eq!(map.values().all(is_plain), read.is_some(), "{value}");
            if let Some(read) = read {
                assert_eq!(canonical(members(&read)), canonical(members(map)));
            }
        }
        assert!(values[0].as_object().unwrap().values().all(is_plain));
        let nested = |depth| (0..depth).fold(Value::Null, |inner, _| Value::Array(vec![inner]));
        let within = |depth| is_plain(&nested(depth));
        assert!(within(MAX_DEPTH - 1) && !within(MAX_DEPTH) && !within(200));
    }

    #[test]
    fn what_is_not_one_plain_object_is_refused() {
        for text in [
            "",
            "1",
            "[]",
            "{",
            "{}x",
            "{\"a\":1,\"a\":1}",
            "{\"a\":{\"b\":1,\"b\":2}}",
            "{\"a\":[{\"b\":1,\"b\":2}]}",
            "{\"a\":9007199254740993}",
            "{\"a\":-9007199254740993}",
            "{\"a\":1e999}",
            "{\"a\":\"\n\"}",
            "{a:1}",
        ] {
            assert!(parse(text).is_none(), "{text}");
        }
        assert!(parse("{\"a\":9007199254740992,\"b\":{\"a\":null}}").is_some());
    }
}
