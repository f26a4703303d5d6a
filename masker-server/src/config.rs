//! Settings from the environment, checked once. Errors name the variable, never its value.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use data_encoding::BASE64;
use masker_core::audit::{AuditKeys, Fsync, OpenCheck};
use masker_core::{KeyError, KeyRing};
use zeroize::Zeroizing;

/// A secret of 32 bytes. It is wiped when it goes, and prints nothing.
#[derive(Clone)]
pub struct Secret(Zeroizing<[u8; 32]>);

impl Secret {
    /// The bytes.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    #[cfg(test)]
    pub(crate) fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    fn parse(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(BASE64.decode(text.as_bytes()).ok()?);
        Some(Self(Zeroizing::new(bytes.as_slice().try_into().ok()?)))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// A secret that is a text of somebody else's making.
#[derive(Clone)]
pub struct SecretString(Zeroizing<String>);

impl SecretString {
    pub(crate) fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretString")
    }
}

/// Where the vault is.
#[derive(Clone, Debug)]
pub(crate) enum VaultPlace {
    File(PathBuf),
    #[cfg(feature = "postgres")]
    Postgres(SecretString),
}

/// How the server fails to start, by what has to be mended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A variable is missing or has a value that means nothing; every one found, a line each.
    #[error("{}", .0.join("\n"))]
    Config(Vec<String>),
    /// Database, vault, audit log or port.
    #[error("{0}")]
    Failure(String),
    /// A key or a policy.
    #[error("{}", .0.join("\n"))]
    Policy(Vec<String>),
}

/// Who may sign up by GitHub.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Signup {
    FirstUser,
    Invite,
    Open,
}

impl Signup {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::FirstUser => "first_user",
            Self::Invite => "invite",
            Self::Open => "open",
        }
    }
}

/// Sign-in through GitHub.
#[derive(Clone, Debug)]
pub(crate) struct GithubConfig {
    pub(crate) client_id: String,
    pub(crate) client_secret: SecretString,
    pub(crate) scopes: String,
    pub(crate) authorize_url: String,
    pub(crate) token_url: String,
    pub(crate) api_url: String,
    pub(crate) allowed_logins: Vec<String>,
}

/// Where requests go on to.
#[derive(Clone, Debug)]
pub(crate) struct UpstreamConfig {
    /// `MASKER_UPSTREAM_PROVIDER=stub`: the stub answers for every agent.
    pub(crate) force_stub: bool,
    pub(crate) openai_api_key: Option<SecretString>,
    pub(crate) openai_base_url: String,
    pub(crate) default_model: String,
    pub(crate) models: Vec<String>,
    pub(crate) timeout: Duration,
}

/// How bare secrets of Vapi are treated.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum SignatureMode {
    Either,
    Hmac,
    Secret,
}

/// What voice platforms need.
#[derive(Clone, Debug)]
pub(crate) struct PlatformConfig {
    pub(crate) vapi_secret: Option<SecretString>,
    pub(crate) bolna_secret: Option<SecretString>,
    pub(crate) vapi_mode: SignatureMode,
    pub(crate) vapi_call_events: bool,
    pub(crate) proxy_needs_hmac: bool,
    pub(crate) session_idle: Duration,
}

/// One bucket: tokens a second, and how many it holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rate {
    pub(crate) per_second: f64,
    pub(crate) burst: f64,
}

/// Rate limits.
#[derive(Clone, Debug, Default)]
pub(crate) struct RateConfig {
    pub(crate) api: Option<Rate>,
    pub(crate) proxy: Option<Rate>,
    pub(crate) by_token: bool,
}

/// What is kept, and for how long.
#[derive(Clone, Debug)]
pub(crate) struct RetentionConfig {
    pub(crate) payload_days: u32,
    pub(crate) session_days: u32,
}

/// The audit log.
#[derive(Clone, Debug)]
pub(crate) struct AuditConfig {
    pub(crate) path: PathBuf,
    pub(crate) keys: AuditKeys,
    pub(crate) fsync: Fsync,
    pub(crate) check: OpenCheck,
    /// `MASKER_AUDIT_FAIL=open`: the proxy goes on without a log.
    pub(crate) fail_open: bool,
}

/// Every setting of the server.
#[derive(Clone, Debug)]
pub struct Config {
    pub(crate) dev: bool,
    pub(crate) listen: SocketAddr,
    pub(crate) metrics: Option<SocketAddr>,
    /// Scheme and host, without a slash at the end.
    pub(crate) public_url: String,
    pub(crate) database: PathBuf,
    pub(crate) vault: VaultPlace,
    /// A request that repeats the one before it in its session to the byte is not masked anew.
    pub(crate) repeats_are_reused: bool,
    pub(crate) wipe_buffers: bool,
    pub(crate) session_secret: Secret,
    pub(crate) storage_key: Secret,
    pub(crate) report_key: Option<Secret>,
    pub(crate) keys: KeyRing,
    pub(crate) policy_path: Option<PathBuf>,
    pub(crate) github: Option<GithubConfig>,
    pub(crate) signup: Signup,
    pub(crate) bootstrap_code_file: Option<PathBuf>,
    pub(crate) upstream: UpstreamConfig,
    pub(crate) platform: PlatformConfig,
    pub(crate) rates: RateConfig,
    pub(crate) retention: RetentionConfig,
    pub(crate) audit: AuditConfig,
    pub(crate) trusted_proxies: Vec<Cidr>,
    pub(crate) webhook_allow_private: bool,
    pub(crate) shutdown: Duration,
    pub(crate) log_level: tracing::level_filters::LevelFilter,
    pub(crate) log_json: bool,
    /// What is worth a line in the log at the start.
    pub(crate) warnings: Vec<String>,
}

