use super::batch::on_cores;
use super::{Masked, Masker};
use crate::detect::Context;
use crate::secret::discard;
use crate::{Error, Finding, Kind, Span};

/// The longest name of a field that is read as a label, in bytes.
const MAX_LABEL: usize = 64;

/// How often a value is read again with what was found in it covered. Ordinary values need one reading.
const READINGS: usize = 16;

impl Masker {
    /// Masks the value of a named field: the name is read as a label, as "date of birth: " before the value would be.
    ///
    /// A name can only add findings: what is found in the value alone is found under any name. The value of a field that holds a
    /// part of a person's name or a place, such as `lastName` or `city`, is masked whole, whether or not it is known. Spans are
    /// bytes of `text`.
    ///
    /// ```
    /// use masker_core::Masker;
    ///
    /// let masker = Masker::new()?;
    /// assert_eq!(masker.mask("7734215")?.redaction_count(), 0);
    /// assert_eq!(masker.mask_field("patientMrn", "7734215")?.redaction_count(), 1);
    /// # Ok::<(), masker_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Masker::mask`].
    pub fn mask_field(&self, name: &str, text: &str) -> Result<Masked, Error> {
        let findings = self.detect_field(name, text)?;
        self.rewrite(text, findings)
    }

    /// [`Masker::mask_field`] for many values of one field, such as a column of a table, on all cores; the answers keep the
    /// order.
    ///
    /// # Errors
    ///
    /// As [`Masker::mask_batch`].
    pub fn mask_field_batch<S: AsRef<str> + Sync>(
        &self,
        name: &str,
        texts: &[S],
    ) -> Result<Vec<Masked>, Error> {
        on_cores(self.inner.threads, texts, |text| self.mask_field(name, text.as_ref()))
    }

    /// What [`Masker::mask_field`] acts on.
    ///
    /// # Errors
    ///
    /// As [`Masker::detect`].
    pub fn detect_field(&self, name: &str, text: &str) -> Result<Vec<Finding>, Error> {
        let protected = self.protected(text)?;
        let alone = self.find(text, &protected)?;
        let Some(label) = label(name) else { return Ok(alone) };
        let labelled = self.find_labelled(&label, text, &protected)?;
        let spans = |findings: &[Finding]| findings.iter().map(|finding| finding.span).collect::<Vec<_>>();
        let mut is_settled = spans(&labelled) == spans(&alone);
        let mut found = merge(labelled, alone);
        // Each reading is settled by itself. What only one of them covers may bring something to light in the other.
        for _ in 0..READINGS {
            let covered = joined(&protected, spans(&found));
            if is_settled || is_covered(text, &covered) {
                break;
            }
            let more = merge(self.find_labelled(&label, text, &covered)?, self.find(text, &covered)?);
            is_settled = more.is_empty();
            found = merge(found, more);
        }
        Ok(found)
    }

    /// Findings in the value behind a label, in bytes of the value.
    fn find_labelled(&self, label: &str, text: &str, protected: &[Span]) -> Result<Vec<Finding>, Error> {
        let _wiping = self.wiping();
        let mut line = format!("{label}: {text}");
        let offset = line.len() - text.len();
        let protected: Vec<Span> =
            protected.iter().map(|span| Span::new(span.start + offset, span.end + offset)).collect();
        let inner = &*self.inner;
        let found = inner.detectors.detect(&line, &protected, &mut Context::default(), inner.order);
        discard(&mut line);
        let found = found?;
        let mut found: Vec<Finding> = found
            .into_iter()
            .filter(|finding| finding.span.end > offset)
            .map(|mut finding| {
                let start = finding.span.start.saturating_sub(offset);
                finding.span = Span::new(start, finding.span.end - offset);
                finding
            })
            .collect();
        if protected.is_empty()
            && let Some(whole) = whole_name(label, text, &found).or_else(|| self.whole_value(label, text))
        {
            found = vec![whole];
        }
        Ok(found)
    }

    /// The whole value of a field that can hold nothing else, whether or not a list has it.
    fn whole_value(&self, label: &str, text: &str) -> Option<Finding> {
        let kind = kind_of_value(label, text).filter(|_| text.len() <= MAX_LABEL)?;
        let start = text.len() - text.trim_start().len();
        self.inner.detectors.given(kind, text, Span::new(start, text.trim_end().len()), "field")
    }
}

