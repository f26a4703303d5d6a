//! Just enough of Rust's grammar to see which paths a file names.

use std::collections::BTreeMap;

/// A path that starts at the crate root: the name after `crate::`, and where it stands.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct RootPath {
    /// Line, from 1.
    pub(crate) line: usize,
    /// The first name below the root; `*` for everything.
    pub(crate) first: String,
}

/// Every path from the crate root in a file whose module lies `depth` below the root (`src/a.rs` is 1, `src/a/b.rs` is 2).
///
/// `crate::x`, `$crate::x`, groups and those chains of `super::` that reach the root all count. Comments, strings and doc
/// examples do not.
pub(crate) fn root_paths(source: &str, depth: usize) -> Vec<RootPath> {
    let tokens = tokens(source);
    let mut paths = Vec::new();
    // One entry for each open brace: whether it is the body of an inline module.
    let mut braces = Vec::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        match token.text {
            "{" => {
                let module = at >= 2 && tokens[at - 2].text == "mod";
                braces.push(module);
            }
            "}" => {
                braces.pop();
            }
            "crate" if text(&tokens, at + 1) == "::" => first_names(&tokens, at + 2, &mut paths),
            "super" if at == 0 || tokens[at - 1].text != "::" => {
                let mut ups = 1;
                while text(&tokens, at + 1) == "::" && text(&tokens, at + 2) == "super" {
                    ups += 1;
                    at += 2;
                }
                let here = depth + braces.iter().filter(|module| **module).count();
                if ups >= here && text(&tokens, at + 1) == "::" {
                    first_names(&tokens, at + 2, &mut paths);
                }
            }
            _ => {}
        }
        at += 1;
    }
    paths
}

/// What a crate root re-exports: each public name with the module it comes from.
pub(crate) fn re_exports(root: &str) -> BTreeMap<String, String> {
    let tokens = tokens(root);
    let mut found = BTreeMap::new();
    for at in 0..tokens.len() {
        if tokens[at].text != "use" || at == 0 || tokens[at - 1].text != "pub" {
            continue;
        }
        let mut module = at + 1;
        if matches!(text(&tokens, module), "self" | "crate") {
            module += 2;
        }
        let end = (module..tokens.len()).find(|i| tokens[*i].text == ";").unwrap_or(tokens.len());
        for i in module + 1..end {
            let last = matches!(text(&tokens, i + 1), "," | "}" | ";");
            if last && is_name(tokens[i].text) {
                found.insert(tokens[i].text.to_owned(), tokens[module].text.to_owned());
            }
        }
    }
    found
}

#[derive(Clone, Copy, Debug)]
struct Token<'a> {
    text: &'a str,
    line: usize,
}

fn text<'a>(tokens: &[Token<'a>], at: usize) -> &'a str {
    tokens.get(at).map_or("", |token| token.text)
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// The names that a use tree begins with: one for `a::b`, one for each branch of `{a::b, c}`.
fn first_names(tokens: &[Token<'_>], at: usize, paths: &mut Vec<RootPath>) {
    let mut push = |token: &Token<'_>| {
        if is_name(token.text) || token.text == "*" {
            paths.push(RootPath { line: token.line, first: token.text.to_owned() });
        }
    };
    if text(tokens, at) != "{" {
        if let Some(token) = tokens.get(at) {
            push(token);
        }
        return;
    }
    let mut nesting = 0;
    for i in at..tokens.len() {
        match tokens[i].text {
            "{" => nesting += 1,
            "}" => nesting -= 1,
            _ if nesting == 1 && matches!(tokens[i - 1].text, "{" | ",") => push(&tokens[i]),
            _ => {}
        }
        if nesting == 0 {
            break;
        }
    }
}

fn tokens(source: &str) -> Vec<Token<'_>> {
    let bytes = source.as_bytes();
    let mut tokens = Vec::new();
    let mut line = 1;
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        at = match bytes[at] {
            b'/' if bytes.get(at + 1) == Some(&b'/') => find(bytes, at, b"\n").unwrap_or(bytes.len()),
            b'/' if bytes.get(at + 1) == Some(&b'*') => block_comment_end(bytes, at),
            b'"' => string_end(bytes, at),
            b'\'' => quote_end(source, at),
            b':' if bytes.get(at + 1) == Some(&b':') => at + 2,
            b if b.is_ascii_alphabetic() || b == b'_' || b >= 0x80 => {
                let end = bytes[at..]
                    .iter()
                    .position(|b| !(b.is_ascii_alphanumeric() || *b == b'_' || *b >= 0x80))
                    .map_or(bytes.len(), |length| at + length);
                literal_end(bytes, at, end).unwrap_or(end)
            }
            _ => at + 1,
        };
        let piece = &source[start..at];
        let skipped = piece.trim().is_empty() || piece.starts_with("//") || piece.starts_with("/*");
        if !skipped {
            tokens.push(Token { text: piece, line });
        }
        line += piece.matches('\n').count();
    }
    tokens
}

