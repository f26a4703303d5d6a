//! The text forms: strict parsing and printing of tokens, and the scan for every marker in a text.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::LazyLock;

use data_encoding::BASE32_NOPAD;
use memchr::memmem;

use super::TokenKind;
use super::error::ParseTokenError;
use super::keys::Kid;
use crate::{Kind, Span};

const VAULT_PREFIX: &str = "MSKV1.";
const AEAD_PREFIX: &str = "MSK1.";
const REDACTED_PREFIX: &str = "REDACTED:";
const VAULT_BODY: usize = 26;
const AEAD_BODY: std::ops::RangeInclusive<usize> = 71..=8192;
const NAME_MAX: usize = 32;

/// The labels that speech and redaction vendors write in brackets, besides the built-in kinds: a closed list, in order.
#[rustfmt::skip]
const VENDOR_LABELS: &[&str] = &[
    "ACCOUNTNAME", "ACCOUNTNUMBER", "ACCOUNT_NUMBER", "AGE", "BANKING_INFORMATION", "BANK_ACCOUNT",
    "BANK_ACCOUNT_NUMBER", "BANK_ROUTING", "BLOOD_TYPE", "CITY", "CONDITION", "CORPORATE_ACTION", "COUNTRY",
    "CREDITCARD", "CREDITCARDCVV", "CREDITCARDNUMBER", "CREDIT_CARD_CVV", "CREDIT_CARD_EXPIRATION",
    "CREDIT_CARD_NUMBER", "CREDIT_DEBIT_CVV", "CREDIT_DEBIT_EXPIRY", "CREDIT_DEBIT_NUMBER", "CRYPTO",
    "CUSTOMER_ACCOUNT_NUMBER", "CVV", "DATEOFBIRTH", "DATE_INTERVAL", "DATE_OF_BIRTH", "DATE_TIME", "DAY",
    "DRIVERS_LICENSE", "DRIVER_ID", "DRIVER_LICENSE", "DRUG", "DURATION", "EFFECT", "EMAIL_ADDRESS", "EVENT",
    "EXPIRY", "FILENAME", "FIRSTNAME", "GENDER", "GENDER_SEXUALITY", "HEALTHCARE_NUMBER", "IBAN", "IBAN_CODE",
    "INJURY", "INSURANCE_NUMBER", "IP", "LANGUAGE", "LASTNAME", "LOCATION", "LOCATION_ADDRESS",
    "LOCATION_ADDRESS_STREET", "LOCATION_CITY", "LOCATION_COORDINATE", "LOCATION_COUNTRY", "LOCATION_STATE",
    "LOCATION_ZIP", "MARITAL_STATUS", "MASKED", "MEDICAL_CODE", "MEDICAL_CONDITION", "MEDICAL_ID",
    "MEDICAL_LICENSE", "MEDICAL_PROCESS", "MEDICAL_RECORD", "MIDDLENAME", "MONEY", "MONEY_AMOUNT", "MONTH",
    "NAME_FAMILY", "NAME_GIVEN", "NAME_MEDICAL_PROFESSIONAL", "NATIONALITY", "NRP", "NUMBER", "NUMBERS",
    "NUMBER_SEQUENCE", "NUMERICAL_PII", "OCCUPATION", "ORGANIZATION_MEDICAL_FACILITY", "ORIGIN", "PASSPORT",
    "PASSPORT_NUMBER", "PATIENT_ID", "PCI", "PERSON", "PERSON_AGE", "PERSON_NAME", "PHI", "PHONENUMBER",
    "PHONE_NUMBER", "PHYSICAL_ATTRIBUTE", "PII", "PIN", "POLITICAL_AFFILIATION", "REDACTED", "RELIGION",
    "ROUTING_NUMBER", "SOCIAL_SECURITY_NUMBER", "SSN_NUMBER", "STATE", "STATISTICS", "STREET", "TIME", "UK_NHS",
    "US_BANK_NUMBER", "US_DRIVER_LICENSE", "US_ITIN", "US_PASSPORT", "US_SOCIAL_SECURITY_NUMBER", "US_SSN",
    "VEHICLE_ID", "VEHICLE_IDENTIFICATION_NUMBER", "YEAR", "ZIPCODE", "ZIP_CODE", "ZODIAC_SIGN",
];
/// How far behind blotted marks digits may follow: as far as the groups of a card number reach.
const BLOTTED_REACH: usize = 16;
/// No label, with its number and without its brackets, is longer.
const LABEL_MAX: usize = 42;

