//! Streets, towns and firms that do not exist, and places on the network that belong to nobody.

use super::codes::zip;
use super::draw::Draw;
use super::words::{match_case, ordinal_ending, other_number, replace_words, shaped, spoken};
use crate::lexicon::lookup;
use crate::view::hash_word;

#[rustfmt::skip]
pub(super) const PLACES: [&str; 64] = [
    "Alder", "Amberly", "Ashby", "Aspen", "Birchall", "Bramble", "Briar", "Brook", "Calico", "Cedar", "Clover",
    "Cobble", "Copper", "Cypress", "Dover", "Eastbrook", "Elmford", "Fern", "Foxglove", "Glen", "Granite", "Hawthorn",
    "Hazel", "Heather", "Heron", "Hollow", "Ironwood", "Ivy", "Juniper", "Kestrel", "Larch", "Laurel", "Linden",
    "Lupine", "Maple", "Marigold", "Meadow", "Millbank", "Mulberry", "Myrtle", "Northgate", "Oakhurst", "Orchard",
    "Osprey", "Pebble", "Poplar", "Primrose", "Quarry", "Redfield", "Rowan", "Saffron", "Sorrel", "Southmoor",
    "Spruce", "Sycamore", "Tansy", "Thistle", "Violet", "Walnut", "Westbury", "Willow", "Windmere", "Wren", "Yarrow",
];
/// Words of addresses that say what a part is and not which, beside those that the word table knows.
#[rustfmt::skip]
const ADDRESS_WORDS: [&str; 37] = [
    "&", "and", "at", "basement", "bldg", "borough", "box", "building", "c", "care", "city", "county", "department",
    "dept", "estate", "floor", "heights", "in", "lot", "near", "number", "o", "of", "off", "old", "p", "parish", "po",
    "room", "rural", "side", "space", "the", "township", "uh", "um", "village",
];
/// The postal abbreviations of the states that a state becomes where it need not stay.
const STATES: [&str; 12] = ["AZ", "CO", "GA", "IL", "MN", "NC", "NM", "OH", "OR", "PA", "VA", "WI"];
const STATE_NAMES: [&str; 12] = [
    "Arizona",
    "Colorado",
    "Georgia",
    "Illinois",
    "Minnesota",
    "Kansas",
    "Nevada",
    "Ohio",
    "Oregon",
    "Iowa",
    "Virginia",
    "Wisconsin",
];
/// What an organisation is, which stays.
#[rustfmt::skip]
const FIRMS: [&str; 30] = [
    "academy", "and", "associates", "bank", "care", "center", "centre", "clinic", "co", "college", "company", "corp",
    "dental", "elementary", "group", "health", "high", "hospital", "inc", "llc", "medical", "of", "partners", "pharmacy",
    "school", "services", "the", "university", "works", "middle",
];
/// Documentation ranges of RFC 5737.
const TEST_NETS: [&str; 3] = ["192.0.2", "198.51.100", "203.0.113"];

/// The same parts with other names and numbers; states stay where `keep_state` holds.
pub(super) fn address(original: &str, keep_state: bool, draw: &mut Draw) -> String {
    replace_words(original, |word| {
        let lower = word.to_lowercase();
        let entry = lookup(hash_word(lower.as_bytes()));
        let is_code = word.len() == 2 && word.bytes().all(|b| b.is_ascii_uppercase());
        let is_state = entry.state() == 3 || (entry.state() == 2 && is_code);
        if let Some(number) = other_number(word, draw) {
            match_case(word, number)
        } else if word.chars().any(char::is_numeric) {
            house_number(word, draw)
        } else if is_state && keep_state {
            word.to_owned()
        } else if is_state {
            match_case(word, if is_code { draw.pick(&STATES) } else { draw.pick(&STATE_NAMES) })
        } else if ADDRESS_WORDS.contains(&lower.as_str())
            || entry.direction() > 0
            || entry.unit() > 0
            || entry.street_suffix() > 1
            || (entry.street_suffix() == 1 && entry.town() == 0 && entry.family_name() == 0)
        {
            word.to_owned()
        } else if word.chars().count() == 1 {
            shaped(word, draw)
        } else {
            match_case(word, draw.pick(&PLACES))
        }
    })
}

/// A number with its form, never beginning with a zero that was not there, and with the ending that it needs.
fn house_number(word: &str, draw: &mut Draw) -> String {
    let digits = word.chars().take_while(|c| c.is_numeric()).count();
    let ending: String = word.chars().skip(digits).collect();
    if digits == 5 && (ending.is_empty() || ending.starts_with('-')) {
        return zip(word, draw);
    }
    let mut new = shaped(word, draw);
    if new.starts_with('0') && !word.starts_with('0') {
        new.replace_range(..1, &(draw.below(9) + 1).to_string());
    }
    let is_ordinal = ["st", "nd", "rd", "th"].iter().any(|known| known.eq_ignore_ascii_case(&ending));
    if is_ordinal {
        let number: String = new.chars().take(digits).collect();
        let value = number.parse().unwrap_or(4);
        return number + &match_case(&ending, ordinal_ending(value));
    }
    new
}

/// An invented firm; what kind of firm it is stays.
pub(super) fn organization(original: &str, draw: &mut Draw) -> String {
    let mut named = false;
    let new = replace_words(original, |word| {
        if FIRMS.contains(&word.to_lowercase().as_str()) {
            word.to_owned()
        } else {
            named = true;
            match_case(word, draw.pick(&PLACES))
        }
    });
    if named { new } else { format!("{} {}", draw.pick(&PLACES), draw.pick(&["Group", "Partners", "Works"])) }
}

pub(super) fn url(original: &str, draw: &mut Draw) -> String {
    let page = format!("{}-{}", draw.pick(&PLACES), draw.below(9_000) + 1_000).to_lowercase();
    if !original.contains('.') && original.contains(' ') {
        let (word, number) = page.split_once('-').unwrap_or((&page, ""));
        return format!("example dot com slash {word} {}", spoken(number));
    }
    let scheme = original.find("://").map_or("", |at| &original[..at + 3]);
    let www = if original[scheme.len()..].to_ascii_lowercase().starts_with("www.") { "www." } else { "" };
    format!("{scheme}{www}example.com/{page}")
}

/// A host of the documentation ranges, RFC 5737 and RFC 3849.
pub(super) fn ip_address(original: &str, draw: &mut Draw) -> String {
    if original.matches(':').count() > 1 {
        return format!("2001:db8::{:x}:{:x}", draw.below(0xffff) + 1, draw.below(0xffff) + 1);
    }
    let new = format!("{}.{}", draw.pick(&TEST_NETS), draw.below(254) + 1);
    if !original.chars().any(char::is_numeric) {
        return new.split('.').map(spoken).collect::<Vec<_>>().join(" dot ");
    }
    // A port or the length of a prefix stays.
    let host = original.find(|c: char| !c.is_numeric() && c != '.').unwrap_or(original.len());
    new + &original[host..]
}
