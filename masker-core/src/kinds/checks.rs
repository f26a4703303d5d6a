//! Pure validators: check digits, ranges and grammars of identifiers.
//!
//! Every function takes the candidate as it was matched (lower case, with its separators) or in compact form
//! (upper case, letters and digits only) and reads both alike.

use std::collections::HashSet;
use std::sync::LazyLock;

use smallvec::SmallVec;

use super::Verdict;
use crate::view::{WordHash, WordHashBuilder, hash_word};

/// Accepts anything.
pub fn none(_text: &str) -> Verdict {
    Verdict::Plausible
}

/// The characters of an identifier; longer ones than this are rare.
type Characters = SmallVec<[u8; 32]>;

/// The ASCII digits of the text, as numbers.
fn digits(text: &str) -> Characters {
    text.bytes().filter(u8::is_ascii_digit).map(|b| b - b'0').collect()
}

/// How many bytes of the text are of a sort.
fn count(text: &str, sort: fn(&u8) -> bool) -> usize {
    text.bytes().filter(sort).count()
}

/// The ASCII letters and digits of the text in upper case.
fn compact(text: &str) -> Characters {
    text.bytes().filter(u8::is_ascii_alphanumeric).map(|b| b.to_ascii_uppercase()).collect()
}

fn plausible_if(fits: bool) -> Verdict {
    if fits { Verdict::Plausible } else { Verdict::Reject }
}

fn valid_if(fits: bool) -> Verdict {
    if fits { Verdict::Valid } else { Verdict::Reject }
}

/// Degrees of latitude and longitude: not two fractions of one, and without a sign not two numbers beside each other.
pub fn coordinates(text: &str) -> Verdict {
    let numbers = text.split([',', ' ']).filter(|part| !part.is_empty());
    let degrees: Vec<f64> = numbers.filter_map(|number| number.parse().ok()).collect();
    let &[latitude, longitude] = degrees.as_slice() else { return Verdict::Reject };
    let on_earth = latitude.abs() <= 90.0 && longitude.abs() <= 180.0;
    let whole = latitude.abs() >= 1.0 || longitude.abs() >= 1.0;
    plausible_if(on_earth && whole && (text.contains(',') || text.contains(['+', '-'])))
}

/// Accepts telephone numbers of the North American plan, with or without the leading 1 and an extension.
///
/// Area codes are `[2-9][0-8]X` and exchanges `[2-9]XX`, neither of them `N11` (ATIS-0300051).
pub fn nanp_phone(text: &str) -> Verdict {
    let number = digits(without_extension(text));
    let national = match number.as_slice() {
        [1, rest @ ..] if rest.len() == 10 => rest,
        other => other,
    };
    plausible_if(national.len() == 10 && is_nanp(national))
}

/// Accepts what [`nanp_phone`] accepts, with any country code of one to three digits in front.
pub fn prefixed_phone(text: &str) -> Verdict {
    let number = digits(without_extension(text));
    let national = number.len().checked_sub(10).map(|at| &number[at..]);
    plausible_if(number.len() <= 13 && national.is_some_and(is_nanp))
}

fn is_nanp(national: &[u8]) -> bool {
    let [a, b, c, d, e, f, ..] = *national else { return false };
    a >= 2 && b <= 8 && (b, c) != (1, 1) && d >= 2 && (e, f) != (1, 1)
}

/// Accepts 8 to 15 digits, country code included (ITU-T E.164).
pub fn international_phone(text: &str) -> Verdict {
    plausible_if((8..=15).contains(&digits(without_extension(text)).len()))
}

/// Accepts 7 to 15 digits: what people give when asked for a number, whatever its plan.
pub fn phone_length(text: &str) -> Verdict {
    plausible_if((7..=15).contains(&digits(without_extension(text)).len()))
}

fn without_extension(text: &str) -> &str {
    let end = text.bytes().position(|b| b.is_ascii_alphabetic() || b == b'#').unwrap_or(text.len());
    &text[..end]
}

/// Accepts addresses within the lengths of RFC 5321, section 4.5.3.1: local part up to 64 octets, domain up
/// to 255, and domain labels of 1 to 63 characters that neither start nor end with a hyphen (RFC 1035,
/// section 2.3.4).
///
/// Doubled dots in the local part are tolerated: a mistyped address still names its owner.
pub fn email(text: &str) -> Verdict {
    let Some((local, domain)) = text.rsplit_once('@') else { return Verdict::Plausible };
    let local = local.trim_end();
    let labels = domain.trim().split('.').map(str::trim);
    let well_formed = labels
        .fold(true, |ok, l| ok && (1..=63).contains(&l.len()) && !l.starts_with('-') && !l.ends_with('-'));
    plausible_if(!local.is_empty() && local.len() <= 64 && domain.len() <= 255 && well_formed)
}