/// Which of the two durable forms a token has.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum TokenForm {
    /// `MSK1`: the value sealed in the token.
    Aead,
    /// `MSKV1`: the value in a vault row.
    Vault,
}

/// A token in canonical form. Parsing checks the form alone; whether it opens is for vault and keys to say.
///
/// `Debug` prints kind and key id, never the body; [`Token::text`] is the way to the text.
///
/// ```
/// use masker_core::Token;
///
/// let token: Token = "MSKV1.PHONE.K_HEALTHCARE.hsembuyquw2ttuol35ue5sidmy".parse()?;
/// assert_eq!(token.text(), "MSKV1.PHONE.K_HEALTHCARE.HSEMBUYQUW2TTUOL35UE5SIDMY");
/// assert_eq!(token.kind().as_str(), "PHONE");
/// assert_eq!(token.token_kind().as_str(), "MSKV1");
/// // Two bits that carry no data are set in the last character: one value has one spelling.
/// assert!("MSKV1.PHONE.K_HEALTHCARE.HSEMBUYQUW2TTUOL35UE5SIDMZ".parse::<Token>().is_err());
/// # Ok::<(), masker_core::ParseTokenError>(())
/// ```
#[derive(Clone)]
pub struct Token {
    form: TokenForm,
    kind: Kind,
    kid: Kid,
    text: Box<str>,
    body_at: u32,
}

impl Token {
    /// Puts a token together whose body is canonical but for its case.
    fn from_parts(form: TokenForm, kind: Kind, kid: Kid, body: &str) -> Self {
        Self::with_body(form, kind, kid, body.len(), |text| {
            let body_at = text.len();
            text.push_str(body);
            text[body_at..].make_ascii_uppercase();
        })
    }

    /// The token whose body says these bytes.
    pub(crate) fn of_bytes(form: TokenForm, kind: Kind, kid: Kid, bytes: &[u8]) -> Self {
        let body_len = BASE32_NOPAD.encode_len(bytes.len());
        Self::with_body(form, kind, kid, body_len, |text| BASE32_NOPAD.encode_append(bytes, text))
    }

    fn with_body(
        form: TokenForm,
        kind: Kind,
        kid: Kid,
        body_len: usize,
        append: impl FnOnce(&mut String),
    ) -> Self {
        let prefix = match form {
            TokenForm::Aead => AEAD_PREFIX,
            TokenForm::Vault => VAULT_PREFIX,
        };
        let mut text =
            String::with_capacity(prefix.len() + kind.as_str().len() + kid.as_str().len() + body_len + 2);
        for part in [prefix, kind.as_str(), ".", kid.as_str(), "."] {
            text.push_str(part);
        }
        let body_at = text.len() as u32;
        append(&mut text);
        Self { form, kind, kid, text: text.into_boxed_str(), body_at }
    }

    /// The form.
    pub fn form(&self) -> TokenForm {
        self.form
    }

    /// The form, as events name it.
    pub fn token_kind(&self) -> TokenKind {
        match self.form {
            TokenForm::Aead => TokenKind::Msk1,
            TokenForm::Vault => TokenKind::Mskv1,
        }
    }

    /// What the value is.
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// The key that made it.
    pub fn kid(&self) -> &Kid {
        &self.kid
    }

    /// The whole token, body in upper case.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The base 32 part.
    pub(crate) fn body(&self) -> &str {
        &self.text[self.body_at as usize..]
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("form", &self.form)
            .field("kind", &self.kind.as_str())
            .field("kid", &self.kid.as_str())
            .finish_non_exhaustive()
    }
}