/// A range of addresses.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Cidr {
    address: IpAddr,
    bits: u8,
}

impl Cidr {
    fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address.parse().ok()?, Some(bits.parse().ok()?)),
            None => (text.parse().ok()?, None),
        };
        let most = if matches!(address, IpAddr::V4(_)) { 32 } else { 128 };
        let bits = bits.unwrap_or(most);
        (bits <= most).then_some(Self { address, bits })
    }

    pub(crate) fn contains(&self, other: IpAddr) -> bool {
        let number = |address| match address {
            IpAddr::V4(v4) => (u128::from(u32::from(v4)) << 96, 4),
            IpAddr::V6(v6) => (u128::from(v6), 6),
        };
        let ((a, family_a), (b, family_b)) = (number(self.address), number(other.to_canonical()));
        family_a == family_b && (self.bits == 0 || (a ^ b) >> (128 - u32::from(self.bits)) == 0)
    }
}

const SECRETS: [&str; 15] = [
    "MASKER_SESSION_SECRET",
    "MASKER_AUDIT_HMAC_KEY",
    "MASKER_AUDIT_HMAC_KEY_OLD",
    "MASKER_AEAD_KEY",
    "MASKER_REPORT_SIGNING_KEY",
    "MASKER_GITHUB_CLIENT_SECRET",
    "MASKER_GITHUB_CLIENT_ID",
    "GITHUB_CLIENT_ID",
    "GITHUB_CLIENT_SECRET",
    "MASKER_OPENAI_API_KEY",
    "MASKER_VAPI_WEBHOOK_SECRET",
    "MASKER_BOLNA_WEBHOOK_SECRET",
    "MASKER_DATABASE_URL",
    "MASKER_DB_URL",
    "MASKER_VAULT_URL",
];

const PLAIN: [&str; 45] = [
    "MASKER_LISTEN_ADDR",
    "MASKER_PUBLIC_URL",
    "MASKER_GITHUB_SCOPES",
    "MASKER_GITHUB_AUTHORIZE_URL",
    "MASKER_GITHUB_TOKEN_URL",
    "MASKER_GITHUB_API_URL",
    "MASKER_GITHUB_ALLOWED_LOGINS",
    "MASKER_SIGNUP",
    "MASKER_BOOTSTRAP_CODE_FILE",
    "MASKER_UPSTREAM_PROVIDER",
    "MASKER_OPENAI_BASE_URL",
    "MASKER_DEFAULT_MODEL",
    "MASKER_UPSTREAM_MODELS",
    "MASKER_UPSTREAM_TIMEOUT_MS",
    "MASKER_STREAM_BUFFER_MS",
    "MASKER_POLICY_PATH",
    "MASKER_NER_MODEL_PATH",
    "MASKER_NER_DEVICE",
    "MASKER_NER_BATCH_SIZE",
    "MASKER_DETECTION_TIMEOUT_MS",
    "MASKER_DETECTION_TIMEOUT_ACTION",
    "MASKER_ZEROIZE_BUFFERS",
    "MASKER_VAULT_PATH",
    "MASKER_KEY_ROTATION_GRACE_DAYS",
    "MASKER_VAPI_SIGNATURE_MODE",
    "MASKER_VAPI_CALL_EVENTS",
    "MASKER_PROXY_AUTH",
    "MASKER_RETELL_PARTIAL_DEDUP",
    "MASKER_SESSION_IDLE_SECONDS",
    "MASKER_AUDIT_LOG_PATH",
    "MASKER_AUDIT_FSYNC",
    "MASKER_AUDIT_VERIFY_ON_BOOT",
    "MASKER_AUDIT_FAIL",
    "MASKER_PAYLOAD_RETENTION_DAYS",
    "MASKER_SESSION_METADATA_RETENTION_DAYS",
    "MASKER_LOG_LEVEL",
    "MASKER_LOG_FORMAT",
    "MASKER_METRICS_ADDR",
    "MASKER_RATE_LIMIT",
    "MASKER_RATE_LIMIT_KEY",
    "MASKER_TRUSTED_PROXIES",
    "MASKER_WEBHOOK_ALLOW_PRIVATE",
    "MASKER_SHUTDOWN_SECONDS",
    "MASKER_DATA_DIR",
    "MASKER_DEV",
];

/// Read by the command line, or by nobody since a model is never loaded in this build.
const ELSEWHERE: [&str; 7] = [
    "MASKER_CONFIG",
    "MASKER_SERVER",
    "MASKER_SESSION",
    "MASKER_TOKEN",
    "MASKER_GEMMA_MODEL_PATH",
    "MASKER_GEMMA_DEVICE",
    "MASKER_GEMMA_BATCH_SIZE",
];