/// Accepts social security and taxpayer numbers by the ranges of their issuers.
///
/// SSN: area not 000, 666 or 9XX, group not 00, serial not 0000 (SSA, POMS RM 10201.030). ITIN and ATIN: area
/// 9XX and group 50 to 65, 70 to 88 or 90 to 99 (IRS). The advertising numbers 987-65-4320 to 4329 pass:
/// masking them does no harm.
pub fn ssn(text: &str) -> Verdict {
    let number = digits(text);
    if number.len() != 9 {
        return Verdict::Reject;
    }
    let value =
        |range: std::ops::Range<usize>| number[range].iter().fold(0_u32, |sum, d| sum * 10 + u32::from(*d));
    let (area, group, serial) = (value(0..3), value(3..5), value(5..9));
    let taxpayer = area >= 900 && matches!(group, 50..=65 | 70..=88 | 90..=99);
    let advertised = (area, group) == (987, 65) && (4320..=4329).contains(&serial);
    let issued = area != 0 && area != 666 && area < 900 && group != 0 && serial != 0;
    plausible_if(issued || taxpayer || advertised)
}

/// Accepts what a label already names as a code: 4 to 40 letters and digits, three of them digits (two where
/// it has no more than five characters), and no measure such as `500mg` or `24hours`.
pub fn labelled_code(text: &str) -> Verdict {
    let code = compact(text);
    let number = code.iter().filter(|b| b.is_ascii_digit()).count();
    let leading = code.iter().take_while(|b| b.is_ascii_digit()).count();
    let unit = &code[leading..];
    let measure = leading > 0 && UNITS.iter().any(|u| u.as_bytes() == unit);
    let enough = number >= 3 || (number == 2 && code.len() <= 5);
    plausible_if((4..=40).contains(&code.len()) && enough && !measure)
}

const UNITS: [&str; 41] = [
    "MG", "MCG", "UG", "G", "GM", "KG", "LB", "LBS", "OZ", "ML", "CC", "L", "CM", "MM", "IU", "UNITS", "MEQ",
    "MMHG", "BPM", "HOURS", "HRS", "DAYS", "WEEKS", "YEARS", "DAY", "WEEK", "HOUR", "YEAR", "MONTH",
    "MONTHS", "YO", "AM", "PM", "ST", "ND", "RD", "TH", "PPM", "KCAL", "FR", "MIN",
];

/// Accepts what [`labelled_code`] accepts from five characters on: no licence is shorter, and years have four.
pub fn license(text: &str) -> Verdict {
    if compact(text).len() < 5 { Verdict::Reject } else { labelled_code(text) }
}

/// Confirms the Luhn digit (ISO/IEC 7812-1, annex B) over at least two digits.
fn luhn(number: &[u8]) -> bool {
    let doubled = |(i, &d): (usize, &u8)| match (i % 2, d) {
        (0, d) => u32::from(d),
        (_, d @ 0..=4) => u32::from(d) * 2,
        (_, d) => u32::from(d) * 2 - 9,
    };
    number.len() > 1 && number.iter().rev().enumerate().map(doubled).sum::<u32>() % 10 == 0
}

/// Confirms National Provider Identifiers: ten digits starting with 1 or 2 whose last one is the Luhn digit
/// over the number behind the prefix 80840 (45 CFR 162.406; CMS check digit requirements).
pub fn npi(text: &str) -> Verdict {
    let number = digits(text);
    let prefixed: Characters = [8, 0, 8, 4, 0].iter().chain(&number).copied().collect();
    valid_if(number.len() == 10 && matches!(number[0], 1 | 2) && luhn(&prefixed))
}

/// Confirms DEA registration numbers: registrant letter, letter or 9, six digits and a check digit, the last
/// digit of d1 + d3 + d5 + 2 (d2 + d4 + d6).
pub fn dea(text: &str) -> Verdict {
    let code = compact(text);
    let [kind, name, number @ ..] = code.as_slice() else { return Verdict::Reject };
    let well_formed = b"ABCDEFGHJKLMPRSTUX".contains(kind)
        && (name.is_ascii_uppercase() || *name == b'9')
        && number.len() == 7
        && number.iter().all(u8::is_ascii_digit);
    if !well_formed {
        return Verdict::Reject;
    }
    let d: Vec<u32> = number.iter().map(|b| u32::from(b - b'0')).collect();
    valid_if((d[0] + d[2] + d[4] + 2 * (d[1] + d[3] + d[5])) % 10 == d[6])
}

/// Confirms DEA numbers as [`dea`] does, with or without the hospital's suffix behind a hyphen (21 CFR
/// 1301.22).
pub fn dea_with_suffix(text: &str) -> Verdict {
    dea(text.split_once('-').map_or(text, |(number, _)| number))
}

/// Confirms UPS tracking numbers: 1Z and sixteen characters, the last the check digit over the fifteen before
/// it, where letters count (ASCII - 63) mod 10 and every second character twice.
pub fn ups_tracking(text: &str) -> Verdict {
    let code = compact(text);
    let Some(body) = code.strip_prefix(b"1Z") else { return Verdict::Reject };
    let [payload @ .., check] = body else { return Verdict::Reject };
    if payload.len() != 15 || !check.is_ascii_digit() {
        return Verdict::Reject;
    }
    let sum: u32 = payload
        .iter()
        .enumerate()
        .map(|(i, &b)| {
            let value = u32::from(if b.is_ascii_digit() { b - b'0' } else { (b - 63) % 10 });
            if i % 2 == 1 { value * 2 } else { value }
        })
        .sum();
    valid_if((10 - sum % 10) % 10 == u32::from(check - b'0'))
}