impl Eq for Token {}

impl PartialEq for Token {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Hash for Token {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl FromStr for Token {
    type Err = ParseTokenError;

    fn from_str(text: &str) -> Result<Self, ParseTokenError> {
        match parse_at(text, 0, Gaps::Refused) {
            Some((token, end)) if end == text.len() => Ok(token),
            _ => Err(ParseTokenError),
        }
    }
}

/// The marker of a value that is gone for good: `[REDACTED:KIND]`.
pub fn redacted(kind: &Kind) -> String {
    format!("[{REDACTED_PREFIX}{kind}]")
}

/// A marker in a text: something that stands for a value and is none.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Marker {
    /// `[KIND_N]`, the form of an alias. Whether it is one is for the conversation to say.
    Alias {
        /// The kind, built in or not.
        kind: Kind,
        /// The number, from 1.
        number: u32,
    },
    /// A label of a speech or redaction vendor: kept, and never restored.
    Foreign,
    /// `[REDACTED:KIND]`.
    Redacted(Kind),
    /// A token, of this or another instance.
    Token(Token),
}

/// A marker and where it stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Found {
    /// Bytes of the text. A possessive ending, quotes, brackets and emphasis around a token are outside.
    pub span: Span,
    /// What it is.
    pub marker: Marker,
}

/// Finds the markers in a text, in order and disjoint, in time linear in its length.
///
/// ```
/// use masker_core::{Marker, find_markers};
///
/// let found = find_markers("call [PHONE_NUMBER_1] or **MSKV1.PHONE.K1.hsembuyquw2ttuol35ue5sidmy**'s owner");
/// assert_eq!(found.len(), 2);
/// assert_eq!(found[0].marker, Marker::Foreign);
/// assert!(matches!(&found[1].marker, Marker::Token(token) if token.kid().as_str() == "K1"));
/// assert!(find_markers("nothing [1] <here> # at all").is_empty());
/// ```
pub fn find_markers(text: &str) -> Vec<Found> {
    let mut found = Vec::new();
    find_tokens(text, &mut found);
    let tokens = found.len();
    find_labels(text, &mut found);
    find_starred(text, &mut found);
    // No two of the three share a character of their alphabets that could make them overlap, save a run of stars that
    // is emphasis, and that is never next to a letter.
    if found.len() > tokens {
        found.sort_unstable_by_key(|f| f.span);
    }
    found
}

