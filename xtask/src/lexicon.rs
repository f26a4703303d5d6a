//! Packs the word lists of `masker-core/data/sources` into the table that ships with masker-core.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use masker_core::lexicon::{EntryBuilder, pack_lexicon};
use masker_core::view::{NormalView, WordHash, split_words};

type Entries = BTreeMap<WordHash, EntryBuilder>;

/// The packed table for the sources in a folder.
pub(crate) fn packed_lexicon(sources: &Path) -> Result<Vec<u8>, String> {
    let mut entries = Entries::new();
    for row in rows(sources, "first_names.tsv")? {
        set(&mut entries, &row[0], |e| {
            e.set_given_name(step(&row[1], &[20., 200., 2e3, 1e4, 5e4, 2e5, 1e6]));
        });
    }
    for row in rows(sources, "surnames.tsv")? {
        set(&mut entries, &row[0], |e| {
            e.set_family_name(step(&row[1], &[100., 500., 2e3, 1e4, 5e4, 2e5, 7e5]));
        });
    }
    for row in rows(sources, "nicknames.tsv")? {
        set(&mut entries, &row[0], |e| e.set_nickname(1));
    }
    for row in rows(sources, "common_words.tsv")? {
        let basic = matches!(row[2].as_str(), "10" | "20");
        set(&mut entries, &row[0], |e| {
            e.set_common(step(&row[1], &[0., 0.1, 1., 5., 20., 100., 500.]));
            e.set_basic(u8::from(basic));
            e.set_noun(u8::from(row[3].contains('n')));
            e.set_verb(u8::from(row[3].contains('v')));
            e.set_adjective(u8::from(row[3].contains('a')));
            e.set_adverb(u8::from(row[3].contains('r')));
        });
    }
    for row in rows(sources, "name_word_ambiguity.tsv")? {
        set(&mut entries, &row[0], |e| {
            e.set_not_name(sevenths(&row[1]));
            e.set_name_if_capital(sevenths(&row[2]));
            e.set_country(u8::from(row[3] == "country"));
        });
    }
    for row in rows(sources, "us_places.tsv")? {
        begin(&mut entries, &row[0], |e| e.set_begins_town(1));
        set(&mut entries, &row[0], |e| e.set_town(1 + step(&row[2], &[25e3, 1e5])));
    }
    for row in rows(sources, "us_counties.tsv")? {
        begin(&mut entries, &row[1], |e| e.set_begins_county(1));
        set(&mut entries, &row[1], |e| e.set_county(1));
    }
    for row in rows(sources, "states.tsv")? {
        for other in row[2].split(';').filter(|other| *other != "-") {
            begin(&mut entries, other, |e| e.set_begins_state(1));
            set(&mut entries, other, |e| e.set_state(1));
        }
        for phrase in &row[..2] {
            begin(&mut entries, phrase, |e| e.set_begins_state(1));
        }
        set(&mut entries, &row[0], |e| e.set_state(2));
        set(&mut entries, &row[1], |e| e.set_state(3));
    }
    for row in rows(sources, "street_suffixes.tsv")? {
        set(&mut entries, &row[1], |e| match row[0].as_str() {
            "suffix" => e.set_street_suffix(if row[2] == "1" { 2 } else { 1 }),
            "unit" => e.set_unit(1),
            "directional" => e.set_direction(1),
            _ => {}
        });
    }
    for row in rows(sources, "medical_terms.tsv")? {
        begin(&mut entries, &row[0], |e| e.set_begins_term(1));
        set(&mut entries, &row[0], |e| {
            e.set_medical(if row[2] == "0" { 2 } else { 1 });
            e.set_drug(u8::from(row[1].contains("drug")));
            e.set_eponym(u8::from(row[1].contains("eponym")));
        });
    }
    for row in rows(sources, "institutions.tsv")? {
        begin(&mut entries, &row[0], |e| e.set_begins_term(1));
        set(&mut entries, &row[0], |e| e.set_institution(1));
    }
    for row in rows(sources, "brands.tsv")? {
        begin(&mut entries, &row[0], |e| e.set_begins_term(1));
        set(&mut entries, &row[0], |e| e.set_institution(1));
    }
    Ok(pack_lexicon(entries.into_iter().map(|(hash, entry)| (hash, entry.build()))))
}

/// Sets facts of a word or phrase, and marks every shorter phrase that it begins with.
fn set(entries: &mut Entries, phrase: &str, facts: impl FnOnce(&mut EntryBuilder)) {
    let words = hashes(phrase);
    let Some((first, rest)) = words.split_first() else { return };
    let mut hash = *first;
    for word in rest {
        entries.entry(hash).or_default().set_begins_phrase(1);
        hash = hash.then(*word);
    }
    facts(entries.entry(hash).or_default());
}

/// Sets facts of the first word of a phrase of several.
fn begin(entries: &mut Entries, phrase: &str, facts: impl FnOnce(&mut EntryBuilder)) {
    if let [first, _, ..] = hashes(phrase)[..] {
        facts(entries.entry(first).or_default());
    }
}

fn hashes(phrase: &str) -> Vec<WordHash> {
    let view = NormalView::new(phrase, &[]);
    split_words(&view).iter().map(|word| word.hash).collect()
}

/// How many of the rising bounds a number reaches.
fn step(number: &str, bounds: &[f64]) -> u8 {
    let number: f64 = number.parse().unwrap_or(0.0);
    bounds.iter().filter(|&&bound| number >= bound).count() as u8
}

fn sevenths(share: &str) -> u8 {
    (share.parse().unwrap_or(0.0) * 7.0_f64).round() as u8
}

/// The rows of a tab-separated file without its header line.
fn rows(folder: &Path, name: &str) -> Result<Vec<Vec<String>>, String> {
    let text = fs::read_to_string(folder.join(name)).map_err(|e| format!("{name}: {e}"))?;
    Ok(text.lines().skip(1).map(|line| line.split('\t').map(str::to_owned).collect()).collect())
}