/// Confirms international postal item numbers: two letters, eight digits, a check digit and two letters (UPU
/// S10).
pub fn postal_item(text: &str) -> Verdict {
    let code = compact(text);
    let letters = |part: &[u8]| part.iter().all(u8::is_ascii_uppercase);
    if code.len() != 13
        || !letters(&code[..2])
        || !letters(&code[11..])
        || !code[2..11].iter().all(u8::is_ascii_digit)
    {
        return Verdict::Reject;
    }
    let sum: u32 = code[2..10]
        .iter()
        .zip([8, 6, 4, 2, 3, 5, 9, 7])
        .map(|(b, weight)| u32::from(b - b'0') * weight)
        .sum();
    let check = match 11 - sum % 11 {
        10 => 0,
        11 => 5,
        other => other,
    };
    valid_if(check == u32::from(code[10] - b'0'))
}

/// Confirms payment card numbers: an issuer's prefix with a length it uses (ISO/IEC 7812) and the Luhn digit.
pub fn payment_card(text: &str) -> Verdict {
    let length = count(text, u8::is_ascii_digit);
    if !(12..=19).contains(&length) {
        return Verdict::Reject;
    }
    let prefix = |n: usize| {
        let first = text.bytes().filter(u8::is_ascii_digit).take(n);
        first.fold(0_u32, |sum, digit| sum * 10 + u32::from(digit - b'0'))
    };
    let lengths = match (prefix(1), prefix(2), prefix(3), prefix(4)) {
        // Visa has issued 13, 16 and 19 digits; 15 would be a mobile equipment identity.
        (4, ..) if length == 15 => return Verdict::Reject,
        (4, ..) => 13..=19,
        (_, 51..=55, ..) | (.., 2221..=2720) => 16..=16,
        (_, 34 | 37, ..) => 15..=15,
        (_, 65, ..) | (_, _, 644..=649, _) | (.., 6011) => 16..=19,
        (.., 3528..=3589) => 16..=19,
        (_, 36 | 38 | 39, ..) | (_, _, 300..=305, _) | (.., 3095) => 14..=19,
        (_, 62 | 81, ..) => 16..=19,
        (_, 50 | 56..=58 | 63 | 67, ..) => 12..=19,
        // The airlines' travel plan.
        (1, ..) => 15..=15,
        _ => return Verdict::Reject,
    };
    valid_if(lengths.contains(&length) && luhn(&digits(text)))
}

/// Confirms numbers of two or more digits whose last digit is the Luhn check digit (ISO/IEC 7812-1).
pub fn luhn_digits(text: &str) -> Verdict {
    let number = digits(text);
    valid_if(number.len() >= 2 && luhn(&number))
}

/// Confirms numbers whose last character makes the weighted sum divisible by eleven: weights 2, 3, 4 … from the right
/// before it, ten written `X`, as in ISBN-10 (ISO 2108).
pub fn mod11(text: &str) -> Verdict {
    let code = compact(text);
    let Some((&last, rest)) = code.split_last() else { return Verdict::Reject };
    let check = match last {
        b'X' => 10,
        b'0'..=b'9' => u32::from(last - b'0'),
        _ => return Verdict::Reject,
    };
    if rest.is_empty() || !rest.iter().all(u8::is_ascii_digit) {
        return Verdict::Reject;
    }
    let sum: u32 = rest.iter().rev().zip(2_u32..).map(|(d, weight)| u32::from(d - b'0') * weight).sum();
    valid_if((sum + check).is_multiple_of(11))
}

/// Confirms dates of the calendar in numbers: year first, or month before day before year.
pub fn date(text: &str) -> Verdict {
    let parts: Vec<u32> = text
        .split(|c: char| !c.is_ascii_digit())
        .filter(|part| !part.is_empty())
        .map_while(|part| part.parse().ok())
        .collect();
    let (year, month, day) = match *parts.as_slice() {
        [year, month, day] if year > 31 => (year, month, day),
        [month, day, year] => (year, month, day),
        [compact] if (10_000_101..=29_991_231).contains(&compact) => {
            (compact / 10_000, compact / 100 % 100, compact % 100)
        }
        _ => return Verdict::Reject,
    };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let longest = match month {
        2 if leap || year < 100 => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return Verdict::Reject,
    };
    valid_if((1..=longest).contains(&day))
}

/// Confirms ABA routing numbers: a prefix of 00 to 12, 21 to 32, 61 to 72 or 80, and the sum of the digits
/// weighted 3, 7, 1 in turn divisible by ten.
pub fn aba_routing(text: &str) -> Verdict {
    let number = digits(text);
    if number.len() != 9 {
        return Verdict::Reject;
    }
    let prefix = number[0] * 10 + number[1];
    let sum: u32 =
        number.iter().zip([3, 7, 1].iter().cycle()).map(|(d, weight)| u32::from(*d) * weight).sum();
    valid_if(matches!(prefix, 0..=12 | 21..=32 | 61..=72 | 80) && sum.is_multiple_of(10))
}

