//! Codes that sign their holder in once, and the first owner.

use std::fmt;
use std::path::Path;

use masker_core::audit::EventKind;
use serde_json::{Value, json};

use crate::crypto;
use crate::error::{ApiError, Code, Result};
use crate::ids::{self, Prefix};
use crate::store::model::{Account, ApiToken, LoginCode, Mode, Profile, Role, User};
use crate::store::{self, Change, Store};
use crate::time::{self, DAY, SECOND};

/// How long a login code works, in milliseconds.
pub(crate) const CODE_LIFE: i64 = 600 * SECOND;
/// How long the code of a bootstrap works.
pub(crate) const BOOTSTRAP_LIFE: i64 = DAY;

/// A code that signs this user in once; its hash is stored.
pub(crate) fn make(store: &dyn Store, user: &User, life: i64) -> store::Result<(String, i64)> {
    let code = crypto::new_code();
    let expires_at = time::now() + life;
    let record = LoginCode { hash: hash(&code), user_id: user.id.clone(), expires_at };
    store.save(&record)?;
    Ok((code, expires_at))
}

/// Codes are typed by people: case does not count.
pub(crate) fn hash(code: &str) -> String {
    crypto::sha256_hex(code.trim().to_ascii_uppercase().as_bytes())
}

/// The user of a code, which is gone then; and the code, to be put back where nobody was signed in.
pub(crate) fn redeem(store: &dyn Store, code: &str) -> Result<Option<(User, LoginCode)>> {
    let Some(record) = store.take_one::<LoginCode>(&hash(code))? else { return Ok(None) };
    if record.expires_at <= time::now() {
        return Ok(None);
    }
    Ok(store.load(&record.user_id)?.map(|user| (user, record)))
}

/// A new account with its owner, as changes of the store.
pub(crate) fn new_owner(login: &str, name: Option<&str>, now: i64) -> (Account, User) {
    let account = Account {
        id: ids::new(Prefix::Account),
        name: login.to_owned(),
        plan: "self_hosted".to_owned(),
        created_at: now,
        deletion_profile: Profile::Masker,
        default_delete_mode: Mode::Hard,
        restore_window_days: 30,
        agent_limit: None,
        session_retention_days: None,
        revision: 1,
    };
    let user = User {
        id: ids::new(Prefix::User),
        account_id: account.id.clone(),
        login: login.to_owned(),
        github_login: None,
        github_id: None,
        name: name.map(str::to_owned),
        email: None,
        avatar_url: None,
        role: Role::Owner,
        instance_admin: true,
        team_ids: Vec::new(),
        created_at: now,
        last_seen_at: None,
    };
    (account, user)
}

/// Whether a login is fit to be one.
pub(crate) fn is_login(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        && !text.starts_with(['-', '.'])
}

/// The record of a new token, with its secret.
pub(crate) fn new_token(user: &User, name: &str, scopes: Vec<String>, now: i64) -> (ApiToken, String) {
    let secret = crypto::new_token();
    let token = ApiToken {
        id: ids::new(Prefix::Token),
        hash: crypto::sha256_hex(secret.as_bytes()),
        user_id: user.id.clone(),
        account_id: user.account_id.clone(),
        name: name.to_owned(),
        scopes,
        agent_ids: Vec::new(),
        prefix: secret[..8].to_owned(),
        created_at: now,
        expires_at: None,
        last_used_at: None,
    };
    (token, secret)
}

/// What a bootstrap made. `Debug` says which of it there is, and no code or token.
#[non_exhaustive]
pub struct Bootstrap {
    /// A link that signs the owner in once, with the bare code behind `#code=`.
    pub link: Option<String>,
    /// The bare code.
    pub code: Option<String>,
    /// An API token with every scope.
    pub token: Option<String>,
}

impl fmt::Debug for Bootstrap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bootstrap")
            .field("link", &self.link.is_some())
            .field("code", &self.code.is_some())
            .field("token", &self.token.is_some())
            .finish()
    }
}

