//! Folding of single characters to the plain form in which patterns and word lists are written.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// First code points of the runs of ten decimal digits (general category Nd) outside ASCII, in the Unicode Character
/// Database.
const DIGIT_ZEROS: [u32; 36] = [
    0x0660, 0x06F0, 0x07C0, 0x0966, 0x09E6, 0x0A66, 0x0AE6, 0x0B66, 0x0BE6, 0x0C66, 0x0CE6, 0x0D66, 0x0DE6,
    0x0E50, 0x0ED0, 0x0F20, 0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90, 0x1B50, 0x1BB0,
    0x1C40, 0x1C50, 0xA620, 0xA8D0, 0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0, 0xFF10,
];

/// Appends the folded form of a character; nothing for characters that have no width.
pub(crate) fn fold_char(c: char, out: &mut String) {
    match c {
        'A'..='Z' => out.push(c.to_ascii_lowercase()),
        '\0'..='\x7F' => out.push(c),
        // Soft hyphen, zero-width spaces and joiners, direction marks, variation selectors: invisible.
        '\u{AD}'
        | '\u{61C}'
        | '\u{180E}'
        | '\u{200B}'..='\u{200F}'
        | '\u{202A}'..='\u{202E}'
        | '\u{2060}'..='\u{2064}'
        | '\u{2066}'..='\u{206F}'
        | '\u{FE00}'..='\u{FE0F}'
        | '\u{FEFF}' => {}
        '\u{A0}' | '\u{1680}' | '\u{2000}'..='\u{200A}' | '\u{202F}' | '\u{205F}' | '\u{3000}' => {
            out.push(' ');
        }
        '\u{85}' | '\u{2028}' | '\u{2029}' => out.push('\n'),
        '\u{2010}'..='\u{2013}' | '\u{2043}' | '\u{2212}' | '\u{FE58}' | '\u{FE63}' | '\u{FF0D}' => {
            out.push('-');
        }
        // Long dashes separate clauses; short ones join the parts of a number or name.
        '\u{2014}' | '\u{2015}' => out.push_str(" - "),
        '\u{2018}' | '\u{2019}' | '\u{201A}' | '\u{201B}' | '\u{2032}' | '\u{FF07}' => out.push('\''),
        '\u{201C}'..='\u{201F}' | '\u{AB}' | '\u{BB}' | '\u{2033}' => out.push('"'),
        '\u{2024}' | '\u{3002}' | '\u{FF61}' => out.push('.'),
        'ß' => out.push_str("ss"),
        'Æ' | 'æ' => out.push_str("ae"),
        'Œ' | 'œ' => out.push_str("oe"),
        'Ø' | 'ø' => out.push('o'),
        'Ł' | 'ł' => out.push('l'),
        'Đ' | 'đ' | 'Ð' | 'ð' => out.push('d'),
        'ı' => out.push('i'),
        'Þ' | 'þ' => out.push_str("th"),
        _ if is_combining_mark(c) => {}
        _ => fold_other(c, out),
    }
}

fn fold_other(c: char, out: &mut String) {
    let code = u32::from(c);
    if let Some(&zero) = DIGIT_ZEROS.iter().rev().find(|&&zero| zero <= code)
        && code - zero < 10
    {
        out.push(char::from(b'0' + (code - zero) as u8));
        return;
    }
    if (0x1D7CE..=0x1D7FF).contains(&code) {
        out.push(char::from(b'0' + ((code - 0x1D7CE) % 10) as u8));
        return;
    }
    // Compatibility forms (full width, ligatures, mathematical letters) and accents go; what is left keeps its script.
    for plain in std::iter::once(c).nfkd().filter(|&p| !is_combining_mark(p)) {
        if plain.is_ascii() {
            out.push(plain.to_ascii_lowercase());
        } else {
            out.extend(plain.to_lowercase());
        }
    }
}

/// An escape at the start of `rest` that stands for one character, as HTML or JSON writes it: the character and the
/// length of the escape in bytes.
pub(super) fn escape(rest: &str) -> Option<(char, usize)> {
    const NAMED: [(&str, char); 8] = [
        ("&amp;", '&'),
        ("&apos;", '\''),
        ("&commat;", '@'),
        ("&gt;", '>'),
        ("&lt;", '<'),
        ("&nbsp;", ' '),
        ("&quot;", '"'),
        ("&period;", '.'),
    ];
    let bytes = rest.as_bytes();
    match bytes.first()? {
        b'&' => {
            if let Some(&(name, c)) = NAMED.iter().find(|(name, _)| rest.starts_with(name)) {
                return Some((c, name.len()));
            }
            let body = rest.get(2..rest.len().min(10))?;
            if bytes.get(1) != Some(&b'#') {
                return None;
            }
            let end = body.find(';')?;
            let digits = &body[..end];
            let code = match digits.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => digits.parse().ok()?,
            };
            Some((char::from_u32(code).filter(|c| !c.is_control())?, end + 3))
        }
        b'\\' => match bytes.get(1)? {
            b'n' => Some(('\n', 2)),
            b'r' => Some(('\n', 2)),
            b't' => Some((' ', 2)),
            b'"' => Some(('"', 2)),
            b'/' => Some(('/', 2)),
            b'u' => {
                let code = u32::from_str_radix(rest.get(2..6)?, 16).ok()?;
                Some((char::from_u32(code).filter(|c| !c.is_control())?, 6))
            }
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folded(text: &str) -> String {
        let mut out = String::new();
        for c in text.chars() {
            fold_char(c, &mut out);
        }
        out
    }

    #[test]
    fn folds_what_looks_the_same() {
        assert_eq!(folded("４１５－５５５"), "415-555");
        assert_eq!(folded("٤١٥"), "415");
        assert_eq!(folded("४१५"), "415");
        assert_eq!(folded("Bergström Łukasz Ægir"), "bergstrom lukasz aegir");
        assert_eq!(folded("Jose\u{301}"), "jose");
        assert_eq!(folded("41\u{200B}5\u{AD}-555"), "415-555");
        assert_eq!(folded("a\u{A0}b\u{2011}c\u{2014}d"), "a b-c - d");
        assert_eq!(folded("O\u{2019}Brien"), "o'brien");
        assert_eq!(folded("Ιώ Дана"), "ιω дана");
    }

    #[test]
    fn reads_escapes() {
        assert_eq!(escape("&#64;example"), Some(('@', 5)));
        assert_eq!(escape("&#x40;"), Some(('@', 6)));
        assert_eq!(escape("\\u0040x"), Some(('@', 6)));
        assert_eq!(escape("\\nNext"), Some(('\n', 2)));
        assert_eq!(escape("& co"), None);
        assert_eq!(escape("\\"), None);
        assert_eq!(escape("&#99999999;"), None);
    }
}