/// Confirms international bank account numbers: the country's length and a remainder of one modulo 97 with
/// the first four characters moved to the end and letters read as 10 to 35 (ISO 13616, ISO 7064).
pub fn iban(text: &str) -> Verdict {
    let code = compact(text);
    let known = |entry: &str| {
        let (country, length) = entry.split_at(2);
        code.starts_with(country.as_bytes()) && length.parse() == Ok(code.len())
    };
    if !IBAN_LENGTHS.split_ascii_whitespace().any(known) {
        return Verdict::Reject;
    }
    let remainder = code[4..].iter().chain(&code[..4]).fold(0_u32, |sum, &b| match b {
        b'0'..=b'9' => (sum * 10 + u32::from(b - b'0')) % 97,
        _ => (sum * 100 + u32::from(b - b'A') + 10) % 97,
    });
    valid_if(remainder == 1 && code[2..4].iter().all(u8::is_ascii_digit))
}

/// Country and length.
const IBAN_LENGTHS: &str = "
    AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20
    EG29 ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30
    KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23
    PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26
    UA29 VA22 VG24 XK20 YE30
";

/// Confirms Bitcoin's segregated witness addresses by the checksum of BIP 173 or BIP 350.
pub fn bech32_wallet(text: &str) -> Verdict {
    const ALPHABET: &[u8] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    let lower = text.to_ascii_lowercase();
    let Some(data) = lower.strip_prefix("bc1") else { return Verdict::Reject };
    let values: Option<Vec<u32>> =
        data.bytes().map(|b| ALPHABET.iter().position(|a| *a == b).map(|at| at as u32)).collect();
    let Some(values) = values else { return Verdict::Reject };
    // The human-readable part "bc", expanded: high bits, zero, low bits.
    let expanded = [3, 3, 0, 2, 3];
    let residue = expanded.iter().chain(&values).fold(1_u32, |sum, value| {
        let top = sum >> 25;
        let shifted = ((sum & 0x01ff_ffff) << 5) ^ value;
        GENERATOR.iter().enumerate().filter(|(i, _)| top >> i & 1 == 1).fold(shifted, |acc, (_, g)| acc ^ g)
    });
    valid_if(residue == 1 || residue == 0x2bc8_30a3)
}

/// Accepts card security codes and last fours: three or four digits.
pub fn three_or_four_digits(text: &str) -> Verdict {
    plausible_if(matches!(digits(text).len(), 3 | 4))
}

/// Accepts bank account numbers: 4 to 19 digits.
pub fn account_number(text: &str) -> Verdict {
    plausible_if((4..=19).contains(&digits(text).len()))
}

/// Confirms Medicare beneficiary identifiers by their grammar, C A AN N A AN N A A N N, where letters are not
/// S, L, O, I, B or Z (CMS, "Understanding the MBI format").
pub fn mbi(text: &str) -> Verdict {
    let code = compact(text);
    let letter = |b: u8| b.is_ascii_uppercase() && !b"SLOIBZ".contains(&b);
    let digit = |b: u8| b.is_ascii_digit();
    let fits = |(&b, class): (&u8, &u8)| match class {
        b'C' => digit(b) && b != b'0',
        b'A' => letter(b),
        b'X' => letter(b) || digit(b),
        _ => digit(b),
    };
    valid_if(code.len() == 11 && code.iter().zip(b"CAXNAXNAANN").all(fits))
}

/// Accepts Medicare claim numbers of the old kind: a social security number and a beneficiary code of one or
/// two characters starting with a letter (CMS).
pub fn hicn(text: &str) -> Verdict {
    let code = compact(text);
    let Some((number, beneficiary)) = code.split_at_checked(9) else { return Verdict::Reject };
    let suffix = match beneficiary {
        [a] => b"ABCDEFJKMTW".contains(a),
        [a, b] => b"BCDEFHJKMTW".contains(a) && b.is_ascii_alphanumeric(),
        _ => false,
    };
    let ranges = std::str::from_utf8(number).map_or(Verdict::Reject, ssn);
    plausible_if(suffix && number.iter().all(u8::is_ascii_digit) && ranges != Verdict::Reject)
}

/// Confirms vehicle identification numbers: 17 characters without I, O and Q, the ninth the weighted sum
/// modulo 11 (49 CFR 565.15).
pub fn vin(text: &str) -> Verdict {
    const WEIGHTS: [u32; 17] = [8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2];
    if vin_shape(text) == Verdict::Reject {
        return Verdict::Reject;
    }
    let code = compact(text);
    let value = |b: u8| match b {
        b'0'..=b'9' => u32::from(b - b'0'),
        b'A'..=b'H' => u32::from(b - b'A') + 1,
        b'J'..=b'R' => u32::from(b - b'J') + 1,
        _ => u32::from(b - b'S') + 2,
    };
    let check = match code.iter().zip(WEIGHTS).map(|(&b, weight)| value(b) * weight).sum::<u32>() % 11 {
        10 => b'X',
        other => b'0' + other as u8,
    };
    valid_if(code[8] == check)
}