/// Why a bootstrap was not done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BootstrapError {
    /// There is a user already.
    #[error("a user exists already; --force adds another owner")]
    Exists,
    /// Nobody has this login.
    #[error("no user has this login")]
    NoUser,
    /// The login is not fit to be one.
    #[error("a login is 1 to 64 letters, digits, dots, hyphens and underscores")]
    Login,
    /// The database failed.
    #[error("{0}")]
    Store(String),
}

impl From<store::StoreError> for BootstrapError {
    fn from(error: store::StoreError) -> Self {
        Self::Store(error.to_string())
    }
}

fn open(database: &Path) -> std::result::Result<store::SqliteStore, BootstrapError> {
    if let Some(folder) = database.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        crate::config::make_folder(folder)
            .map_err(|error| BootstrapError::Store(error.kind().to_string()))?;
    }
    Ok(store::SqliteStore::open(database)?)
}

/// Makes the first owner, straight in the database, also beside a running server.
///
/// # Errors
///
/// When a user exists and `force` is not set, or the database fails.
pub fn bootstrap(
    database: &Path,
    public_url: &str,
    login: &str,
    as_token: bool,
    force: bool,
) -> std::result::Result<Bootstrap, BootstrapError> {
    if !is_login(login) {
        return Err(BootstrapError::Login);
    }
    let store = open(database)?;
    let store: &dyn Store = &store;
    let users: Vec<User> = store.load_all(None)?;
    if !users.is_empty() && !force {
        return Err(BootstrapError::Exists);
    }
    let now = time::now();
    let existing = users.iter().find(|user| user.login == login && user.role == Role::Owner).cloned();
    let user = match existing {
        Some(user) => user,
        None => {
            let (account, mut user) = new_owner(login, None, now);
            let mut changes = Vec::new();
            match users.iter().min_by_key(|user| user.created_at) {
                // Another owner belongs to the account that is there.
                Some(first) => user.account_id.clone_from(&first.account_id),
                None => changes.push(Change::put(&account)),
            }
            changes.push(Change::put(&user));
            store.write(changes)?;
            store.post(&outbox(
                EventKind::MemberAdded,
                &user,
                &json!({ "user_id": user.id, "role": "owner" }),
            ))?;
            user
        }
    };
    if as_token {
        let scopes = super::Scope::ALL.iter().map(|scope| scope.as_str().to_owned()).collect();
        let (token, secret) = new_token(&user, "bootstrap", scopes, now);
        store.save(&token)?;
        store.post(&outbox(EventKind::TokenCreated, &user, &json!({ "token_id": token.id })))?;
        return Ok(Bootstrap { link: None, code: None, token: Some(secret) });
    }
    let (code, _) = make(store, &user, BOOTSTRAP_LIFE)?;
    Ok(Bootstrap { link: Some(format!("{public_url}/login#code={code}")), code: Some(code), token: None })
}

/// A link that signs a user in once within ten minutes.
///
/// # Errors
///
/// When nobody has the login, or the database fails.
pub fn login_link(
    database: &Path,
    public_url: &str,
    login: &str,
) -> std::result::Result<Bootstrap, BootstrapError> {
    let store = open(database)?;
    let store: &dyn Store = &store;
    let user = store.load_by_key::<User>(login)?.pop().ok_or(BootstrapError::NoUser)?;
    let (code, _) = make(store, &user, CODE_LIFE)?;
    Ok(Bootstrap { link: Some(format!("{public_url}/login#code={code}")), code: Some(code), token: None })
}

/// An event for the server to append, since the log has one writer.
fn outbox(kind: EventKind, user: &User, data: &Value) -> String {
    json!({ "kind": kind.as_str(), "account_id": user.account_id, "user_id": user.id, "at": time::now(), "data": data })
        .to_string()
}

pub(crate) fn invalid_code() -> ApiError {
    ApiError::new(Code::InvalidLoginCode, "The code is unknown, used or expired.")
}