fn find_tokens(text: &str, found: &mut Vec<Found>) {
    static FINDER: LazyLock<memmem::Finder<'static>> = LazyLock::new(|| memmem::Finder::new("MSK"));
    let mut from = 0;
    while let Some(at) = FINDER.find(&text.as_bytes()[from..]) {
        let start = from + at;
        from = match parse_at(text, start, Gaps::Allowed) {
            Some((token, end)) => {
                found.push(Found { span: Span::new(start, end), marker: Marker::Token(token) });
                end
            }
            None => start + 3,
        };
    }
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Gaps {
    /// One space or zero-width character may follow each dot, as models and renderers put there.
    Allowed,
    Refused,
}

/// The token that begins at `start`, and its end.
fn parse_at(text: &str, start: usize, gaps: Gaps) -> Option<(Token, usize)> {
    let rest = &text[start..];
    let (form, prefix) = if rest.starts_with(VAULT_PREFIX) {
        (TokenForm::Vault, VAULT_PREFIX)
    } else if rest.starts_with(AEAD_PREFIX) {
        (TokenForm::Aead, AEAD_PREFIX)
    } else {
        return None;
    };
    let rest = skip_gap(&rest[prefix.len()..], gaps);
    let (kind, rest) = dotted_name(rest)?;
    let (kid, rest) = dotted_name(skip_gap(rest, gaps))?;
    let rest = skip_gap(rest, gaps);
    let body = match form {
        TokenForm::Vault => vault_body(rest)?,
        TokenForm::Aead => aead_body(rest)?,
    };
    // Parsed last: a kind that is not built in allocates.
    let token = Token::from_parts(form, kind.parse().ok()?, kid.parse().ok()?, body);
    Some((token, text.len() - rest.len() + body.len()))
}

/// The token that begins at `start`, with its end, as it is found in running text.
pub(crate) fn token_at(text: &str, start: usize) -> Option<(Token, usize)> {
    parse_at(text, start, Gaps::Allowed)
}

/// Whether `rest`, which is all there is so far, may turn into a token when more comes, or into another than it is now.
pub(crate) fn is_unfinished_token(rest: &str) -> bool {
    let is_prefix =
        |part: &str| !part.is_empty() && (VAULT_PREFIX.starts_with(part) || AEAD_PREFIX.starts_with(part));
    if is_prefix(rest) {
        return true;
    }
    let Some(prefix) = [VAULT_PREFIX, AEAD_PREFIX].into_iter().find(|prefix| rest.starts_with(prefix)) else {
        return false;
    };
    let mut rest = &rest[prefix.len()..];
    for _ in 0..2 {
        rest = skip_gap(rest, Gaps::Allowed);
        let is_name = |name: &str| {
            name.bytes().next().is_none_or(|b| b.is_ascii_uppercase())
                && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
        };
        match dotted_name(rest) {
            Some((name, after)) if is_name(name) && !name.is_empty() => rest = after,
            Some(_) => return false,
            None => return rest.len() <= NAME_MAX && is_name(rest),
        }
    }
    rest = skip_gap(rest, Gaps::Allowed);
    if prefix == VAULT_PREFIX {
        let run = base32_run(rest, VAULT_BODY);
        return run.len() == rest.len() || (run.len() == VAULT_BODY && is_prefix(&rest[VAULT_BODY..]));
    }
    let run = base32_run(rest, *AEAD_BODY.end() + VAULT_PREFIX.len());
    let longest = run.len() == *AEAD_BODY.end() + VAULT_PREFIX.len();
    match &rest[run.len()..] {
        "" => !longest,
        "1" => run.ends_with("MSK") || run.ends_with("MSKV"),
        _ => false,
    }
}

/// Whether a text is the beginning of a token, prefix included, and the kind if it goes that far.
pub(crate) fn cut_off(rest: &str) -> (bool, Option<Kind>) {
    let after = [VAULT_PREFIX, AEAD_PREFIX].into_iter().find_map(|prefix| rest.strip_prefix(prefix));
    let kind = |after| dotted_name(skip_gap(after, Gaps::Allowed)).and_then(|(name, _)| name.parse().ok());
    match after.filter(|_| is_unfinished_token(rest)) {
        Some(after) => (true, kind(after)),
        None => (false, None),
    }
}

/// How many bytes of a text that goes on hold no marker, and no beginning of one, that what follows can change.
pub(crate) fn settled(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut settled = text.len();
    // Labels, which have no white space, and runs of marks with what stands right behind them.
    let tail = text.len().saturating_sub(LABEL_MAX + 3);
    if let Some(at) = bytes[tail..].iter().rposition(|b| matches!(b, b'[' | b'<'))
        && bytes[tail + at + 1..].iter().all(|&b| b.is_ascii_alphanumeric() || b == b'_' || b == b':')
    {
        settled = tail + at;
    }
    let near = text.len().saturating_sub(BLOTTED_REACH + 2);
    if let Some(at) = bytes[near..].iter().position(|b| matches!(b, b'#' | b'*')) {
        let run = bytes[..near + at].iter().rev().take_while(|b| b"#*-./".contains(b)).count();
        settled = settled.min(near + at - run);
    }
    let mut from = 0;
    while let Some(at) = memchr::memchr(b'M', &bytes[from..settled]) {
        let start = from + at;
        if is_unfinished_token(&text[start..]) {
            return start;
        }
        from = token_at(text, start).map_or(start + 1, |(_, end)| end.min(settled));
    }
    settled
}

fn skip_gap(rest: &str, gaps: Gaps) -> &str {
    if gaps == Gaps::Refused {
        return rest;
    }
    rest.strip_prefix([' ', '\u{200b}', '\u{200c}', '\u{200d}', '\u{2060}', '\u{feff}']).unwrap_or(rest)
}

/// The name before the next dot, and what follows the dot.
fn dotted_name(rest: &str) -> Option<(&str, &str)> {
    let window = &rest.as_bytes()[..rest.len().min(NAME_MAX + 1)];
    let dot = memchr::memchr(b'.', window)?;
    Some((&rest[..dot], &rest[dot + 1..]))
}

fn base32_value(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a'),
        b'2'..=b'7' => Some(byte - b'2' + 26),
        _ => None,
    }
}