/// Accepts what has the shape of a vehicle identification number, whatever its check digit: European numbers
/// have none. One digit at the least: capitals alone are words.
pub fn vin_shape(text: &str) -> Verdict {
    let is_excluded = |b: u8| matches!(b.to_ascii_uppercase(), b'I' | b'O' | b'Q');
    plausible_if(
        count(text, u8::is_ascii_alphanumeric) == 17
            && text.bytes().any(|b| b.is_ascii_digit())
            && !text.bytes().any(is_excluded),
    )
}

/// Accepts licence plates: 2 to 8 letters and digits, one of them a digit, that do not end in a common word.
pub fn plate(text: &str) -> Verdict {
    const WORDS: [&str; 32] = [
        "and", "are", "but", "for", "has", "her", "his", "in", "is", "it", "my", "no", "not", "of", "on",
        "or", "so", "the", "was", "with", "mg", "ml", "cm", "mm", "kg", "lbs", "mcg", "gm", "am", "pm",
        "days", "hrs",
    ];
    let code = compact(text);
    let words = text.split([' ', '-']).any(|part| WORDS.contains(&part));
    plausible_if((2..=8).contains(&code.len()) && code.iter().any(u8::is_ascii_digit) && !words)
}

/// Confirms mobile equipment identities: 15 digits with the Luhn digit (3GPP TS 23.003, annex B).
pub fn imei(text: &str) -> Verdict {
    let number = digits(text);
    valid_if(number.len() == 15 && number.iter().any(|d| *d != 0) && luhn(&number))
}

/// Confirms SIM card numbers: 89, 18 to 20 digits, with the Luhn digit (ITU-T E.118).
pub fn iccid(text: &str) -> Verdict {
    if !(18..=20).contains(&count(text, u8::is_ascii_digit)) {
        return Verdict::Reject;
    }
    let number = digits(text);
    valid_if(number.starts_with(&[8, 9]) && luhn(&number))
}

/// Confirms mobile equipment identifiers: 14 hexadecimal digits starting with A to F, and the check digit of
/// the Luhn scheme in base 16 where there is a fifteenth (3GPP2 S.R0048).
pub fn meid(text: &str) -> Verdict {
    let code = compact(text);
    let values: Option<Vec<u32>> = code.iter().map(|&b| char::from(b).to_digit(16)).collect();
    let Some(values) = values else { return Verdict::Reject };
    if values.first().is_none_or(|first| *first < 10) {
        return Verdict::Reject;
    }
    let sum: u32 = values
        .iter()
        .take(14)
        .enumerate()
        .map(|(i, &v)| if i % 2 == 1 { v * 2 / 16 + v * 2 % 16 } else { v })
        .sum();
    match values.as_slice() {
        [_, ..] if values.len() == 14 => Verdict::Plausible,
        [.., check] if values.len() == 15 => valid_if((16 - sum % 16) % 16 == *check),
        _ => Verdict::Reject,
    }
}

/// Accepts hardware addresses of 48 or 64 bits (IEEE 802) other than all zeros and the broadcast address.
pub fn mac_address(text: &str) -> Verdict {
    let code = compact(text);
    let hexadecimal = code.iter().all(u8::is_ascii_hexdigit);
    let uniform = code.iter().all(|b| *b == b'0') || code.iter().all(|b| *b == b'F');
    valid_if(matches!(code.len(), 12 | 16) && hexadecimal && !uniform)
}

/// Confirms GS1 device identifiers by the check digit of the GTIN behind `(01)` (GS1 General Specifications,
/// 7.9).
pub fn udi_gs1(text: &str) -> Verdict {
    let Some((_, rest)) = text.split_once("(01)") else { return Verdict::Reject };
    let item = digits(rest.split('(').next().unwrap_or(rest));
    let Some(item) = item.get(..14) else { return Verdict::Reject };
    let sum: u32 = item.iter().zip([3, 1].iter().cycle()).map(|(d, weight)| u32::from(*d) * weight).sum();
    valid_if(sum.is_multiple_of(10))
}

/// Confirms HIBC device identifiers by their modulo 43 check character (ANSI/HIBC 2).
pub fn udi_hibc(text: &str) -> Verdict {
    const ALPHABET: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-. $/+%";
    let values: Option<Vec<usize>> =
        text.bytes().map(|b| ALPHABET.iter().position(|a| *a == b.to_ascii_uppercase())).collect();
    let Some(values) = values else { return Verdict::Reject };
    let Some((check, payload)) = values.split_last() else { return Verdict::Reject };
    valid_if(text.starts_with('+') && payload.iter().sum::<usize>() % 43 == *check)
}

/// Accepts web addresses that have a host: a letter or digit behind the scheme.
pub fn url(text: &str) -> Verdict {
    let host = text.split_once("://").map_or(text, |(_, rest)| rest);
    plausible_if(
        host.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric() || b == b'[') || !host.is_ascii(),
    )
}

