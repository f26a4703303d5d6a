use super::Kind;
use super::measured_rows::ROWS;

/// How detection does on masker's own cases of one kind, `fixtures/detect` in the sources.
///
/// It was built against these cases, so the figures say that a kind is looked for and how thoroughly it is tested. They do
/// not say how much of anybody's text is found; for that, measure on text of your own.
///
/// ```
/// use masker_core::{Kind, kinds};
///
/// let phone = kinds::measured(&Kind::Phone).unwrap();
/// assert!(phone.hits >= 20 && phone.found <= phone.hits);
/// assert!(kinds::measured(&Kind::Organization).is_none());
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Measured {
    /// Values of the kind in the cases.
    pub hits: u32,
    /// Those found whole and as this kind.
    pub found: u32,
    /// Cases without a value of the kind.
    pub near_misses: u32,
    /// Those in which nothing was taken for this kind.
    pub kept: u32,
}

/// How detection does on masker's own cases of a kind; nothing where it has none.
pub fn measured(kind: &Kind) -> Option<Measured> {
    let row = ROWS.iter().find(|row| row.0 == kind.as_str())?;
    let [hits, found, near_misses, kept] = row.1;
    Some(Measured { hits, found, near_misses, kept })
}
