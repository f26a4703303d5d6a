use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Query;
use crate::crypto::{ServerKeys, same};
use crate::error::{ApiError, Result};

/// Where the next page begins, with the filters of the walk and the instants it was frozen at.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Cursor {
    /// The list it belongs to, with the account.
    #[serde(rename = "l")]
    pub(crate) list: String,
    /// Sort key and id of the last row.
    #[serde(rename = "k")]
    pub(crate) after: (i64, String),
    /// Start and end of the window.
    #[serde(rename = "w")]
    pub(crate) window: (Option<i64>, i64),
    /// Filters as they were given.
    #[serde(rename = "f")]
    pub(crate) filters: Vec<(String, String)>,
}

/// What a request for a page asks for: the parameters of the walk, wherever they come from, and its cursor.
#[derive(Debug)]
pub(crate) struct Page {
    /// Parameters with those of the cursor filled in.
    pub(crate) query: Query,
    pub(crate) cursor: Option<Cursor>,
    pub(crate) limit: usize,
    list: String,
    filters: Vec<(String, String)>,
}

fn bad() -> ApiError {
    ApiError::field("cursor", "bad_value", "The cursor is not one that this list gave out.")
}

impl Page {
    /// Reads `limit`, `cursor` and the filters of these names.
    ///
    /// # Errors
    ///
    /// When the cursor was altered or belongs to another list, or a filter differs from its.
    pub(crate) fn read(
        query: &Query,
        keys: &ServerKeys,
        list: &str,
        account: &str,
        names: &[&str],
    ) -> Result<Self> {
        let limit = query.limit()?;
        let list = format!("{list}/{account}");
        let given: Vec<(String, String)> =
            names.iter().filter_map(|name| Some(((*name).to_owned(), query.get(name)?.to_owned()))).collect();
        let Some(text) = query.get("cursor") else {
            return Ok(Self { query: query.clone(), cursor: None, limit, list, filters: given });
        };
        let cursor = open(text, keys).filter(|cursor| cursor.list == list).ok_or_else(bad)?;
        if let Some((name, _)) = given.iter().find(|pair| !cursor.filters.contains(pair)) {
            let message = format!("{name} differs from what the walk began with.");
            return Err(ApiError::field("cursor", "conflicts_with", &message));
        }
        let raw: Vec<String> =
            cursor.filters.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
        let query = Query::parse(Some(&raw.join("&")))?;
        let filters = cursor.filters.clone();
        Ok(Self { query, cursor: Some(cursor), limit, list, filters })
    }

    /// The place after which the page begins.
    pub(crate) fn after(&self) -> Option<&(i64, String)> {
        self.cursor.as_ref().map(|cursor| &cursor.after)
    }

    /// Rows of one more than the page shows become the answer; `place` gives the sort key and id of a row.
    pub(crate) fn answer<T>(
        &self,
        mut rows: Vec<T>,
        window: (Option<i64>, i64),
        keys: &ServerKeys,
        place: impl Fn(&T) -> (i64, String),
        show: impl FnMut(T) -> Value,
    ) -> Value {
        let more = rows.len() > self.limit;
        rows.truncate(self.limit);
        let next = rows.last().filter(|_| more).map(|last| {
            let cursor =
                Cursor { list: self.list.clone(), after: place(last), window, filters: self.filters.clone() };
            seal(&cursor, keys)
        });
        json!({ "data": rows.into_iter().map(show).collect::<Vec<_>>(), "next_cursor": next })
    }
}

fn seal(cursor: &Cursor, keys: &ServerKeys) -> String {
    let json = serde_json::to_vec(cursor).expect("a cursor is texts and numbers");
    format!("{}.{}", BASE64URL_NOPAD.encode(&json), BASE64URL_NOPAD.encode(&keys.cursor_mac(&json)))
}

fn open(text: &str, keys: &ServerKeys) -> Option<Cursor> {
    let (json, mac) = text.split_once('.')?;
    let json = BASE64URL_NOPAD.decode(json.as_bytes()).ok()?;
    let mac = BASE64URL_NOPAD.decode(mac.as_bytes()).ok()?;
    if !same(&mac, &keys.cursor_mac(&json)) {
        return None;
    }
    serde_json::from_slice(&json).ok()
}

/// Percent-encodes everything but letters and digits.
fn encode(text: &str) -> String {
    let byte =
        |b: u8| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") };
    text.bytes().map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    fn keys(byte: u8) -> ServerKeys {
        ServerKeys::new(&Secret::from_bytes([byte; 32]), &Secret::from_bytes([9; 32]))
    }

    fn read(query: &str, list: &str) -> Result<Page> {
        Page::read(&Query::parse(Some(query)).unwrap(), &keys(1), list, "acc_1", &["status", "kind"])
    }

    #[test]
    fn filters_travel_in_the_cursor() {
        let page = read("limit=2&status=ok,partial", "sessions").unwrap();
        let answer = page.answer(vec![3, 2, 1], (None, 10), &keys(1), |n| (*n, n.to_string()), Value::from);
        assert_eq!(answer["data"], json!([3, 2]));
        let cursor = answer["next_cursor"].as_str().unwrap();
        let next = read(&format!("cursor={cursor}"), "sessions").unwrap();
        assert_eq!(next.query.get("status"), Some("ok,partial"));
        assert_eq!(next.after(), Some(&(2, "2".to_owned())));
        assert!(read(&format!("cursor={cursor}&status=ok%2Cpartial&limit=7"), "sessions").is_ok());
        for refused in [
            format!("cursor={cursor}&status=ok"),
            format!("cursor={cursor}&kind=DOB"),
            format!("cursor={cursor}x"),
        ] {
            assert!(read(&refused, "sessions").is_err(), "{refused}");
        }
        assert!(read(&format!("cursor={cursor}"), "agents").is_err());
        assert!(open(cursor, &keys(2)).is_none());
    }

    #[test]
    fn the_last_page_has_no_next() {
        let page = read("limit=3", "sessions").unwrap();
        let answer = page.answer(vec![3, 2, 1], (None, 10), &keys(1), |n| (*n, n.to_string()), Value::from);
        assert_eq!(answer["next_cursor"], Value::Null);
    }
}