/// An audit log of more bytes is not walked from its beginning at the start, unless a setting asks for it.
const LONGEST_CHECKED_WHOLE: u64 = 1 << 30;

/// The file with what a development server made up.
const DEV_FILE: &str = "dev.env";

/// The environment while it is read: values, and what is wrong with them.
struct Reader {
    vars: BTreeMap<String, String>,
    errors: Vec<String>,
    warnings: Vec<String>,
}

impl Reader {
    fn text(&self, name: &str) -> Option<&str> {
        self.vars.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    fn fail(&mut self, name: &str, what: &str) {
        self.errors.push(format!("{name}: {what}"));
    }

    /// A value, or what the file named by its `_FILE` form holds.
    fn secret(&mut self, name: &str) -> Option<String> {
        let file = format!("{name}_FILE");
        let value = self.text(name).map(str::to_owned);
        let Some(path) = self.text(&file).map(str::to_owned) else { return value };
        if value.is_some() {
            self.fail(name, &format!("{file} is set as well; set one of them"));
            return value;
        }
        match std::fs::read_to_string(&path) {
            Ok(text) => Some(text.trim_end_matches(['\r', '\n']).to_owned()).filter(|text| !text.is_empty()),
            Err(error) => {
                self.fail(&file, &format!("the file it names cannot be read: {}", error.kind()));
                None
            }
        }
    }

    fn secret_text(&mut self, name: &str) -> Option<SecretString> {
        self.secret(name).map(SecretString::new)
    }

    fn key(&mut self, name: &str) -> Option<Secret> {
        let text = Zeroizing::new(self.secret(name)?);
        let key = Secret::parse(&text);
        if key.is_none() {
            self.fail(name, "not base64 of exactly 32 bytes; masker keygen --all makes one");
        }
        key
    }

    fn flag(&mut self, name: &str) -> bool {
        match self.text(name) {
            None | Some("0" | "false") => false,
            Some("1" | "true") => true,
            Some(_) => {
                self.fail(name, "1 or 0, true or false is needed");
                false
            }
        }
    }

    fn number(&mut self, name: &str, default: u64, min: u64, max: u64) -> u64 {
        let Some(text) = self.text(name) else { return default };
        match text.parse::<u64>() {
            Ok(value) if (min..=max).contains(&value) => value,
            _ => {
                self.fail(name, &format!("a whole number from {min} to {max} is needed"));
                default
            }
        }
    }

    fn one_of<T: Copy>(&mut self, name: &str, default: T, values: &[(&str, T)]) -> T {
        let Some(text) = self.text(name) else { return default };
        if let Some((_, value)) = values.iter().find(|(word, _)| *word == text) {
            return *value;
        }
        let words: Vec<&str> = values.iter().map(|(word, _)| *word).collect();
        self.fail(name, &format!("one of {} is needed", words.join(", ")));
        default
    }

    fn address(&mut self, name: &str) -> Option<SocketAddr> {
        let text = self.text(name)?;
        let address = text.parse().ok();
        if address.is_none() {
            self.fail(name, "an address and a port are needed, such as 127.0.0.1:8080");
        }
        address
    }

    fn list(&self, name: &str) -> Vec<String> {
        let items = self.text(name).unwrap_or_default().split(',').map(str::trim);
        items.filter(|item| !item.is_empty()).map(str::to_owned).collect()
    }

    fn url(&mut self, name: &str, default: &str) -> String {
        let text = self.text(name).unwrap_or(default).trim_end_matches('/').to_owned();
        if reqwest::Url::parse(&text)
            .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        {
            return text;
        }
        self.fail(name, "a URL beginning with https:// or http:// is needed");
        default.to_owned()
    }

    /// Warns of names that nobody reads: a mistyped one would be without effect in silence.
    fn warn_of_unknown(&mut self) {
        let known = |name: &str| {
            let base = name.strip_suffix("_FILE").unwrap_or(name);
            PLAIN.contains(&name)
                || ELSEWHERE.contains(&name)
                || SECRETS.contains(&base)
                || name.starts_with("MASKER_KEY_")
                || name.starts_with("MASKER_TEST_")
        };
        let unknown: Vec<String> =
            self.vars.keys().filter(|name| name.starts_with("MASKER_") && !known(name)).cloned().collect();
        for name in unknown {
            let all = PLAIN.iter().chain(&SECRETS).chain(&ELSEWHERE);
            let near = all.map(|other| (strsim::levenshtein(&name, other), *other)).min();
            self.warnings.push(match near {
                _ if name == "MASKER_VAULT_KEY_FILE" => {
                    "MASKER_VAULT_KEY_FILE is not supported; use MASKER_KEY_<KID>_FILE".to_owned()
                }
                Some((edits, other)) if edits <= 4 => {
                    format!("{name} is not known; did you mean {other}?")
                }
                _ => format!("{name} is not known"),
            });
        }
    }
}

impl Config {
    /// Reads the environment of the process.
    ///
    /// # Errors
    ///
    /// Every variable that is missing or wrong at once; keys and policies apart from the rest.
    pub fn from_env() -> Result<Self, StartError> {
        Self::from_vars(
            std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))),
        )
    }

    /// Reads settings from a list of names and values. With `MASKER_DEV=1` secrets that are missing are made, and kept in the
    /// data folder.
    ///
    /// # Errors
    ///
    /// As [`Config::from_env`].
    pub fn from_vars(vars: impl IntoIterator<Item = (String, String)>) -> Result<Self, StartError> {
        let vars = vars.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        let mut r = Reader { vars, errors: Vec::new(), warnings: Vec::new() };
        r.warn_of_unknown();
        let dev = r.flag("MASKER_DEV");
        let data_dir = PathBuf::from(r.text("MASKER_DATA_DIR").unwrap_or("./data"));
        let listen =
            r.address("MASKER_LISTEN_ADDR").unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 8080)));
        let public_url = match r.text("MASKER_PUBLIC_URL") {
            Some(_) => r.url("MASKER_PUBLIC_URL", "http://localhost"),
            None if dev => format!("http://localhost:{}", listen.port()),
            None => {
                r.fail(
                    "MASKER_PUBLIC_URL",
                    "not set; it is the scheme and host under which callers reach this server",
                );
                String::new()
            }
        };
        if dev && public_url.starts_with("https://") && !is_local(&public_url) {
            r.fail("MASKER_DEV", "not allowed with a MASKER_PUBLIC_URL that is https on a public name");
        }
        if dev && r.errors.is_empty() {
            make_up_secrets(&mut r, &data_dir)
                .map_err(|error| StartError::Failure(format!("{}: {error}", data_dir.display())))?;
        }
        let database = database(&mut r, &data_dir);
        let vault = vault(&mut r, &data_dir);
        let mut key_errors = Vec::new();
        let mut needed = |r: &mut Reader, name: &str| {
            let before = r.errors.len();
            let key = r.key(name);
            key_errors.extend(r.errors.drain(before..));
            if key.is_none() && key_errors.iter().all(|error: &String| !error.starts_with(name)) {
                key_errors
                    .push(format!("{name}: not set; masker keygen --all makes every secret of a server"));
            }
            key
        };
        let session_secret = needed(&mut r, "MASKER_SESSION_SECRET");
        let storage_key = needed(&mut r, "MASKER_AEAD_KEY");
        let audit_keys = match r.secret("MASKER_AUDIT_HMAC_KEY").map(Zeroizing::new) {
            Some(key) => {
                let old = Zeroizing::new(r.secret("MASKER_AUDIT_HMAC_KEY_OLD").unwrap_or_default());
                AuditKeys::from_base64(&key, &old).map_err(|error| key_errors.push(error.to_string())).ok()
            }
            None => {
                key_errors.push(
                    "MASKER_AUDIT_HMAC_KEY: not set; masker keygen --all makes every secret of a server"
                        .to_owned(),
                );
                None
            }
        };
        let ring = |vars: &BTreeMap<String, String>| {
            KeyRing::from_vars(vars.iter().map(|(name, value)| (name.clone(), value.clone())))
        };
        let keys = ring(&r.vars).map_err(|error: KeyError| key_errors.push(error.to_string())).ok();
        let report_key = r.key("MASKER_REPORT_SIGNING_KEY");
        let github = github(&mut r);
        let models = {
            let listed = r.list("MASKER_UPSTREAM_MODELS");
            let usual = ["openai:gpt-4o-mini", "openai:gpt-4o", "stub"].map(str::to_owned).to_vec();
            if listed.is_empty() { usual } else { listed }
        };
        if models.iter().any(|model| model != "stub" && !model.starts_with("openai:")) {
            r.fail("MASKER_UPSTREAM_MODELS", "a list of stub and openai:<model> is needed");
        }
        let upstream = UpstreamConfig {
            force_stub: r.one_of("MASKER_UPSTREAM_PROVIDER", false, &[("openai", false), ("stub", true)]),
            openai_api_key: r.secret_text("MASKER_OPENAI_API_KEY"),
            openai_base_url: r.url("MASKER_OPENAI_BASE_URL", "https://api.openai.com"),
            default_model: r.text("MASKER_DEFAULT_MODEL").unwrap_or("gpt-4o-mini").to_owned(),
            models,
            timeout: Duration::from_millis(r.number("MASKER_UPSTREAM_TIMEOUT_MS", 30_000, 100, 600_000)),
        };
        let platform = PlatformConfig {
            vapi_secret: r.secret_text("MASKER_VAPI_WEBHOOK_SECRET"),
            bolna_secret: r.secret_text("MASKER_BOLNA_WEBHOOK_SECRET"),
            vapi_mode: r.one_of(
                "MASKER_VAPI_SIGNATURE_MODE",
                SignatureMode::Either,
                &[
                    ("either", SignatureMode::Either),
                    ("hmac", SignatureMode::Hmac),
                    ("secret", SignatureMode::Secret),
                ],
            ),
            vapi_call_events: r.flag("MASKER_VAPI_CALL_EVENTS"),
            proxy_needs_hmac: r.one_of("MASKER_PROXY_AUTH", false, &[("url", false), ("hmac", true)]),
            session_idle: Duration::from_secs(r.number("MASKER_SESSION_IDLE_SECONDS", 300, 10, 86_400)),
        };
        // Text that cannot become a token leaves at once, which no bound makes sooner.
        r.number("MASKER_STREAM_BUFFER_MS", 50, 0, 1000);
        let repeats_are_reused = r.flag("MASKER_RETELL_PARTIAL_DEDUP");
        let wipe_buffers = r.flag("MASKER_ZEROIZE_BUFFERS");
        r.number("MASKER_DETECTION_TIMEOUT_MS", 200, 1, 600_000);
        r.one_of("MASKER_DETECTION_TIMEOUT_ACTION", (), &[("degrade", ()), ("reject", ())]);
        r.number("MASKER_KEY_ROTATION_GRACE_DAYS", 30, 0, 3650);
        if r.text("MASKER_NER_MODEL_PATH").or(r.text("MASKER_GEMMA_MODEL_PATH")).is_some() {
            r.warnings.push(
                "MASKER_NER_MODEL_PATH: this build has no model; dictionary and spoken stand in".to_owned(),
            );
        }
        let rates = rates(&mut r);
        let retention = RetentionConfig {
            payload_days: r.number("MASKER_PAYLOAD_RETENTION_DAYS", 0, 0, 36_500) as u32,
            session_days: r.number("MASKER_SESSION_METADATA_RETENTION_DAYS", 90, 1, 3650) as u32,
        };
        let fsync = fsync(&mut r);
        let audit_path = r.text("MASKER_AUDIT_LOG_PATH").map(PathBuf::from);
        let audit_path = audit_path.unwrap_or_else(|| data_dir.join("audit.log"));
        let is_long = std::fs::metadata(&audit_path).is_ok_and(|file| file.len() > LONGEST_CHECKED_WHOLE);
        let check = r.one_of(
            "MASKER_AUDIT_VERIFY_ON_BOOT",
            if is_long { OpenCheck::Tail } else { OpenCheck::Full },
            &[("full", OpenCheck::Full), ("tail", OpenCheck::Tail), ("off", OpenCheck::Off)],
        );
        let fail_open = r.one_of("MASKER_AUDIT_FAIL", false, &[("closed", false), ("open", true)]);
        let trusted_proxies = r.list("MASKER_TRUSTED_PROXIES").iter().map(|text| Cidr::parse(text)).collect();
        let trusted_proxies: Option<Vec<Cidr>> = trusted_proxies;
        if trusted_proxies.is_none() {
            r.fail("MASKER_TRUSTED_PROXIES", "a list of address ranges such as 10.0.0.0/8 is needed");
        }
        use tracing::level_filters::LevelFilter;
        let signup = r.one_of(
            "MASKER_SIGNUP",
            Signup::Invite,
            &[("invite", Signup::Invite), ("first_user", Signup::FirstUser), ("open", Signup::Open)],
        );
        if signup == Signup::FirstUser && github.as_ref().is_some_and(|g| g.allowed_logins.is_empty()) {
            r.fail("MASKER_SIGNUP", "first_user needs MASKER_GITHUB_ALLOWED_LOGINS");
        }
        let log_level = r.one_of(
            "MASKER_LOG_LEVEL",
            LevelFilter::INFO,
            &[
                ("trace", LevelFilter::TRACE),
                ("debug", LevelFilter::DEBUG),
                ("info", LevelFilter::INFO),
                ("warn", LevelFilter::WARN),
                ("error", LevelFilter::ERROR),
            ],
        );
        let log_json = r.one_of("MASKER_LOG_FORMAT", true, &[("json", true), ("pretty", false)]);
        let shutdown = Duration::from_secs(r.number("MASKER_SHUTDOWN_SECONDS", 30, 0, 3600));
        let metrics = r.address("MASKER_METRICS_ADDR");
        let webhook_allow_private = r.flag("MASKER_WEBHOOK_ALLOW_PRIVATE");
        if !r.errors.is_empty() {
            return Err(StartError::Config(r.errors));
        }
        let (Some(session_secret), Some(storage_key), Some(keys), Some(audit_keys), true) =
            (session_secret, storage_key, keys, audit_keys, key_errors.is_empty())
        else {
            return Err(StartError::Policy(key_errors));
        };
        let usual_policy = Path::new("configs/mask_policy.yaml");
        Ok(Self {
            dev,
            listen,
            metrics,
            public_url,
            database,
            vault,
            repeats_are_reused,
            wipe_buffers,
            session_secret,
            storage_key,
            report_key,
            keys,
            policy_path: r
                .text("MASKER_POLICY_PATH")
                .map(PathBuf::from)
                .or_else(|| usual_policy.is_file().then(|| usual_policy.to_owned())),
            github,
            signup,
            bootstrap_code_file: r.text("MASKER_BOOTSTRAP_CODE_FILE").map(PathBuf::from),
            upstream,
            platform,
            rates,
            retention,
            audit: AuditConfig { path: audit_path, keys: audit_keys, fsync, check, fail_open },
            trusted_proxies: trusted_proxies.unwrap_or_default(),
            webhook_allow_private,
            shutdown,
            log_level,
            log_json,
            warnings: r.warnings,
        })
    }

    /// The address to bind.
    pub fn listen(&self) -> SocketAddr {
        self.listen
    }

    /// Scheme and host under which callers reach the server.
    pub fn public_url(&self) -> &str {
        &self.public_url
    }

    /// The file with the server's metadata.
    pub fn database(&self) -> &Path {
        &self.database
    }

    /// Whether cookies may travel over plain HTTP.
    pub(crate) fn plain_cookies(&self) -> bool {
        self.dev && self.public_url.starts_with("http://") && is_local(&self.public_url)
    }
}

