//! A row of the file and its checksum.

use rusqlite::types::ValueRef;

use crate::token::enc;

/// The first eight bytes of BLAKE3 over all of a row. It is no protection against anybody: whoever writes the file can make it.
#[derive(Clone, Copy)]
pub(super) struct Content<'a> {
    pub(super) scope: &'a str,
    pub(super) token: &'a str,
    pub(super) kind: &'a str,
    pub(super) kid: &'a str,
    pub(super) bytes: &'a [u8],
    pub(super) created: i64,
    pub(super) used: i64,
    pub(super) expires: Option<i64>,
}

impl Content<'_> {
    pub(super) fn checksum(&self) -> i64 {
        let mut input = Vec::with_capacity(160 + self.bytes.len());
        for part in [self.scope, self.token, self.kind, self.kid] {
            enc(&mut input, part.as_bytes());
        }
        enc(&mut input, self.bytes);
        for time in [self.created, self.used, self.expires.unwrap_or(i64::MAX)] {
            input.extend_from_slice(&time.to_le_bytes());
        }
        i64::from_le_bytes(*blake3::hash(&input).as_bytes().first_chunk().expect("a hash has 32 bytes"))
    }
}

/// A row as the file has it.
pub(super) struct Stored {
    pub(super) id: i64,
    pub(super) scope: String,
    pub(super) token: String,
    pub(super) kind: String,
    pub(super) kid: String,
    pub(super) bytes: Vec<u8>,
    pub(super) created: i64,
    pub(super) used: i64,
    pub(super) expires: Option<i64>,
    pub(super) checksum: i64,
}

impl Stored {
    pub(super) const COLUMNS: &str = "id, scope, token, kind, kid, bytes, created, used, expires, checksum";

    pub(super) fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        // Where the name of a kind or a key is no text any more, the row is damaged and not the whole file.
        let lenient = |column: usize| match row.get_ref(column)? {
            ValueRef::Text(text) => Ok::<_, rusqlite::Error>(String::from_utf8_lossy(text).into_owned()),
            _ => Ok(String::new()),
        };
        Ok(Self {
            id: row.get(0)?,
            scope: row.get(1)?,
            token: row.get(2)?,
            kind: lenient(3)?,
            kid: lenient(4)?,
            bytes: row.get(5)?,
            created: row.get(6)?,
            used: row.get(7)?,
            expires: row.get(8)?,
            checksum: row.get(9)?,
        })
    }

    pub(super) fn content(&self) -> Content<'_> {
        let Self { scope, token, kind, kid, bytes, created, used, expires, .. } = self;
        Content { scope, token, kind, kid, bytes, created: *created, used: *used, expires: *expires }
    }

    pub(super) fn is_whole(&self) -> bool {
        self.content().checksum() == self.checksum
    }
}
