//! What is wrong with a policy, and what is merely worth knowing.

use std::fmt;

use serde::{Serialize, Serializer};

macro_rules! codes {
    (
        $(#[$meta:meta])*
        $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $text:literal,)+ }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$variant_meta])* $variant,)+
        }

        impl $name {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The stable name.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
    };
}

codes! {
    /// Why a policy is refused. A code never changes its meaning.
    PolicyErrorCode {
        /// Both or neither of a pair of which exactly one belongs there, or a `keep` that does not fit its kind.
        ConflictingFields = "conflicting_fields",
        /// Two spellings of one kind.
        DuplicateEntity = "duplicate_entity",
        /// A key of a mapping twice.
        DuplicateKey = "duplicate_key",
        /// Two recognisers, dictionaries or policies with one name.
        DuplicateName = "duplicate_name",
        /// A pass twice, counting its other names.
        DuplicatePass = "duplicate_pass",
        /// No kind is listed.
        EmptyEntities = "empty_entities",
        /// No pass is listed.
        EmptyPasses = "empty_passes",
        /// A dictionary file outside the policy's folder, or in a policy that has no folder.
        FileNotAllowed = "file_not_allowed",
        /// A file cannot be read.
        FileUnreadable = "file_unreadable",
        /// The key of a kid is not base64 of exactly 32 bytes.
        InvalidKey = "invalid_key",
        /// Not the name of a pass.
        InvalidPass = "invalid_pass",
        /// A pattern does not compile, or is too large.
        InvalidRegex = "invalid_regex",
        /// Not one of the accepted values, or a badly formed name.
        InvalidValue = "invalid_value",
        /// A kind is referred to and not listed under `entities`.
        MissingEntity = "missing_entity",
        /// A required field is absent.
        MissingField = "missing_field",
        /// A number outside its range.
        OutOfRange = "out_of_range",
        /// A listed pass is not there, and `strict_passes` is on.
        PassUnavailable = "pass_unavailable",
        /// The file is over 256 KiB, or a list over its limit.
        TooLarge = "too_large",
        /// A field masker does not know.
        UnknownField = "unknown_field",
        /// A kid without a key.
        UnknownKid = "unknown_kid",
        /// A schema version other than 1.
        UnsupportedVersion = "unsupported_version",
        /// A value of another type than the field's.
        WrongType = "wrong_type",
        /// Not one YAML document.
        YamlSyntax = "yaml_syntax",
    }
}

codes! {
    /// What a [`PolicyNotice`] is about.
    PolicyNoticeCode {
        /// Warning: the key `agents` is ignored.
        AgentsBlockIgnored = "agents_block_ignored",
        /// Warning: a kind is on, and no listed pass can find it.
        EntityNeverFound = "entity_never_found",
        /// Warning: no event is written per finding.
        EventsDisabled = "events_disabled",
        /// Warning: synthetic values are drawn from a fixed seed.
        FixedSeed = "fixed_seed",
        /// Warning: a kind is written in another than its canonical spelling.
        KindAlias = "kind_alias",
        /// Note: a listed pass is not there, and others stand in for it if they may.
        PassUnavailable = "pass_unavailable",
        /// Warning: a kind is found and left in clear.
        PassthroughInUse = "passthrough_in_use",
        /// Warning: payloads are to be kept, for no time at all.
        PayloadRetentionZero = "payload_retention_zero",
        /// Warning: events are kept for less than six years.
        RetentionBelowSixYears = "retention_below_six_years",
    }
}

/// One mistake in a policy. It never holds a dictionary or allow-list word.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PolicyError {
    /// What kind of mistake.
    pub code: PolicyErrorCode,
    /// The field: `entities.PHONE.action`, `passes[1]`; empty for the file as a whole.
    pub path: String,
    /// Line in the file, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// One sentence for people, lower case, without position.
    pub message: String,
    /// What was probably meant, where a known name is within two edits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: ", self.line, self.column)?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        write!(f, "{} ({})", self.message, self.code)
    }
}