/// The run of base 32 characters at the start of `rest`, at most `limit` long.
fn base32_run(rest: &str, limit: usize) -> &str {
    let window = &rest.as_bytes()[..rest.len().min(limit)];
    let len = window.iter().position(|&b| base32_value(b).is_none()).unwrap_or(window.len());
    &rest[..len]
}

fn begins_token(rest: &str) -> bool {
    rest.starts_with(VAULT_PREFIX) || rest.starts_with(AEAD_PREFIX)
}

fn is_word_byte(byte: Option<&u8>) -> bool {
    byte.is_some_and(u8::is_ascii_alphanumeric)
}

fn vault_body(rest: &str) -> Option<&str> {
    let body = rest.get(..VAULT_BODY)?;
    let after = &rest[VAULT_BODY..];
    // Two masked values may have stood side by side, and then so do their tokens.
    let ends = !is_word_byte(after.as_bytes().first()) || begins_token(after);
    (ends && base32_run(body, VAULT_BODY).len() == VAULT_BODY && has_no_slack(body)).then_some(body)
}

fn aead_body(rest: &str) -> Option<&str> {
    let run = base32_run(rest, *AEAD_BODY.end() + VAULT_PREFIX.len());
    let mut body = run;
    if is_word_byte(rest.as_bytes().get(run.len())) {
        // The run took the letters of a token right behind this one with it: `1` is no base 32 character.
        body = ["MSKV", "MSK"]
            .iter()
            .find_map(|letters| run.strip_suffix(letters).filter(|body| begins_token(&rest[body.len()..])))?;
    }
    (AEAD_BODY.contains(&body.len()) && has_no_slack(body)).then_some(body)
}

/// Whether the length is one that whole bytes encode to, and the bits beyond the last byte are zero.
fn has_no_slack(body: &str) -> bool {
    let slack = body.len() * 5 % 8;
    let last = body.bytes().next_back().and_then(base32_value);
    slack < 5 && last.is_some_and(|value| value & ((1 << slack) - 1) == 0)
}

fn find_labels(text: &str, found: &mut Vec<Found>) {
    let bytes = text.as_bytes();
    let mut from = 0;
    while let Some(at) = memchr::memchr3(b'[', b'<', b'#', &bytes[from..]) {
        let start = from + at;
        let end = if bytes[start] == b'#' {
            let end = run_end(bytes, start, b'#');
            if is_hash_label(bytes, start, end) {
                found.push(Found { span: Span::new(start, end), marker: Marker::Foreign });
            }
            end
        } else if let Some((marker, end)) = label_at(text, start) {
            found.push(Found { span: Span::new(start, end), marker });
            end
        } else {
            start + 1
        };
        from = end;
    }
}