/// Accepts IPv4 addresses: four numbers up to 255 (RFC 791), and a prefix length up to 32 (RFC 4632).
pub fn ipv4(text: &str) -> Verdict {
    let (address, prefix) =
        text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
    let is_octet = |part: &[u8]| {
        let number =
            |digits: &[u8]| digits.iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0'));
        (1..=3).contains(&part.len()) && part.iter().all(u8::is_ascii_digit) && number(part) <= 255
    };
    let mut octets = 0;
    let all = address.as_bytes().split(|byte| *byte == b'.').inspect(|_| octets += 1).take(5).all(is_octet);
    plausible_if(all && octets == 4 && prefix.is_none_or(|p| p.parse::<u8>().is_ok_and(|p| p <= 32)))
}

/// Confirms IPv6 addresses (RFC 4291), with zone (RFC 4007) and prefix length up to 128, that have a digit:
/// `::` and `a::b` are punctuation and program text more often than addresses.
pub fn ipv6(text: &str) -> Verdict {
    let (address, prefix) =
        text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
    let address = address.split_once('%').map_or(address, |(address, _)| address);
    let parsed = address.parse::<std::net::Ipv6Addr>().is_ok();
    valid_if(
        parsed
            && text.bytes().any(|b| b.is_ascii_digit())
            && prefix.is_none_or(|p| p.parse::<u8>().is_ok_and(|p| p <= 128)),
    )
}

/// Accepts passwords and user names behind their label, unless they are the words that follow such a label in
/// prose: "my password is not working".
pub fn credential(text: &str) -> Verdict {
    let word = text.trim_matches(|c: char| !c.is_alphanumeric()).to_ascii_lowercase();
    plausible_if(!word.is_empty() && !PROSE_WORDS.contains(&hash_word(word.as_bytes())))
}

/// Accepts passwords behind their label as [`credential`] does; letters alone only from six on, since "pin",
/// "code" and "key" have many short neighbours.
pub fn password(text: &str) -> Verdict {
    let word = text.trim_matches(|c: char| !c.is_alphanumeric());
    let bare = word.chars().all(char::is_alphabetic);
    if bare && word.chars().count() < 6 { Verdict::Reject } else { credential(text) }
}

/// Accepts PINs and one-time codes: 3 to 10 letters and digits, with a digit.
pub fn passcode(text: &str) -> Verdict {
    let code = compact(text);
    plausible_if((3..=10).contains(&code.len()) && code.iter().any(u8::is_ascii_digit))
}

static PROSE_WORDS: LazyLock<HashSet<WordHash, WordHashBuilder>> = LazyLock::new(|| {
    PROSE_AFTER_CREDENTIAL.split_ascii_whitespace().map(|word| hash_word(word.as_bytes())).collect()
});

const PROSE_AFTER_CREDENTIAL: &str = "
    a about access account after again agent all already also always am an and another any are aren't as ask
    asked at attempt attempts available back bad baseline be because bedtime been before being blank blue box
    breached breakfast but button by call can can't cannot case change changed changes changing check
    compromised confirm confirmed contains correct could create created cushion day default details did didn't
    different dinner discharge do doctor does doesn't doing don't done each either email empty enough enter
    entered entry error every everything exactly expire expired expires expiring failed fails failure field
    fine first fixation for forgot forgotten from generator get give given goes going gone good got gray
    hacked had has hasn't have haven haven't having he help her here hers hidden hint his history home
    hospital how i i'm if in incorrect info information inserted insertion instead interface into invalid is
    isn't issue issues it it's its itself just keeper keeps kept know known last leaked length like link
    linked locked log login long lost lunch made make manager match matches may me mean means midnight might
    mine missing month morning must my name names need needed needs never new night no none noon not nothing
    now nurse of off ok okay old on once one only open opens or other our out over pad page pages part
    password passwords patient people pink placement please point points policy portal post posted prick print
    problem problems prompt protect protected protection provided question questions read really recover
    recovered recovery red refused rejected remember removal removed request requested required requirement
    requirements requires reset resets resetting rest right rules safe same save saved screen secret section
    secure security see seems send sensitive sent session set setting settings setup shared sharing she should
    shouldn't show shown site sites so some somebody someone something status still stolen storage stored
    strength stripe stroke strong such sure system taken team tell temporarily temporary than that that's the
    their them then there there's these they they're thing this those through time times to today tomorrow too
    tract tracts tried try trying twice type typed under unknown until up update updated upon us use used user
    username using valid verification very via wall was wasn't we weak website week well were what what's
    wheel when where which while white who whose why will with within without won't word work worked working
    works worm would write written wrong yes yesterday yet you you're your yours
";

#[cfg(test)]
mod tests {
    use super::Verdict::{Plausible, Reject, Valid};
    use super::*;

    #[track_caller]
    fn all(check: fn(&str) -> Verdict, expected: Verdict, texts: &[&str]) {
        for text in texts {
            assert_eq!(check(text), expected, "{text}");
        }
    }

