//! Numbers that are nobody's: from reserved ranges, or with check digits that fail.

use super::draw::Draw;
use super::words::{digits_of, fill, shaped, shaped_from};
use crate::Kind;
use crate::kinds::{Verdict, checks};
use crate::token::normalise::split_extension;

const AREA_CODES: [&str; 24] = [
    "202", "206", "210", "213", "216", "303", "305", "312", "313", "404", "408", "412", "414", "415", "502",
    "503", "512", "602", "612", "617", "702", "713", "801", "901",
];
/// Numbers that regulators keep for fiction, by country: what follows the country's code, with a digit to be drawn for each `#`.
/// ACMA (Australia), Ofcom (Britain), Arcep (France), Bundesnetzagentur (Germany), ComReg (Ireland), PTS (Sweden).
const FICTION: [(&str, &[&str]); 6] = [
    ("61", &["25550####", "35550####", "75550####", "85550####", "491570###"]),
    ("44", &["2079460###", "1134960###", "1614960###", "7700900###"]),
    ("33", &["19900####", "26191####", "35301####", "46571####", "53649####", "63998####"]),
    ("49", &["3023125###", "6990009###", "17139200##"]),
    ("353", &["20915####"]),
    ("46", &["313906##", "406280##", "84650###"]),
];

/// 555-01xx in the North American plan; elsewhere a number kept for fiction, or one that nobody is given.
pub(super) fn phone(form: &str, keep_country: bool, draw: &mut Draw) -> String {
    let (number, _) = split_extension(form);
    let old = digits_of(number);
    let area = draw.pick(&AREA_CODES);
    let local = format!("55501{}", draw.digits(2));
    let is_international = number.trim_start_matches(['(', ' ']).starts_with('+');
    let fiction = FICTION.iter().find(|(code, _)| is_international && old.starts_with(code));
    let new = match (old.len(), fiction) {
        (_, Some((code, numbers))) if keep_country => {
            // Of the same length and region, or a mobile one for a mobile one, where there is such.
            let rest = &old[code.len()..];
            let likeness = |number: &&str| {
                let common = number.bytes().zip(rest.bytes()).take_while(|(a, b)| a == b).count();
                (number.len() == rest.len(), common)
            };
            let best = numbers.iter().map(likeness).max();
            let fitting: Vec<&str> = numbers.iter().filter(|n| Some(likeness(n)) == best).copied().collect();
            let number = draw.pick(&fitting);
            let number: String = number.chars().map(|c| if c == '#' { draw.digit() } else { c }).collect();
            (*code).to_owned() + &number
        }
        (7, _) => local,
        (10, _) if !is_international => area.to_owned() + &local,
        (11, _) if old.starts_with('1') => format!("1{area}{local}"),
        (4, _) => draw.digits(4),
        (8.., _) if is_international => {
            // After a country's code no number begins with two zeros.
            format!("{}00", &old[..2])
        }
        (8.., _) => "0000".to_owned(),
        _ => String::new(),
    };
    let mut filled = fill(form, &new, draw);
    // A longer number than the form has room for.
    if new.len() > old.len() && !old.is_empty() {
        filled.push_str(&new[old.len()..]);
    }
    filled
}

/// Area 900 and up, group 01 to 49: neither a social security number nor an ITIN.
pub(super) fn ssn(form: &str, draw: &mut Draw) -> String {
    let new = if digits_of(form).len() == 9 {
        format!("9{}{:02}{}", draw.digits(2), draw.below(49) + 1, draw.digits(4))
    } else {
        String::new()
    };
    fill(form, &new, draw)
}

/// Fails the Luhn check, so that it can be nobody's card.
pub(super) fn card(form: &str, draw: &mut Draw) -> String {
    let mut digits = draw.digits(digits_of(form).len());
    if digits.len() > 4
        && passes_luhn(&digits)
        && let Some(last) = digits.pop().and_then(|last| last.to_digit(10))
    {
        digits.extend(char::from_digit((last + 1) % 10, 10));
    }
    fill(form, &digits, draw)
}