fn is_local(url: &str) -> bool {
    reqwest::Url::parse(url)
        .is_ok_and(|url| matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]")))
}

fn database(r: &mut Reader, data_dir: &Path) -> PathBuf {
    if r.secret("MASKER_DB_URL").is_some() && r.secret("MASKER_DATABASE_URL").is_none() {
        r.warnings.push("MASKER_DB_URL is another name of MASKER_DATABASE_URL".to_owned());
    }
    let url = r.secret("MASKER_DATABASE_URL").or_else(|| r.secret("MASKER_DB_URL"));
    let Some(url) = url else { return data_dir.join("masker.db") };
    let path = url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:"));
    match path.map(|path| path.split('?').next().unwrap_or_default()).filter(|path| !path.is_empty()) {
        Some(path) => PathBuf::from(path),
        None => {
            r.fail("MASKER_DATABASE_URL", "unsupported_database: sqlite://<path> is needed");
            PathBuf::new()
        }
    }
}

fn vault(r: &mut Reader, data_dir: &Path) -> VaultPlace {
    let path = r.text("MASKER_VAULT_PATH").map(PathBuf::from);
    if let Some(url) = r.secret("MASKER_VAULT_URL") {
        if path.is_some() {
            r.fail("MASKER_VAULT_URL", "set beside MASKER_VAULT_PATH; a vault is in one place");
        } else if !(url.starts_with("postgres://") || url.starts_with("postgresql://")) {
            r.fail("MASKER_VAULT_URL", "postgres://<user>@<host>/<database> is needed");
        } else {
            #[cfg(feature = "postgres")]
            return VaultPlace::Postgres(SecretString::new(url));
            #[cfg(not(feature = "postgres"))]
            r.fail(
                "MASKER_VAULT_URL",
                "this build keeps its vault in a file; build it with the feature postgres",
            );
        }
    }
    VaultPlace::File(path.unwrap_or_else(|| data_dir.join("vault.db")))
}