    #[test]
    fn phones() {
        all(
            nanp_phone,
            Plausible,
            &[
                "(212) 555-0147",
                "+1 415-555-0101",
                "8005550199",
                "14155550142",
                "312.555.0190 ext 22",
                "217-555-0104x53406",
            ],
        );
        all(
            nanp_phone,
            Reject,
            &[
                "(112) 555-0147",
                "212-155-0147",
                "292-555-0147",
                "411-555-0147",
                "617-911-0123",
                "212-055-0148",
                "24155550142",
                "415555014",
            ],
        );
        all(prefixed_phone, Plausible, &["91-617-555-0139", "617-555-0139", "1 617 555 0139"]);
        all(prefixed_phone, Reject, &["91-111-555-0139", "1234-617-555-0139"]);
        all(international_phone, Plausible, &["+44 20 7946 0958", "+52 55 1234 5678"]);
        all(international_phone, Reject, &["+44", "+44 20 7946 0958 1234 567"]);
        all(phone_length, Plausible, &["555-0142", "112-555-0147"]);
        all(phone_length, Reject, &["55501", "1234567890123456"]);
    }

    #[test]
    fn emails() {
        all(
            email,
            Plausible,
            &["jane.doe+clinic@example.com", "o'neil_77@mail.example.org", "a@b.co", "ada @ example . com"],
        );
        all(email, Reject, &["ada@-example.com", "ada@example-.com", "ada@example..com"]);
        assert_eq!(email(&format!("{}@example.com", "a".repeat(65))), Reject);
        assert_eq!(email(&format!("ada@{}.com", "a".repeat(64))), Reject);
    }

    #[test]
    fn anything() {
        all(none, Plausible, &["", "x"]);
        assert_ne!(none("x"), Valid);
    }

    #[test]
    fn social_security_numbers() {
        all(
            ssn,
            Plausible,
            &[
                "123-45-6789",
                "078-05-1120",
                "219-09-9999",
                "457-55-5462",
                "987-65-4320",
                "111 22 3333",
                "222334444",
                "912-70-1234",
                "900-94-0001",
                "912-93-1234",
            ],
        );
        all(
            ssn,
            Reject,
            &[
                "000-12-3456",
                "666-12-3456",
                "900-12-3456",
                "123-00-4567",
                "123-45-0000",
                "912-66-1234",
                "915-89-4321",
                "987-66-4330",
                "12345678",
            ],
        );
    }

    #[test]
    fn codes_behind_a_label() {
        all(labelled_code, Plausible, &["CLM-00123456", "70441-b", "hvc704", "S24-12345", "88421"]);
        all(
            labelled_code,
            Reject,
            &["AB-1", "12", "pending", "500mg", "24 hours", "a1bc", "12-lead", "10-day"],
        );
    }

    #[test]
    fn licenses() {
        all(license, Plausible, &["A1234567", "WDLABCD456DG", "036-123456"]);
        all(license, Reject, &["1998", "MD12"]);
    }

    #[test]
    fn provider_numbers() {
        all(npi, Valid, &["1234567893", "1000000004"]);
        all(npi, Reject, &["1234567890", "3234567893", "0934567891", "123456789"]);
        all(dea, Valid, &["AB1234563", "FS1234563", "fs1234563"]);
        all(dea_with_suffix, Valid, &["AB1234563", "ab1234563-17x"]);
        all(dea_with_suffix, Reject, &["AB1234564-17X"]);
        all(dea, Reject, &["AB1234564", "IB1234563", "AB123456", "A"]);
    }

    #[test]
    fn parcels() {
        all(ups_tracking, Valid, &["1Z999AA10123456784", "1z 999aa1 01 2345678 4"]);
        all(ups_tracking, Reject, &["1Z999AA10123456785", "1Z999AA1012345678", "1Z"]);
        all(postal_item, Valid, &["RR473124829US", "AA473124829GB"]);
        all(postal_item, Reject, &["AA473124828GB", "AA47312482GB", "A4473124829GB"]);
    }

    #[test]
    fn cards() {
        all(
            payment_card,
            Valid,
            &[
                "4111 1111 1111 1111",
                "5555-5555-5555-4444",
                "378282246310005",
                "6011111111111117",
                "2223003122003222",
                "30569309025904",
                "3530111333300000",
                "100000000000413",
                "5000123456000008",
                "4000000011112226",
            ],
        );
        all(
            payment_card,
            Reject,
            &[
                "4111 1111 1111 1112",
                "1234 5678 9012 3456",
                "4111 1111 111",
                "490154203237518",
                "0000000000000000",
                "",
            ],
        );
    }

    #[test]
    fn bank_accounts() {
        all(aba_routing, Valid, &["021000021", "011000015", "121000248", "3110-0011-3"]);
        all(aba_routing, Reject, &["021000022", "991000021", "02100002"]);
        all(
            iban,
            Valid,
            &[
                "GB82 WEST 1234 5698 7654 32",
                "DE89370400440532013000",
                "FR1420041010050500013M02606",
                "NO9386011117947",
            ],
        );
        all(
            iban,
            Reject,
            &[
                "GB82 WEST 1234 5698 7654 33",
                "DE8937040044053201300",
                "US12",
                "AL9810020030A1B2C3D4E5F6G7H9",
                "G",
            ],
        );
        all(account_number, Plausible, &["000123456789", "1234"]);
        all(account_number, Reject, &["123", "12345678901234567890"]);
        all(three_or_four_digits, Plausible, &["123", "4321"]);
        all(three_or_four_digits, Reject, &["12", "12345"]);
    }