fn find(bytes: &[u8], from: usize, what: &[u8]) -> Option<usize> {
    bytes[from..].windows(what.len()).position(|window| window == what).map(|offset| from + offset)
}

fn block_comment_end(bytes: &[u8], start: usize) -> usize {
    let (mut at, mut nesting) = (start, 0);
    while at < bytes.len() {
        if bytes[at..].starts_with(b"/*") {
            nesting += 1;
            at += 2;
        } else if bytes[at..].starts_with(b"*/") {
            nesting -= 1;
            at += 2;
            if nesting == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    at
}

fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// The end of a character literal, or of the lone quote that begins a lifetime.
fn quote_end(source: &str, start: usize) -> usize {
    let rest = &source[start + 1..];
    if rest.starts_with('\\') {
        let body = start + 3;
        return find(source.as_bytes(), body.min(source.len()), b"'").map_or(source.len(), |at| at + 1);
    }
    let Some(first) = rest.chars().next() else { return start + 1 };
    let after = start + 1 + first.len_utf8();
    if source.as_bytes().get(after) == Some(&b'\'') { after + 1 } else { start + 1 }
}

/// The end of a raw, byte or C string whose prefix is `bytes[start..end]`.
fn literal_end(bytes: &[u8], start: usize, end: usize) -> Option<usize> {
    match &bytes[start..end] {
        b"r" | b"br" | b"cr" => {
            let hashes = bytes[end..].iter().take_while(|b| **b == b'#').count();
            let open = end + hashes;
            if bytes.get(open) != Some(&b'"') {
                return None;
            }
            let close: Vec<u8> = std::iter::once(b'"').chain(std::iter::repeat_n(b'#', hashes)).collect();
            Some(find(bytes, open + 1, &close).map_or(bytes.len(), |at| at + close.len()))
        }
        b"b" | b"c" if bytes.get(end) == Some(&b'"') => Some(string_end(bytes, end)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn firsts(source: &str, depth: usize) -> Vec<String> {
        root_paths(source, depth).into_iter().map(|path| path.first).collect()
    }

    #[test]
    fn paths_and_groups_are_seen() {
        assert_eq!(firsts("use crate::span::Span;", 1), ["span"]);
        assert_eq!(firsts("use crate::{Kind, token::{self, Token}, vault};", 1), ["Kind", "token", "vault"]);
        assert_eq!(firsts("fn f() -> crate::error::Error { $crate::go!() }", 1), ["error", "go"]);
        assert_eq!(firsts("use crate::*;", 1), ["*"]);
        assert_eq!(firsts("pub(crate) fn f() {}", 1), Vec::<String>::new());
    }

    #[test]
    fn super_counts_only_where_it_reaches_the_root() {
        assert_eq!(firsts("use super::engine;", 1), ["engine"]);
        assert_eq!(firsts("use super::engine;", 2), Vec::<String>::new());
        assert_eq!(firsts("use super::super::engine;", 2), ["engine"]);
        assert_eq!(firsts("mod tests { use super::*; use super::super::vault; }", 1), ["vault"]);
        assert_eq!(firsts("fn f() { if a { super::g() } }", 1), ["g"]);
    }

    #[test]
    fn comments_and_literals_are_not_code() {
        let source = r##"
            // crate::a
            /* crate::b /* nested */ crate::c */
            let s = "crate::d \" crate::e"; let r = r#"crate::f" crate::g"#; let b = b"crate::h";
            let c = '"'; let q = '\''; let l: &'static str = x; use crate::found;
        "##;
        assert_eq!(root_paths(source, 1), [RootPath { line: 5, first: "found".into() }]);
    }

    #[test]
    fn re_exports_know_their_module() {
        let exports =
            re_exports("pub use self::detect::{Finding, Pass as Stage};\npub use span::Span; use x::Y;");
        let pairs: Vec<_> = exports.iter().map(|(name, module)| (name.as_str(), module.as_str())).collect();
        assert_eq!(pairs, [("Finding", "detect"), ("Span", "span"), ("Stage", "detect")]);
    }
}