fn github(r: &mut Reader) -> Option<GithubConfig> {
    let id = r.secret("MASKER_GITHUB_CLIENT_ID").or_else(|| r.secret("GITHUB_CLIENT_ID"));
    let secret = r.secret("MASKER_GITHUB_CLIENT_SECRET").or_else(|| r.secret("GITHUB_CLIENT_SECRET"));
    let authorize_url = r.url("MASKER_GITHUB_AUTHORIZE_URL", "https://github.com/login/oauth/authorize");
    let token_url = r.url("MASKER_GITHUB_TOKEN_URL", "https://github.com/login/oauth/access_token");
    let api_url = r.url("MASKER_GITHUB_API_URL", "https://api.github.com");
    let scopes = r.text("MASKER_GITHUB_SCOPES").unwrap_or("read:user").to_owned();
    let allowed_logins = r.list("MASKER_GITHUB_ALLOWED_LOGINS");
    match (id, secret) {
        (Some(client_id), Some(secret)) => Some(GithubConfig {
            client_id,
            client_secret: SecretString::new(secret),
            scopes,
            authorize_url,
            token_url,
            api_url,
            allowed_logins,
        }),
        (None, None) => None,
        _ => {
            r.fail("MASKER_GITHUB_CLIENT_ID", "client id and secret are needed together");
            None
        }
    }
}