/// The bracketed label that opens at `start`, and its end.
fn label_at(text: &str, start: usize) -> Option<(Marker, usize)> {
    let bytes = &text.as_bytes()[start..];
    let square = bytes[0] == b'[';
    let is_label = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b':';
    let len = bytes[1..].iter().take(LABEL_MAX + 1).take_while(|&&b| is_label(b)).count();
    if len == 0 || bytes.get(1 + len) != Some(if square { &b']' } else { &b'>' }) {
        return None;
    }
    let label = &text[start + 1..=start + len];
    let marker = if !square {
        // Lower case in angle brackets is markup.
        let (name, _) = split_number(label);
        (is_vendor_label(name) || Kind::built_in(name).is_some()).then_some(Marker::Foreign)
    } else if let Some(kind) = label.strip_prefix(REDACTED_PREFIX) {
        kind.parse().ok().map(Marker::Redacted)
    } else {
        let (name, number) = split_number(label);
        let upper = name.to_ascii_uppercase();
        match number {
            Some(number) if Kind::built_in(name).is_some() => {
                name.parse().ok().map(|kind| Marker::Alias { kind, number })
            }
            _ if is_vendor_label(&upper) || Kind::built_in(&upper).is_some() => Some(Marker::Foreign),
            Some(number) => name.parse().ok().map(|kind| Marker::Alias { kind, number }),
            None => None,
        }
    };
    Some((marker?, start + len + 2))
}

/// A label and the number after its last underscore, where there is one from 1 without leading zeros.
fn split_number(label: &str) -> (&str, Option<u32>) {
    if let Some((name, digits)) = label.rsplit_once('_')
        && (1..=9).contains(&digits.len())
        && digits.bytes().all(|b| b.is_ascii_digit())
        && !digits.starts_with('0')
    {
        return (name, digits.parse().ok());
    }
    (label, None)
}

fn is_vendor_label(name: &str) -> bool {
    VENDOR_LABELS.binary_search(&name).is_ok()
}

/// The end of a run of `mark` in groups joined by single separators, as in `###-##-####`.
fn run_end(bytes: &[u8], start: usize, mark: u8) -> usize {
    let mut end = start;
    loop {
        while bytes.get(end) == Some(&mark) {
            end += 1;
        }
        let joins = matches!(bytes.get(end), Some(b'-' | b'.' | b'/')) && bytes.get(end + 1) == Some(&mark);
        if !joins {
            return end;
        }
        end += 1;
    }
}

/// Whether the run is a blotted value: three marks or more, and not the hashes of a Markdown heading.
fn is_hash_label(bytes: &[u8], start: usize, end: usize) -> bool {
    let marks = memchr::memchr_iter(b'#', &bytes[start..end]).count();
    let whole = marks == end - start;
    let at_line_start = start == 0 || bytes[start - 1] == b'\n';
    let heads_text = bytes.get(end) == Some(&b' ') && bytes.get(end + 1).is_some_and(|&b| b != b'#');
    marks >= 3 && !(whole && at_line_start && heads_text) && !covers_part(bytes, end)
}

/// Whether digits follow the marks: then only a part of the value is blotted, and the rest is still to be found.
fn covers_part(bytes: &[u8], end: usize) -> bool {
    bytes[end..].iter().take(BLOTTED_REACH).find(|b| !b" -*#".contains(b)).is_some_and(u8::is_ascii_digit)
}

fn find_starred(text: &str, found: &mut Vec<Found>) {
    let bytes = text.as_bytes();
    let mut from = 0;
    while let Some(at) = memchr::memchr(b'*', &bytes[from..]) {
        let start = from + at;
        let end = run_end(bytes, start, b'*');
        let marks = memchr::memchr_iter(b'*', &bytes[start..end]).count();
        let before = start.checked_sub(1).map(|i| &bytes[i]);
        // Stars that touch a word are emphasis; a line of stars alone is a rule.
        let emphasis = is_in_word(before) || is_in_word(bytes.get(end));
        let rule = before.is_none_or(|&b| b == b'\n') && bytes.get(end).is_none_or(|&b| b == b'\n');
        let whole_rule = rule && marks == end - start;
        if marks >= 4 && !emphasis && !whole_rule && !covers_part(bytes, end) {
            found.push(Found { span: Span::new(start, end), marker: Marker::Foreign });
        }
        from = end;
    }
}

fn is_in_word(byte: Option<&u8>) -> bool {
    byte.is_some_and(|b| b.is_ascii_alphanumeric() || !b.is_ascii() || b"[]()_\"'`".contains(b))
}