/// The kind of a value, by a label under which nothing else stands: a part of a person's name, a place, a secret.
fn kind_of_value(label: &str, text: &str) -> Option<Kind> {
    let words: Vec<&str> = label.split(' ').collect();
    let (kind, fits): (Kind, fn(&str) -> bool) = match words.as_slice() {
        [.., "first" | "last" | "middle" | "family" | "given" | "maiden" | "sur", "name"] => {
            (Kind::Name, is_wording)
        }
        [.., "user" | "login", "name"] => (Kind::Username, is_secret),
        [.., "address", "line" | "street"] | [.., "line", "1" | "2"] => (Kind::Address, is_wording),
        ["spouse" | "husband" | "wife" | "mother" | "father" | "son" | "daughter" | "child" | "guardian"] => {
            (Kind::Name, is_titled)
        }
        [.., last] => match *last {
            "firstname" | "lastname" | "middlename" | "surname" | "forename" | "fname" | "lname"
            | "initials" => (Kind::Name, is_wording),
            "address1" | "address2" | "addr1" | "addr2" | "line1" | "line2" | "street1" | "street2"
            | "city" | "town" | "municipality" | "suburb" | "county" => (Kind::Address, is_wording),
            // Safe Harbor counts geocodes among the places (45 CFR 164.514(b)(2)(i)(B)).
            "lat" | "latitude" | "lng" | "lon" | "longitude" | "coordinates" | "geo" => {
                (Kind::Address, is_coordinate)
            }
            "license" | "licence" => (Kind::License, is_code),
            "password" | "passwd" | "passcode" => (Kind::Password, is_secret),
            "username" => (Kind::Username, is_secret),
            _ => return None,
        },
        [] => return None,
    };
    fits(text.trim()).then_some(kind)
}

/// Whether a value is made of words, and does not say that there is none, or what would be in it.
fn is_wording(text: &str) -> bool {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '\'' | '’' | '.' | ',' | '/' | '#');
    text.contains(char::is_alphabetic) && text.chars().all(plain) && !is_placeholder(text)
}

fn is_titled(text: &str) -> bool {
    let capital = |word: &str| word.starts_with(char::is_uppercase) && word.len() > 1;
    is_wording(text) && text.split(' ').all(capital) && !text.contains(|c: char| c.is_ascii_digit())
}

/// One or two decimal numbers that say a place more exactly than within a hundred metres.
fn is_coordinate(text: &str) -> bool {
    let exact = |part: &str| {
        let part = part.trim().trim_start_matches(['-', '+']);
        let decimals = part.split_once('.').map_or(0, |(_, decimals)| decimals.len());
        decimals >= 3 && part.parse::<f64>().is_ok_and(|degrees| degrees <= 180.0)
    };
    (1..=2).contains(&text.split(',').count()) && text.split(',').all(exact)
}

fn is_code(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let code = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b' ');
    text.len() >= 5 && digits >= 3 && text.bytes().all(code)
}

/// Whether a value is no template, no row of stars and not several words.
fn is_secret(text: &str) -> bool {
    let template = text.starts_with(['{', '<', '%']) || text.starts_with("${");
    !(template
        || text.contains(char::is_whitespace)
        || text.chars().all(|c| c == '*')
        || is_placeholder(text))
}

fn is_placeholder(text: &str) -> bool {
    const PLACEHOLDERS: [&str; 25] = [
        "",
        "any",
        "anonymous",
        "city",
        "county",
        "example",
        "false",
        "first",
        "last",
        "n/a",
        "na",
        "name",
        "nil",
        "no",
        "none",
        "not provided",
        "null",
        "optional",
        "other",
        "required",
        "string",
        "true",
        "unknown",
        "various",
        "yes",
    ];
    PLACEHOLDERS.contains(&text.to_ascii_lowercase().as_str())
}

/// Markers and findings as one list; no finding reaches into a marker.
fn joined(markers: &[Span], found: Vec<Span>) -> Vec<Span> {
    let mut spans = found;
    spans.extend_from_slice(markers);
    spans.sort_unstable();
    spans
}

/// Whether no letter or digit is left outside the spans, which are disjoint and in order.
fn is_covered(text: &str, spans: &[Span]) -> bool {
    let starts = std::iter::once(0).chain(spans.iter().map(|span| span.end));
    let ends = spans.iter().map(|span| span.start).chain([text.len()]);
    starts
        .zip(ends)
        .all(|(start, end)| !text.get(start..end).is_some_and(|rest| rest.contains(char::is_alphanumeric)))
}

/// The whole value of a field such as "full name", where a part of it was found: a nickname in quotes, a title or a particle
/// belongs to the name too.
fn whole_name(label: &str, text: &str, found: &[Finding]) -> Option<Finding> {
    let is_short = text.len() <= MAX_LABEL && !text.contains(|c: char| c.is_ascii_digit() || c == '@');
    let name = found.iter().find(|finding| finding.kind == Kind::Name)?;
    if !is_short || label.rsplit(' ').next() != Some("name") {
        return None;
    }
    let start = text.len() - text.trim_start().len();
    Some(Finding { span: Span::new(start, text.trim_end().len()), ..name.clone() })
}