impl std::error::Error for PolicyError {}

/// Something about a policy that does not stop it from loading.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PolicyNotice {
    /// What it is about.
    pub code: PolicyNoticeCode,
    /// The field: `entities.PHONE.action`.
    pub path: String,
    /// Line in the file, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// One sentence for people, lower case, without position.
    pub message: String,
}

impl PolicyNotice {
    /// Whether this is a note rather than a warning.
    pub fn is_note(&self) -> bool {
        self.code == PolicyNoticeCode::PassUnavailable
    }
}

impl fmt::Display for PolicyNotice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: ", self.line, self.column)?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        write!(f, "{} ({})", self.message, self.code)
    }
}

/// Every mistake in a policy, at most 100, sorted by line. Never empty.
///
/// ```
/// use masker_core::{Policy, PolicyErrorCode};
///
/// let errors = Policy::from_yaml("name: clinic\nversion: 2\n").unwrap_err();
/// let codes: Vec<_> = errors.iter().map(|e| e.code).collect();
/// assert!(codes.contains(&PolicyErrorCode::UnsupportedVersion));
/// assert!(codes.contains(&PolicyErrorCode::MissingField));
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PolicyErrors {
    errors: Vec<PolicyError>,
    notices: Vec<PolicyNotice>,
    omitted: usize,
}

impl PolicyErrors {
    /// At most this many mistakes are reported.
    pub const LIMIT: usize = 100;

    pub(super) fn new(mut errors: Vec<PolicyError>, notices: Vec<PolicyNotice>) -> Self {
        debug_assert!(!errors.is_empty(), "made only where there is a mistake");
        let key = |e: &PolicyError| (e.line, e.column, e.code, e.message.clone());
        errors.sort_by_cached_key(key);
        // A mistake inside an anchored node would come again with each of its aliases.
        errors.dedup_by(|a, b| {
            (a.line, a.column, a.code, &a.message) == (b.line, b.column, b.code, &b.message)
        });
        let omitted = errors.len().saturating_sub(Self::LIMIT);
        errors.truncate(Self::LIMIT);
        Self { errors, notices, omitted }
    }

    pub(super) fn one(
        code: PolicyErrorCode,
        (line, column): (usize, usize),
        path: &str,
        message: impl Into<String>,
    ) -> Self {
        let (path, message) = (path.to_owned(), message.into());
        Self::new(vec![PolicyError { code, path, line, column, message, suggestion: None }], Vec::new())
    }

    /// The mistakes.
    pub fn iter(&self) -> std::slice::Iter<'_, PolicyError> {
        self.errors.iter()
    }

    /// How many mistakes are reported.
    #[expect(clippy::len_without_is_empty, reason = "there is always one")]
    pub fn len(&self) -> usize {
        self.errors.len()
    }

    /// How many more there are than are reported.
    pub fn omitted(&self) -> usize {
        self.omitted
    }

    /// The first mistake.
    #[expect(clippy::missing_panics_doc, reason = "the list is never empty")]
    pub fn first(&self) -> &PolicyError {
        self.errors.first().expect("the list is never empty")
    }

    /// The warnings and notes found along the way.
    pub fn notices(&self) -> &[PolicyNotice] {
        &self.notices
    }
}

impl fmt::Display for PolicyErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.errors.len() + self.omitted {
            1 => write!(f, "invalid policy: {}", self.first()),
            n => write!(f, "invalid policy, {n} mistakes; first, {}", self.first()),
        }
    }
}

impl std::error::Error for PolicyErrors {}

impl Serialize for PolicyErrors {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.errors.serialize(serializer)
    }
}

impl<'a> IntoIterator for &'a PolicyErrors {
    type Item = &'a PolicyError;
    type IntoIter = std::slice::Iter<'a, PolicyError>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl IntoIterator for PolicyErrors {
    type Item = PolicyError;
    type IntoIter = std::vec::IntoIter<PolicyError>;

    fn into_iter(self) -> Self::IntoIter {
        self.errors.into_iter()
    }
}
