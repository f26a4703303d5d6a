use super::dates;
use super::document::{Document, word_class};
use crate::Kind;
use crate::view::{Class, code_run};

/// The written form of a value that was spoken: "4155550132" for "four one five…", "jane@example.com" for "jane at example
/// dot com". `None` where the text is written already.
///
/// ```
/// use masker_core::Kind;
/// use masker_core::detect::canonical;
///
/// assert_eq!(canonical(&Kind::Phone, "four one five, triple five, oh one three two").as_deref(), Some("4155550132"));
/// assert_eq!(canonical(&Kind::Dob, "march third nineteen eighty two").as_deref(), Some("1982-03-03"));
/// assert_eq!(canonical(&Kind::Email, "jane dot doe at example dot com").as_deref(), Some("jane.doe@example.com"));
/// assert_eq!(canonical(&Kind::Phone, "415-555-0132"), None);
/// ```
pub fn canonical(kind: &Kind, text: &str) -> Option<String> {
    // Longer values than this are not spoken; the words need not be looked at.
    const LONGEST: usize = 400;
    if text.len() > LONGEST {
        return None;
    }
    match kind {
        Kind::Address | Kind::Organization | Kind::Password | Kind::Custom(_) => None,
        Kind::Date | Kind::Dob => date(&Document::of_value(text)),
        Kind::Email | Kind::IpAddress | Kind::Url => address(&Document::of_value(text)),
        _ if !may_say_code(text) => None,
        _ => code(&Document::of_value(text)),
    }
}

/// Whether a text may be a spoken code: not where it is written in digits, and not where its first word says none, as in most
/// names. Anything but plain words and numbers may.
fn may_say_code(text: &str) -> bool {
    const LONGEST: usize = 15;
    let bytes = text.as_bytes();
    let between = |byte: &u8| matches!(byte, b' ' | b'.' | b',' | b'-' | b'(' | b')');
    if bytes.iter().all(|byte| byte.is_ascii_digit() || between(byte)) {
        return false;
    }
    if !bytes.iter().all(|byte| byte.is_ascii_alphabetic() || between(byte)) {
        return true;
    }
    let mut first = [0; LONGEST + 1];
    let letters = bytes.iter().skip_while(|byte| between(byte)).take_while(|byte| !between(byte));
    let len = first.iter_mut().zip(letters).map(|(to, byte)| *to = byte.to_ascii_lowercase()).count();
    len > LONGEST || word_class(&first[..len]).class != Class::None
}

fn date(document: &Document<'_>) -> Option<String> {
    if document.len() == 0 {
        return None;
    }
    let whole = |hit: &dates::DateHit| hit.start == 0 && hit.end == document.len();
    let hit = dates::date_at(document, 0).filter(whole).or_else(|| {
        let run = code_run(&document.view, &document.words, 0)?;
        dates::numeric(document, &run).filter(whole)
    })?;
    // "easter 2019" says neither month nor day.
    (hit.date.month > 0 || hit.date.day.is_some()).then(|| hit.date.to_iso())
}

fn code(document: &Document<'_>) -> Option<String> {
    let run = code_run(&document.view, &document.words, 0)?;
    let spoken = run.is_spoken() && run.words.end >= document.len();
    let mut written = spoken.then(|| run.compact())?;
    if run.plus {
        written.insert(0, '+');
    }
    Some(written)
}

fn address(document: &Document<'_>) -> Option<String> {
    let says = |class| (0..document.len()).any(|at| document.class(at) == class);
    if !says(Class::Dot) && !says(Class::At) {
        return None;
    }
    let mut out = String::new();
    let mut at = 0;
    while at < document.len() {
        let text = document.words[at].text(&document.view);
        match document.class(at) {
            Class::At => out.push('@'),
            Class::Dot => out.push('.'),
            Class::Dash => out.push('-'),
            Class::Underscore => out.push('_'),
            Class::Plus => out.push('+'),
            Class::Slash => out.push('/'),
            Class::None if text == "colon" => out.push(':'),
            Class::None if matches!(text, "sign" | "symbol") && out.ends_with('@') => {}
            Class::None | Class::Nato | Class::Month | Class::Unit | Class::And => out.push_str(text),
            _ => match code_run(&document.view, &document.words, at) {
                Some(run) => {
                    out.push_str(&run.compact().to_lowercase());
                    at = run.words.end;
                    continue;
                }
                None => out.push_str(text),
            },
        }
        at += 1;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_code_is_missed(
            words in proptest::collection::vec(
                "[a-zA-Z]{1,6}|[0-9]{1,3}|four|Oh|double|plus|alpha|bravo|Twelve|hundred|wait|\\.|,|-",
                1..8,
            ),
            space in "| |-|, ",
        ) {
            let text = words.join(&space);
            if !may_say_code(&text) {
                prop_assert_eq!(code(&Document::new(&text, &[])), None);
            }
        }

        #[test]
        fn a_value_alone_says_what_it_says_as_a_document(
            words in proptest::collection::vec(
                "[a-zA-Z]{1,6}|[0-9]{1,4}|four|oh|double|plus|alpha|march|Twelve|hundred|at|dot|doctor:|speaker 1:|\n|third|o'neil|\u{e9}",
                1..8,
            ),
        ) {
            let text = words.join(" ");
            let (value, document) = (Document::of_value(&text), Document::new(&text, &[]));
            prop_assert_eq!(date(&value), date(&document));
            prop_assert_eq!(code(&value), code(&document));
            prop_assert_eq!(address(&value), address(&document));
        }
    }
}