    #[test]
    fn wallets() {
        all(bech32_wallet, Valid, &["bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"]);
        all(bech32_wallet, Reject, &["bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5", "bc1b", "tb1q"]);
    }

    #[test]
    fn medicare() {
        all(mbi, Valid, &["1EG4-TE5-MK73", "1EG4TE5MK72", "9AA9AA9AA99", "1eg4te5mk73"]);
        all(
            mbi,
            Reject,
            &["1SG4-TE5-MK73", "0EG4-TE5-MK73", "1EG4-TE5-M373", "1EG4-TE5-MK7", "1EG4TE5MK739"],
        );
        all(hicn, Plausible, &["123-45-6789A", "123456789C1", "123-45-6789D"]);
        all(hicn, Reject, &["000-12-3456A", "123-45-6789Q", "123456789", "12345"]);
    }

    #[test]
    fn vehicles() {
        all(
            vin,
            Valid,
            &["1HGCM82633A004352", "1M8GDM9AXKP042788", "5YJ3E1EA0KF000316", "11111111111111111"],
        );
        all(vin, Reject, &["1HGCM82643A004352", "1HGCM82633A00435O", "1HGCM82633A00435"]);
        all(vin_shape, Plausible, &["1HGCM82643A004352"]);
        all(vin_shape, Reject, &["ABCDEFGHJKLMNPRST", "1HGCM82633A00435O"]);
        all(plate, Plausible, &["7hvc704", "abc-1234", "1ab 2345"]);
        all(plate, Reject, &["abcd", "123 and", "100 mg", "123456789", "!!"]);
    }

    #[test]
    fn devices() {
        all(imei, Valid, &["490154203237518", "35-209900-176148-1"]);
        all(imei, Reject, &["490154203237519", "4901542032375", "000000000000000"]);
        all(iccid, Valid, &["8901260123456789011"]);
        all(iccid, Reject, &["8901260123456789012", "7901260123456789011"]);
        all(meid, Plausible, &["AF0123450ABCDE"]);
        all(meid, Valid, &["AF0123450ABCDEC"]);
        all(meid, Reject, &["AF0123450ABCDE0", "1F0123450ABCDE", "AF0123", "XY", ""]);
        all(mac_address, Valid, &["00:1A:2B:3C:4D:5E", "001a.2b3c.4d5e", "00-1A-2B-3C-4D-5E"]);
        all(mac_address, Reject, &["00:1A:2B:3C:4D", "FF:FF:FF:FF:FF:FF", "00:00:00:00:00:00"]);
        all(udi_gs1, Valid, &["(01)00884521062859(17)261231(10)A1234(21)SN12345678", "(01)00884521062859"]);
        all(udi_gs1, Reject, &["(01)00884521062850(21)X1", "(01)0088", "01"]);
        all(udi_hibc, Valid, &["+A123BJC5D6E71G", "+h123abc01234567890d"]);
        all(udi_hibc, Reject, &["+A123BJC5D6E71A", "A123BJC5D6E71G", ""]);
    }

    #[test]
    fn addresses_on_the_net() {
        all(url, Plausible, &["https://portal.example.com/p/1", "www.example.org", "http://[2001:db8::1]/"]);
        all(url, Reject, &["https:///", ""]);
        all(ipv4, Plausible, &["192.168.1.10", "203.0.113.7", "8.8.8.8", "198.51.100.0/24"]);
        all(
            ipv4,
            Reject,
            &["256.1.1.1", "1.2.3", "198.51.100.0/33", "1.2.3.4.5", "1.2.3.", "99999999999.1.1.1"],
        );
        all(
            ipv6,
            Valid,
            &[
                "2001:db8:85a3::8a2e:370:7334",
                "::1",
                "fe80::1ff:fe23:4567:890a%eth0",
                "::ffff:192.0.2.128",
                "2001:db8:42::/48",
                "2001:0db8:0000:0000:0000:ff00:0042:8329",
            ],
        );
        all(
            ipv6,
            Reject,
            &["2001:db8::85a3::7334", "12345::1", "::", "dead::beef", "10:30:45", "2001:db8:42::/129"],
        );
    }

    #[test]
    fn credentials() {
        all(credential, Plausible, &["Hunter2!", "jdoe1962", "sunshine"]);
        all(credential, Reject, &["not", "Required.", "...", "reset"]);
        all(password, Plausible, &["Hunter2!", "sunshine", "a1b2"]);
        all(password, Reject, &["turn", "not", "working"]);
        all(passcode, Plausible, &["4821", "739204", "a7f3k2"]);
        all(passcode, Reject, &["12", "abcd", "12345678901"]);
    }
}