/// `dateOfBirth`, `date_of_birth` and `date-of-birth` as words; nothing where the name is no identifier.
pub(crate) fn label(name: &str) -> Option<String> {
    let mut label = String::new();
    let mut before = '_';
    if name.is_empty() || name.len() > MAX_LABEL {
        return None;
    }
    for c in name.chars() {
        match c {
            '_' | '-' | '.' | ' ' | '$' | '@' => label.push(' '),
            _ if !c.is_alphanumeric() => return None,
            _ => {
                if c.is_uppercase() && (before.is_lowercase() || before.is_ascii_digit()) {
                    label.push(' ');
                }
                label.extend(c.to_lowercase());
            }
        }
        before = c;
    }
    let label = label.trim();
    label.contains(char::is_alphabetic).then(|| label.to_owned())
}

/// The union of both, disjoint and in order. Where they overlap the labelled finding names the kind.
fn merge(labelled: Vec<Finding>, alone: Vec<Finding>) -> Vec<Finding> {
    let mut all: Vec<(bool, Finding)> = labelled.into_iter().map(|finding| (true, finding)).collect();
    all.extend(alone.into_iter().map(|finding| (false, finding)));
    all.sort_by_key(|(_, finding)| finding.span);
    let mut merged: Vec<(bool, Finding)> = Vec::with_capacity(all.len());
    for (is_labelled, finding) in all {
        match merged.last_mut() {
            Some((was_labelled, last)) if last.span.overlaps(finding.span) => {
                let span = last.span.cover(finding.span);
                if is_labelled && !*was_labelled {
                    (*was_labelled, *last) = (true, finding);
                }
                last.span = span;
            }
            _ => merged.push((is_labelled, finding)),
        }
    }
    merged.into_iter().map(|(_, finding)| finding).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::Pass;

    #[test]
    fn names_of_fields_become_words() {
        for (name, want) in [
            ("dateOfBirth", Some("date of birth")),
            ("date_of_birth", Some("date of birth")),
            ("Patient-DOB", Some("patient dob")),
            ("line2Address", Some("line2 address")),
            ("_", None),
            ("", None),
            ("0", None),
            ("a:b", None),
        ] {
            assert_eq!(label(name).as_deref(), want, "{name}");
        }
        assert_eq!(label(&"a".repeat(MAX_LABEL + 1)), None);
    }

    #[test]
    fn a_field_that_can_hold_nothing_else_is_masked_whole() {
        let masker = Masker::new().unwrap();
        for (name, text) in [
            ("lastName", "Nkem-Oyelaran"),
            ("family_name", "Quick"),
            ("surname", "van der Zzyzx"),
            ("city", "Upper Nowhere"),
            ("addressLine1", "12 Birch"),
            ("address_line", "Flat 3, The Old Mill"),
            ("spouse", "Maple"),
            ("lat", "39.5296"),
            ("license", "D1234567"),
            ("password", "a$b*c"),
            ("username", "okq"),
        ] {
            let masked = masker.mask_field(name, text).unwrap();
            assert_eq!(masked.redaction_count(), 1, "{name}");
            assert_eq!(masked.events[0].span.range(), 0..text.len(), "{name}");
            assert_eq!(masker.mask_field(name, &masked.text).unwrap().text, masked.text, "{name}");
        }
        for (name, text) in [
            ("lastName", "N/A"),
            ("last_name", "{last_name}"),
            ("city", " unknown "),
            ("city", "42"),
            ("firstName", "string"),
            ("cityCode", "upper nowhere"),
            ("spouse", "retired"),
            ("lat", "39.5"),
            ("license", "MIT"),
            ("password", "{{password}}"),
            ("password", "********"),
        ] {
            assert_eq!(masker.mask_field(name, text).unwrap().redaction_count(), 0, "{name}: {text}");
        }
    }

    #[test]
    fn a_name_adds_findings_and_never_takes_one_away() {
        let finding = |kind, start, end| Finding {
            kind,
            span: Span::new(start, end),
            confidence: 0.5,
            pass: Pass::Regex,
            recognizer: "x".into(),
        };
        let merged = merge(
            vec![finding(Kind::Dob, 2, 6), finding(Kind::Name, 20, 24)],
            vec![finding(Kind::Date, 0, 4), finding(Kind::Phone, 10, 14), finding(Kind::Zip, 22, 23)],
        );
        let got: Vec<_> = merged.iter().map(|f| (f.kind.clone(), f.span.start, f.span.end)).collect();
        assert_eq!(got, [(Kind::Dob, 0, 6), (Kind::Phone, 10, 14), (Kind::Name, 20, 24)]);

        let masker = Masker::new().unwrap();
        let nickname = masker.mask_field("full_name", " Sarah \"Sally\" Chen ").unwrap();
        assert_eq!(nickname.redaction_count(), 1);
        assert_eq!(nickname.events[0].span.range(), 1..19);
        assert_eq!(masker.mask_field("full_name", &nickname.text).unwrap().redaction_count(), 0);

        for name in ["order_number", "confirmation", "milligrams", "x"] {
            let masked = masker.mask_field(name, "call 415-555-0142").unwrap();
            assert_eq!(masked.redaction_count(), 1, "{name}");
            assert_eq!(masked.events[0].span.range(), 5..17);
        }
    }
}