fn rates(r: &mut Reader) -> RateConfig {
    let by_token = r.one_of("MASKER_RATE_LIMIT_KEY", false, &[("account", false), ("token", true)]);
    let hosted = (Rate { per_second: 30.0, burst: 60.0 }, Rate { per_second: 100.0, burst: 200.0 });
    let text = r.text("MASKER_RATE_LIMIT").unwrap_or("off").to_owned();
    match text.as_str() {
        "off" => return RateConfig { by_token, ..RateConfig::default() },
        "hosted" => return RateConfig { api: Some(hosted.0), proxy: Some(hosted.1), by_token },
        _ => {}
    }
    let mut rates = RateConfig { by_token, ..RateConfig::default() };
    for part in text.split(',') {
        let rate = part.split_once('=').and_then(|(group, rate)| {
            let (per_second, burst) = rate.split_once(':')?;
            let number = |text: &str| text.parse::<u32>().ok().filter(|n| *n > 0).map(f64::from);
            Some((group, Rate { per_second: number(per_second)?, burst: number(burst)? }))
        });
        match rate {
            Some(("api", rate)) => rates.api = Some(rate),
            Some(("proxy", rate)) => rates.proxy = Some(rate),
            _ => {
                r.fail("MASKER_RATE_LIMIT", "off, hosted, or api=30:60,proxy=100:200 is needed");
                break;
            }
        }
    }
    rates
}