pub(super) fn passes_luhn(digits: &str) -> bool {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(i, b)| match u32::from(b - b'0') << (i % 2) {
            doubled @ 10.. => doubled - 9,
            value => value,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// The same first digit, which is the region.
pub(super) fn zip(form: &str, draw: &mut Draw) -> String {
    let first: String = digits_of(form).chars().take(1).collect();
    fill(form, &first, draw)
}

/// Checks whose success would make a number look like somebody's.
const CHECKS: [fn(&str) -> Verdict; 10] = [
    checks::aba_routing,
    checks::dea,
    checks::iban,
    checks::iccid,
    checks::imei,
    checks::meid,
    checks::npi,
    checks::postal_item,
    checks::ups_tracking,
    checks::vin,
];

/// A code of the same form that no check digit bears out.
pub(super) fn code(kind: &Kind, form: &str, draw: &mut Draw) -> String {
    let mut new = form.to_owned();
    for _ in 0..32 {
        new = formed(kind, form, draw);
        if CHECKS.iter().all(|check| check(&new.to_lowercase()) != Verdict::Valid) {
            break;
        }
    }
    new
}

fn formed(kind: &Kind, form: &str, draw: &mut Draw) -> String {
    let compact: String = form.chars().filter(char::is_ascii_alphanumeric).collect();
    let letters = |text: &str| text.chars().filter(char::is_ascii_alphabetic).count();
    let is_hex = |text: &str| text.bytes().all(|b| b.is_ascii_hexdigit());
    // Identifiers of interfaces: the block for documentation, RFC 9542.
    if *kind == Kind::Device
        && compact.len() == 12
        && is_hex(&compact)
        && letters(&compact) + form.matches([':', '-', '.']).count() > 0
    {
        let last = draw.digits(2);
        return place(form, &format!("00005E0053{last}"));
    }
    // No bank has 00 for its check digits.
    if *kind == Kind::Account
        && compact.len() >= 15
        && compact.is_char_boundary(4)
        && compact[..2].bytes().all(|b| b.is_ascii_alphabetic())
        && compact[2..4].bytes().all(|b| b.is_ascii_digit())
    {
        let rest = shaped(&compact[4..], draw);
        return place(form, &format!("{}00{rest}", &compact[..2]));
    }
    // What says how the rest is to be read stays: prefixes of wallets and parcels, field numbers in parentheses.
    for prefix in ["0x", "bc1q", "bc1p", "1Z"] {
        if let Some(rest) = form.strip_prefix(prefix).filter(|rest| rest.len() > 12) {
            let rest = if is_hex(rest) { hex(rest, draw) } else { shaped(rest, draw) };
            return format!("{prefix}{rest}");
        }
    }
    if form.starts_with('(') {
        let parts = form.split_inclusive(')').map(|part| match part.rfind('(') {
            Some(at) => shaped(&part[..at], draw) + &part[at..],
            None => shaped(part, draw),
        });
        return parts.collect();
    }
    if compact.len() >= 16 && is_hex(&compact) && letters(&compact) > 0 {
        return hex(form, draw);
    }
    match kind {
        // Letters that are taken for digits stand in neither.
        Kind::Vehicle | Kind::HealthPlan if compact.len() == form.len() || compact.len() == 11 => {
            let new = shaped(form, draw);
            new.chars()
                .map(|c| match c {
                    'I' | 'L' | 'O' | 'Q' | 'S' | 'Z' | 'B' => {
                        draw.pick(&['A', 'C', 'E', 'K', 'R', 'T', 'X'])
                    }
                    'i' | 'l' | 'o' | 'q' | 's' | 'z' | 'b' => {
                        draw.pick(&['a', 'c', 'e', 'k', 'r', 't', 'x'])
                    }
                    _ => c,
                })
                .collect()
        }
        _ => shaped(form, draw),
    }
}

/// Hexadecimal digits for hexadecimal digits: where they are letters, letters.
fn hex(form: &str, draw: &mut Draw) -> String {
    shaped_from(form, 6, draw)
}

/// Puts letters and digits into the places of those of the form, in its letter case.
fn place(form: &str, text: &str) -> String {
    let lower = form.chars().any(|c| c.is_ascii_lowercase()) && !form.chars().any(|c| c.is_ascii_uppercase());
    let mut text = text.chars();
    form.chars()
        .map(|c| match c {
            _ if !c.is_ascii_alphanumeric() => c,
            _ => text.next().map_or(c, |new| if lower { new.to_ascii_lowercase() } else { new }),
        })
        .collect()
}
