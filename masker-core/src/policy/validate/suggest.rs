//! What somebody may have meant by a word that is not known.

/// How far a suggestion may be from what was written.
const MOST_EDITS: usize = 2;
/// So that suggestions for a hostile file cost little.
const MAX_CANDIDATES: usize = 200;

pub(super) fn with_suggestion(message: String, suggestion: Option<&str>) -> String {
    match suggestion {
        Some(name) => format!("{message}; did you mean {name}?"),
        None => message,
    }
}

/// The candidate fewest edits away, within two, letter case aside.
pub(super) fn nearest<'c>(word: &str, candidates: impl Iterator<Item = &'c str>) -> Option<String> {
    let folded = |s: &str| s.bytes().map(|b| b.to_ascii_lowercase()).collect::<Vec<_>>();
    if word.len() > 64 {
        return None;
    }
    let word = folded(word);
    candidates
        .take(MAX_CANDIDATES)
        .filter(|c| c.len().abs_diff(word.len()) <= MOST_EDITS)
        .map(|c| (edit_distance(&word, &folded(c)), c))
        .filter(|(distance, c)| *distance <= MOST_EDITS && *distance < c.len().min(word.len()))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, c)| c.to_owned())
}

/// Insertions, deletions, replacements and swaps of neighbours; above [`MOST_EDITS`], any number above it.
fn edit_distance(a: &[u8], b: &[u8]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replace = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replace.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        // Each row builds on the two before it.
        if row.iter().chain(&last).all(|d| *d > MOST_EDITS) {
            return MOST_EDITS + 1;
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::super::entities::ENTITY_FIELDS;
    use super::*;

    #[test]
    fn suggestions_are_at_most_two_edits_away() {
        for (word, expected) in [
            ("acton", Some("action")),
            ("Action", Some("action")),
            ("atcion", Some("action")),
            ("akshun", None),
            ("enable", Some("enabled")),
            ("spokn", Some("spoken")),
            ("kd", Some("kid")),
            ("k", None),
            ("threshold", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, ENTITY_FIELDS.iter().copied()).as_deref(), expected, "{word}");
        }
    }

    #[test]
    fn edits_are_counted() {
        for (a, b, distance) in [
            ("", "", 0),
            ("a", "", 1),
            ("ab", "ba", 1),
            ("PHONE", "PHNOE", 1),
            ("SSN", "SN", 1),
            ("MRN", "NRM", 2),
        ] {
            assert_eq!(edit_distance(a.as_bytes(), b.as_bytes()), distance, "{a} {b}");
            assert_eq!(edit_distance(b.as_bytes(), a.as_bytes()), distance, "{b} {a}");
        }
        assert!(edit_distance(b"abcdefgh", b"hgfedcba") > MOST_EDITS);
    }
}