fn fsync(r: &mut Reader) -> Fsync {
    let usual = Fsync::Within(Duration::from_millis(100));
    match r.text("MASKER_AUDIT_FSYNC") {
        None => usual,
        Some("always") => Fsync::Always,
        Some("never") => Fsync::Never,
        Some(text) => {
            let number = |unit: &str| text.strip_suffix(unit).and_then(|n| n.parse::<u64>().ok());
            match number("ms").map(Duration::from_millis).or_else(|| number("s").map(Duration::from_secs)) {
                Some(delay) => Fsync::Within(delay),
                None => {
                    r.fail("MASKER_AUDIT_FSYNC", "always, never, or a delay such as 100ms is needed");
                    usual
                }
            }
        }
    }
}

/// Fills in the secrets that a development server lacks, from its file or anew.
fn make_up_secrets(r: &mut Reader, data_dir: &Path) -> std::io::Result<()> {
    const NAMES: [&str; 5] = [
        "MASKER_SESSION_SECRET",
        "MASKER_AUDIT_HMAC_KEY",
        "MASKER_AEAD_KEY",
        "MASKER_REPORT_SIGNING_KEY",
        "MASKER_KEY_K_HEALTHCARE",
    ];
    make_folder(data_dir)?;
    let path = data_dir.join(DEV_FILE);
    let mut kept = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error),
    };
    let mut grew = false;
    for name in NAMES {
        if r.text(name).is_some() || r.text(&format!("{name}_FILE")).is_some() {
            continue;
        }
        let old = kept.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).map(str::to_owned);
        let value = match old {
            Some(value) => value,
            None => {
                let mut bytes = Zeroizing::new([0; 32]);
                getrandom::fill(&mut *bytes).map_err(|_| std::io::ErrorKind::Other)?;
                let value = BASE64.encode(&*bytes);
                kept.push_str(&format!("{name}={value}\n"));
                grew = true;
                value
            }
        };
        r.vars.insert(name.to_owned(), value);
    }
    if grew {
        // Beside its place and renamed: a kill leaves the old file or the new one.
        let new = data_dir.join("dev.env.new");
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&new)?;
        std::io::Write::write_all(&mut file, kept.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&new, &path)?;
    }
    Ok(())
}

