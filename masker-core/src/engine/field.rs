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
    /// A name can only add findings: what is found in the value alone is found under any name. Spans are bytes of `text`.
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
        if let Some(whole) = whole_name(label, text, &found).filter(|_| protected.is_empty()) {
            found = vec![whole];
        }
        Ok(found)
    }
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
