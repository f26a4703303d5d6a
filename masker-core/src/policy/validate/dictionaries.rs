//! The dictionaries of a policy, in it or in files beside it.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::{Component, Path};

use super::Checker;
use super::fields::{Field, Fields};
use crate::policy::limits::{MAX_DICTIONARY_BYTES, MAX_DICTIONARY_WORDS};
use crate::policy::raw::Mark;
use crate::policy::{DictionaryRule, PolicyErrorCode as Code};

pub(in crate::policy) const DICTIONARY_FIELDS: &[&str] =
    &["name", "entity", "words", "file", "case_sensitive", "whole_word", "score"];

impl Checker<'_> {
    pub(super) fn dictionaries(
        &mut self,
        top: &Fields<'_>,
        names: &mut HashMap<String, Mark>,
    ) -> Vec<DictionaryRule> {
        let items = top.get("dictionaries").and_then(|f| self.list(&f, "a list of dictionaries"));
        items.unwrap_or_default().iter().filter_map(|item| self.dictionary(item, names)).collect()
    }

    fn dictionary(&mut self, item: &Field<'_>, names: &mut HashMap<String, Mark>) -> Option<DictionaryRule> {
        let fields = self.fields(item, DICTIONARY_FIELDS)?;
        let name = self.own_name(&fields, names);
        let kind = self.required(&fields, "entity").and_then(|f| self.declared_kind(&f));
        self.exactly_one(&fields, "words", "file");
        let mut words = fields.get("words").map(|f| self.words(&f, "a list of words")).unwrap_or_default();
        let file = fields.get("file").and_then(|f| {
            let file = self.text(&f)?;
            words.extend(self.dictionary_file(&f, file));
            Some(file.to_owned())
        });
        Some(DictionaryRule {
            name,
            words: words.into(),
            file,
            case_sensitive: self.bool(&fields, "case_sensitive", false),
            whole_word: self.bool(&fields, "whole_word", true),
            score: self.fraction(&fields, "score", 0.9),
            kind: kind?,
        })
    }

    fn dictionary_file(&mut self, field: &Field<'_>, file: &str) -> Vec<String> {
        let Some(dir) = self.dir else {
            let message = "only a policy read from a file may name files";
            self.error(Code::FileNotAllowed, field.at(), &field.path, message);
            return Vec::new();
        };
        match read_dictionary(dir, Path::new(file)) {
            Ok(words) => words,
            Err((code, message)) => {
                self.error(code, field.at(), &field.path, message);
                Vec::new()
            }
        }
    }
}

/// The entries of a dictionary file below `dir`.
fn read_dictionary(dir: &Path, file: &Path) -> Result<Vec<String>, (Code, String)> {
    let outside = || (Code::FileNotAllowed, "the file must be below the folder of the policy".to_owned());
    let unreadable =
        |e: std::io::Error| (Code::FileUnreadable, format!("the file cannot be read: {}", e.kind()));
    // Checked before the file system is asked, so that an answer tells nothing of files elsewhere.
    let mut depth = 0_usize;
    for component in file.components() {
        match component {
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir => depth = depth.checked_sub(1).ok_or_else(outside)?,
            Component::RootDir | Component::Prefix(_) => return Err(outside()),
        }
    }
    let dir = dir.canonicalize().map_err(unreadable)?;
    let path = dir.join(file).canonicalize().map_err(unreadable)?;
    if !path.starts_with(&dir) {
        return Err(outside());
    }
    // A pipe would never end.
    if !path.metadata().map_err(unreadable)?.is_file() {
        return Err((Code::FileUnreadable, "not a file".to_owned()));
    }
    let mut bytes = Vec::new();
    File::open(&path)
        .and_then(|f| f.take(MAX_DICTIONARY_BYTES as u64 + 1).read_to_end(&mut bytes))
        .map_err(unreadable)?;
    if bytes.len() > MAX_DICTIONARY_BYTES {
        return Err((Code::TooLarge, "a dictionary file has at most 64 MiB".to_owned()));
    }
    let text = String::from_utf8(bytes).map_err(|e| {
        let good = &e.as_bytes()[..e.utf8_error().valid_up_to()];
        let line = good.split(|b| *b == b'\n').count();
        (Code::FileUnreadable, format!("line {line} of the file is not UTF-8"))
    })?;
    let words: Vec<String> = entries(&text).take(MAX_DICTIONARY_WORDS + 1).map(str::to_owned).collect();
    if words.len() > MAX_DICTIONARY_WORDS {
        return Err((Code::TooLarge, "a dictionary has at most 1,000,000 entries".to_owned()));
    }
    Ok(words)
}

/// One entry a line. `#` starts a comment at the beginning of a line and after white space.
fn entries(text: &str) -> impl Iterator<Item = &str> {
    text.strip_prefix('\u{feff}').unwrap_or(text).lines().filter_map(|line| {
        let comment = line
            .match_indices('#')
            .map(|(i, _)| i)
            .find(|i| line[..*i].chars().next_back().is_none_or(char::is_whitespace));
        let entry = line[..comment.unwrap_or(line.len())].trim();
        (!entry.is_empty()).then_some(entry)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dictionary_files_have_one_entry_a_line() {
        let text = "\u{feff}Ada\r\n#all\n\n  Bo Example \t# left\nC#\nSuite #5\n   \nlast";
        assert_eq!(entries(text).collect::<Vec<_>>(), ["Ada", "Bo Example", "C#", "Suite", "last"]);
    }
}