/// Makes a folder for its owner alone, where there is none.
pub(crate) fn make_folder(path: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    #[test]
    fn a_long_audit_log_is_checked_from_its_end_unless_told_otherwise() {
        let folder = tempfile::tempdir().unwrap();
        let log = std::fs::File::create(folder.path().join("audit.log")).unwrap();
        let folder = folder.path().to_str().unwrap();
        let check = |more: &[(&str, &str)]| {
            let mut vars = production(&[("MASKER_DATA_DIR", folder)]);
            vars.extend_from_slice(more);
            read(&vars).unwrap().audit.check
        };
        log.set_len(LONGEST_CHECKED_WHOLE).unwrap();
        assert!(matches!(check(&[]), OpenCheck::Full));
        log.set_len(LONGEST_CHECKED_WHOLE + 1).unwrap();
        assert!(matches!(check(&[]), OpenCheck::Tail));
        assert!(matches!(check(&[("MASKER_AUDIT_VERIFY_ON_BOOT", "full")]), OpenCheck::Full));
    }

    #[test]
    fn the_page_of_settings_has_every_name_and_says_which_may_be_files() {
        let page = include_str!("../../docs/settings.md");
        for name in PLAIN.iter().chain(&SECRETS) {
            assert!(page.contains(&format!("`{name}`")), "{name} is not on the page");
        }
        let rows = page.lines().filter_map(|line| {
            let mut cells = line.strip_prefix("| `")?.split('|').map(str::trim);
            Some((cells.next()?.trim_end_matches('`'), cells.next()? == "✓"))
        });
        for (name, is_file) in rows.filter(|(name, _)| *name != "MASKER_KEY_<KID>") {
            assert!(PLAIN.contains(&name) || SECRETS.contains(&name), "nobody reads {name}");
            assert_eq!(is_file, SECRETS.contains(&name), "{name}");
        }
    }

    fn read(vars: &[(&str, &str)]) -> Result<Config, StartError> {
        Config::from_vars(vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    fn production<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        let mut vars = vec![
            ("MASKER_PUBLIC_URL", "https://masker.example.com/"),
            ("MASKER_SESSION_SECRET", KEY),
            ("MASKER_AUDIT_HMAC_KEY", KEY),
            ("MASKER_AEAD_KEY", KEY),
            ("MASKER_KEY_K_HEALTHCARE", KEY),
        ];
        vars.extend_from_slice(more);
        vars
    }

    #[test]
    fn a_production_server_says_everything_it_lacks() {
        let Err(StartError::Config(errors)) = read(&[("MASKER_SIGNUP", "nobody")]) else { panic!("refused") };
        assert_eq!(errors.len(), 2, "{errors:?}");
        let Err(StartError::Policy(errors)) = read(&[("MASKER_PUBLIC_URL", "https://masker.example.com")])
        else {
            panic!("refused")
        };
        assert_eq!(errors.len(), 3, "{errors:?}");
        let config = read(&production(&[])).unwrap();
        assert_eq!(config.public_url, "https://masker.example.com");
        assert!(!config.plain_cookies());
    }

    #[test]
    fn values_are_checked_and_never_shown() {
        for (name, value) in [
            ("MASKER_AEAD_KEY", "cGVybWFuZW50"),
            ("MASKER_UPSTREAM_TIMEOUT_MS", "5"),
            ("MASKER_LISTEN_ADDR", "permanent"),
            ("MASKER_RATE_LIMIT", "api=permanent"),
            ("MASKER_AUDIT_FSYNC", "permanent"),
            ("MASKER_DATABASE_URL", "postgres://permanent"),
            ("MASKER_VAULT_URL", "mysql://permanent"),
            ("MASKER_TRUSTED_PROXIES", "permanent"),
            ("MASKER_DEV", "permanent"),
        ] {
            let mut vars = production(&[]);
            vars.retain(|(other, _)| *other != name);
            vars.push((name, value));
            let error = read(&vars).unwrap_err().to_string();
            assert!(
                error.contains(name) && !error.contains("permanent") && !error.contains(value),
                "{error}"
            );
        }
    }

    #[test]
    fn no_value_is_in_an_error_or_a_warning_and_no_secret_in_what_is_printed() {
        const VALUE: &str = "quixworth-4155550187";
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().to_str().unwrap();
        let names = PLAIN.iter().chain(&SECRETS).chain(&["MASKER_KEY_K_HEALTHCARE"]);
        for name in names.filter(|name| **name != "MASKER_DATA_DIR") {
            let mut vars = production(&[
                ("MASKER_DATA_DIR", data),
                ("MASKER_GITHUB_CLIENT_ID", "a"),
                ("MASKER_GITHUB_CLIENT_SECRET", "b"),
            ]);
            vars.retain(|(other, _)| other != name);
            vars.push((name, VALUE));
            let said = match read(&vars) {
                Ok(config) if PLAIN.contains(name) || name.ends_with("CLIENT_ID") => {
                    config.warnings.join("\n")
                }
                Ok(config) => format!("{config:?}\n{}", config.warnings.join("\n")),
                Err(error) => format!("{error}\n{error:?}"),
            };
            assert!(!said.contains("quixworth") && !said.contains("0187"), "{name}: {said}");
        }
    }

    #[test]
    fn a_vault_is_in_one_place() {
        let url = ("MASKER_VAULT_URL", "postgres://masker@db.example.com/masker");
        let both = read(&production(&[url, ("MASKER_VAULT_PATH", "vault.db")])).unwrap_err().to_string();
        assert!(both.contains("MASKER_VAULT_PATH") && !both.contains("db.example.com"), "{both}");
        let alone = read(&production(&[url]));
        #[cfg(feature = "postgres")]
        assert!(matches!(alone.unwrap().vault, VaultPlace::Postgres(_)));
        #[cfg(not(feature = "postgres"))]
        assert!(alone.unwrap_err().to_string().contains("the feature postgres"));
    }

    #[test]
    fn secrets_come_from_files_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, format!("{KEY}\n")).unwrap();
        let mut vars = production(&[("MASKER_AEAD_KEY_FILE", path.to_str().unwrap())]);
        assert!(matches!(read(&vars), Err(StartError::Policy(_) | StartError::Config(_))), "both are set");
        vars.retain(|(name, _)| *name != "MASKER_AEAD_KEY");
        assert_eq!(read(&vars).unwrap().storage_key.expose()[31], 31);
    }

    #[test]
    fn a_development_server_keeps_what_it_made_up() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let vars = [("MASKER_DEV", "1"), ("MASKER_DATA_DIR", data.to_str().unwrap())];
        let first = read(&vars).unwrap();
        let again = read(&vars).unwrap();
        assert_eq!(first.storage_key.expose(), again.storage_key.expose());
        assert!(first.plain_cookies());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!((mode(&data), mode(&data.join(DEV_FILE))), (0o700, 0o600));
        }
        let public = [vars[0], vars[1], ("MASKER_PUBLIC_URL", "https://masker.example.com")];
        assert!(matches!(read(&public), Err(StartError::Config(_))));
    }

    #[test]
    fn unknown_names_are_warned_of() {
        let config =
            read(&production(&[("MASKER_LISTEN_ADR", "x"), ("MASKER_VAULT_KEY_FILE", "x")])).unwrap();
        assert!(config.warnings.iter().any(|w| w.contains("did you mean MASKER_LISTEN_ADDR?")));
        assert!(config.warnings.iter().any(|w| w.contains("MASKER_KEY_<KID>_FILE")));
    }

    #[test]
    fn address_ranges_hold_what_they_say() {
        let range = Cidr::parse("10.1.0.0/16").unwrap();
        assert!(
            range.contains("10.1.2.3".parse().unwrap()) && range.contains("::ffff:10.1.2.3".parse().unwrap())
        );
        assert!(!range.contains("10.2.2.3".parse().unwrap()) && !range.contains("::1".parse().unwrap()));
        assert!(Cidr::parse("::/0").unwrap().contains("::1".parse().unwrap()));
        assert!(Cidr::parse("10.0.0.0/33").is_none());
    }
}
