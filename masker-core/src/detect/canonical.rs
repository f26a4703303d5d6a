use super::dates;
use super::document::Document;
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
    let document = Document::new(text, &[]);
    match kind {
        Kind::Address | Kind::Organization | Kind::Password | Kind::Custom(_) => None,
        Kind::Date | Kind::Dob => date(&document),
        Kind::Email | Kind::IpAddress | Kind::Url => address(&document),
        _ => code(&document),
    }
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
    Some(hit.date.to_iso())
}

fn code(document: &Document<'_>) -> Option<String> {
    let run = code_run(&document.view, &document.words, 0)?;
    let spoken = run.is_spoken() && run.words.end >= document.len();
    spoken.then(|| format!("{}{}", if run.plus { "+" } else { "" }, run.compact()))
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
