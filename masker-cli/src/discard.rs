//! A vault that forgets.

use masker_core::vault::{
    Lookup, NewRow, Put, Query, Reseal, Row, RowKey, Selection, Vault, VaultError, VaultStats, Write,
};

/// Takes every row and keeps none. A run of `mask` without a vault file never restores, so keeping its rows would only make
/// memory grow with the input.
#[derive(Debug)]
pub(crate) struct Discard;

impl Vault for Discard {
    fn get(&self, query: &Query<'_>) -> Result<Vec<Lookup>, VaultError> {
        Ok(query.tokens.iter().map(|_| Lookup::Absent).collect())
    }

    fn put(&self, write: &Write<'_>) -> Result<Vec<Put>, VaultError> {
        Ok(write.rows.iter().map(|_: &NewRow<'_>| Put::Stored).collect())
    }

    fn count(&self, _: &Selection) -> Result<u64, VaultError> {
        Ok(0)
    }

    fn delete(&self, _: &Selection) -> Result<u64, VaultError> {
        Ok(0)
    }

    fn page(&self, _: Option<&RowKey>, _: usize) -> Result<Vec<Row>, VaultError> {
        Ok(Vec::new())
    }

    fn tombstones(&self, _: Option<&[u8; 32]>, _: usize) -> Result<Vec<[u8; 32]>, VaultError> {
        Ok(Vec::new())
    }

    fn reseal(&self, _: &[Reseal]) -> Result<u64, VaultError> {
        Ok(0)
    }

    fn merge(&self, _: &[Row], _: &[[u8; 32]]) -> Result<u64, VaultError> {
        Ok(0)
    }

    fn stats(&self) -> Result<VaultStats, VaultError> {
        Ok(VaultStats::default())
    }
}
