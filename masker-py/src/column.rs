//! Columns of text in Arrow's layout: the values back to back, and where each begins. Rows are read in place; only the whole
//! column is copied, once, where Python hands its buffers over and takes the result.

use std::borrow::Cow;

use masker_core::Masker;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::errors;
use crate::text::{escaped, unescaped};

/// Rows worked on at a time, so that the results of a long column do not all stand in memory twice.
const ROWS: usize = 16_384;

pub(crate) struct Source<'a> {
    pub(crate) data: &'a [u8],
    /// One more than rows.
    pub(crate) offsets: &'a [u8],
    /// Bytes of an offset: 4 or 8.
    pub(crate) width: usize,
    /// One bit a row, the least significant first; nothing where every row has a value.
    pub(crate) validity: Option<&'a [u8]>,
    /// The bit of the first row.
    pub(crate) bit: usize,
}

/// The values, 64-bit offsets, and how many pieces were replaced or restored.
pub(crate) type Column<'py> = (Bound<'py, PyBytes>, Bound<'py, PyBytes>, usize);

fn malformed() -> PyErr {
    PyValueError::new_err("the buffers are no column of UTF-8 text")
}

impl<'a> Source<'a> {
    fn rows(&self) -> PyResult<Vec<Option<&'a str>>> {
        let offset = |bytes: &[u8]| match self.width {
            4 => u32::from_ne_bytes(bytes.try_into().expect("cut to this width")) as usize,
            _ => u64::from_ne_bytes(bytes.try_into().expect("cut to this width")) as usize,
        };
        if !matches!(self.width, 4 | 8) || self.offsets.is_empty() {
            return Err(malformed());
        }
        let offsets: Vec<usize> = self.offsets.chunks_exact(self.width).map(offset).collect();
        let is_valid = |row: usize| {
            let bit = self.bit + row;
            match self.validity {
                None => Some(true),
                Some(bits) => bits.get(bit / 8).map(|byte| byte >> (bit % 8) & 1 == 1),
            }
        };
        let row = |(row, ends): (usize, &[usize])| {
            if !is_valid(row).ok_or_else(malformed)? {
                return Ok(None);
            }
            let value = self.data.get(ends[0]..ends[1]).ok_or_else(malformed)?;
            Ok(Some(std::str::from_utf8(value).map_err(|_| malformed())?))
        };
        offsets.windows(2).enumerate().map(row).collect()
    }
}

/// The column that a function makes of the rows that have a value.
fn rewrite<'py>(
    py: Python<'py>,
    source: &Source<'_>,
    work: impl Fn(&[Cow<'_, str>]) -> Result<(Vec<String>, usize), masker_core::Error> + Send + Sync,
) -> PyResult<Column<'py>> {
    let rows = source.rows()?;
    let done = py.detach(|| {
        let mut data = String::with_capacity(source.data.len());
        let mut offsets: Vec<u8> = 0u64.to_ne_bytes().to_vec();
        let mut count = 0;
        for rows in rows.chunks(ROWS) {
            let texts: Vec<Cow<'_, str>> = rows.iter().flatten().map(|text| escaped(text)).collect();
            let (texts, replaced) = work(&texts)?;
            count += replaced;
            let mut texts = texts.into_iter();
            for row in rows {
                if row.is_some() {
                    data.push_str(&unescaped(&texts.next().expect("one text for each row with a value")));
                }
                offsets.extend((data.len() as u64).to_ne_bytes());
            }
        }
        Ok((data, offsets, count))
    });
    let (data, offsets, count) = done.map_err(|error| errors::to_python(py, &error))?;
    Ok((PyBytes::new(py, data.as_bytes()), PyBytes::new(py, &offsets), count))
}

pub(crate) fn mask<'py>(
    py: Python<'py>,
    masker: &Masker,
    source: Source<'_>,
    label: Option<&str>,
) -> PyResult<Column<'py>> {
    rewrite(py, &source, |texts| {
        let masked = match label {
            Some(label) => masker.mask_field_batch(label, texts)?,
            None => masker.mask_batch(texts)?,
        };
        let count = masked.iter().map(masker_core::Masked::redaction_count).sum();
        Ok((masked.into_iter().map(|masked| masked.text).collect(), count))
    })
}

pub(crate) fn rehydrate<'py>(py: Python<'py>, masker: &Masker, source: Source<'_>) -> PyResult<Column<'py>> {
    rewrite(py, &source, |texts| {
        let restored = masker.rehydrate_batch(texts)?;
        let count = restored.iter().map(|restored| restored.restored).sum();
        Ok((restored.into_iter().map(|restored| restored.text).collect(), count))
    })
}
