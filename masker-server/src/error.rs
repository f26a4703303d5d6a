//! The one envelope of all errors: `{"error": {"type", "code", "message", "request_id", …}}`.

use axum::http::{HeaderName, HeaderValue};
use masker_core::{PolicyErrorCode, PolicyErrors};
use serde::Serialize;
use serde_json::{Map, Value, json};

macro_rules! codes {
    ($($variant:ident = $status:literal $name:literal,)*) => {
        /// What went wrong, for programs. A code never changes its meaning.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub(crate) enum Code {
            $($variant,)*
        }

        impl Code {
            /// Every code.
            #[cfg(test)]
            pub(crate) const ALL: &[Self] = &[$(Self::$variant,)*];

            pub(crate) fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            pub(crate) fn status(self) -> u16 {
                match self {
                    $(Self::$variant => $status,)*
                }
            }
        }
    };
}

codes! {
    AgentArchived = 403 "agent_archived",
    AgentEnded = 403 "agent_ended",
    AgentHasActiveCalls = 409 "agent_has_active_calls",
    AgentLimitReached = 409 "agent_limit_reached",
    AgentNotFound = 404 "agent_not_found",
    AgentPaused = 403 "agent_paused",
    AlreadyBootstrapped = 409 "already_bootstrapped",
    AuditUnavailable = 503 "audit_unavailable",
    AuthMethodUnavailable = 404 "auth_method_unavailable",
    BadSignature = 401 "bad_signature",
    DeletionNotFound = 404 "deletion_not_found",
    DetectionUnavailable = 503 "detection_unavailable",
    EventNotFound = 404 "event_not_found",
    ExternalCleanupFailed = 502 "external_cleanup_failed",
    Forbidden = 403 "forbidden",
    IdempotencyInProgress = 409 "idempotency_in_progress",
    IdempotencyKeyReused = 422 "idempotency_key_reused",
    InternalError = 500 "internal_error",
    InvalidLoginCode = 401 "invalid_login_code",
    InvalidState = 400 "invalid_state",
    InvalidStatus = 400 "invalid_status",
    InvalidTransition = 409 "invalid_transition",
    InvitationNotFound = 404 "invitation_not_found",
    LastOwner = 409 "last_owner",
    MemberNotFound = 404 "member_not_found",
    MethodNotAllowed = 405 "method_not_allowed",
    ModelNotAllowed = 422 "model_not_allowed",
    NameTaken = 409 "name_taken",
    NotDeleted = 409 "not_deleted",
    NotFound = 404 "not_found",
    OauthDenied = 400 "oauth_denied",
    OauthExchangeFailed = 502 "oauth_exchange_failed",
    PayloadTooLarge = 413 "payload_too_large",
    PhoneNumberTaken = 409 "phone_number_taken",
    PolicyFileMissing = 404 "policy_file_missing",
    PolicyInUse = 409 "policy_in_use",
    PolicyNotFound = 404 "policy_not_found",
    PolicyReadOnly = 409 "policy_read_only",
    PolicyYamlInvalid = 422 "policy_yaml_invalid",
    PreconditionFailed = 412 "precondition_failed",
    RateLimited = 429 "rate_limited",
    ReportGenerationFailed = 500 "report_generation_failed",
    SessionNotActive = 409 "session_not_active",
    SessionNotFound = 404 "session_not_found",
    SessionTerminated = 410 "session_terminated",
    ShuttingDown = 503 "shutting_down",
    SignupClosed = 403 "signup_closed",
    TeamInUse = 409 "team_in_use",
    TeamNotFound = 404 "team_not_found",
    TokenNotFound = 404 "token_not_found",
    Unauthenticated = 401 "unauthenticated",
    UnknownPolicy = 422 "unknown_policy",
    UnknownUpstream = 422 "unknown_upstream",
    UnmaskableContent = 422 "unmaskable_content",
    UnsupportedEvent = 422 "unsupported_event",
    UnsupportedMediaType = 415 "unsupported_media_type",
    UpstreamError = 502 "upstream_error",
    UpstreamTimeout = 504 "upstream_timeout",
    UserUpsertFailed = 500 "user_upsert_failed",
    ValidationFailed = 422 "validation_failed",
    VerifyInProgress = 409 "verify_in_progress",
    WebhookNotFound = 404 "webhook_not_found",
}

/// The class of an error, from its status.
pub(crate) fn error_type(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found",
        409 => "conflict",
        429 => "rate_limit_error",
        502 | 504 => "upstream_error",
        500.. => "server_error",
        _ => "invalid_request_error",
    }
}

/// What is wrong with one field.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct Detail {
    pub(crate) field: String,
    pub(crate) issue: &'static str,
    pub(crate) message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) min: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max: Option<i64>,
}

impl Detail {
    pub(crate) fn new(field: impl Into<String>, issue: &'static str, message: impl Into<String>) -> Self {
        Self { field: field.into(), issue, message: message.into(), min: None, max: None }
    }

    pub(crate) fn range(field: impl Into<String>, min: i64, max: i64) -> Self {
        let message = format!("A whole number from {min} to {max} is needed.");
        Self { min: Some(min), max: Some(max), ..Self::new(field, "out_of_range", message) }
    }
}

/// Why a request was not done. It holds no text of a payload, a policy's words or an original.
#[derive(Debug)]
pub(crate) struct ApiError(Box<Inner>);

#[derive(Debug)]
struct Inner {
    code: Code,
    message: String,
    members: Map<String, Value>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

pub(crate) type Result<T, E = ApiError> = std::result::Result<T, E>;

impl ApiError {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { code, message: message.into(), members: Map::new(), headers: Vec::new() }))
    }

    /// A request whose query or body is wrong.
    pub(crate) fn invalid(details: Vec<Detail>) -> Self {
        let message = match details.as_slice() {
            [one] if one.field.is_empty() => one.message.clone(),
            [one] => format!("{} is not valid: {}", one.field, one.message),
            many => format!("{} fields are not valid.", many.len()),
        };
        Self::new(Code::ValidationFailed, message).with("details", json!(details))
    }

    pub(crate) fn field(field: &str, issue: &'static str, message: &str) -> Self {
        Self::invalid(vec![Detail::new(field, issue, message)])
    }

    /// A good credential that may not do this.
    pub(crate) fn forbidden(reason: &'static str, required: &str) -> Self {
        let message = match reason {
            "role" => format!("This needs the role {required}."),
            "scope" => format!("This needs the scope {required}."),
            "team" => "This agent belongs to a team you are not in.".to_owned(),
            "csrf" => "The request comes from another site.".to_owned(),
            _ => "This needs an instance administrator.".to_owned(),
        };
        let error = Self::new(Code::Forbidden, message).with("reason", reason);
        if required.is_empty() { error } else { error.with("required", required) }
    }

    pub(crate) fn agent_not_found(id: Option<&str>) -> Self {
        let error = Self::new(Code::AgentNotFound, "No agent with this id is visible to you.");
        match id {
            Some(id) => error.with("agent_id", id),
            None => error,
        }
    }

    pub(crate) fn session_not_found() -> Self {
        Self::new(Code::SessionNotFound, "No session with this id is visible to you.")
    }

    pub(crate) fn policy_invalid(errors: &PolicyErrors) -> Self {
        let details: Vec<Value> = errors
            .iter()
            .map(|e| {
                json!({ "code": e.code, "path": e.path, "line": e.line, "column": e.column, "message": e.message })
            })
            .collect();
        Self::new(Code::PolicyYamlInvalid, "The policy is not valid; details lists every mistake.")
            .with("details", details)
    }

    /// Two policy files have one name.
    pub(crate) fn policy_named_twice(name: &str) -> Self {
        let code = PolicyErrorCode::DuplicateName;
        let message = format!("Two files have a policy named {name}.");
        let detail = json!({ "code": code, "path": "name", "line": 1, "column": 1, "message": message });
        Self::new(Code::PolicyYamlInvalid, message).with("details", json!([detail]))
    }

    /// A fault of ours; what it was goes to the log, not to the caller.
    pub(crate) fn internal(what: &dyn std::fmt::Display) -> Self {
        tracing::error!(reason = %what, "internal error");
        Self::new(Code::InternalError, "Something went wrong on our side; the request id helps to find it.")
    }

    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.members.insert(name.to_owned(), value.into());
        self
    }

    pub(crate) fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.0.headers.push((name, value));
        }
        self
    }

    pub(crate) fn code(&self) -> Code {
        self.0.code
    }

    pub(crate) fn message(&self) -> &str {
        &self.0.message
    }

    pub(crate) fn headers(&self) -> &[(HeaderName, HeaderValue)] {
        &self.0.headers
    }

    /// The members that results of bulk calls repeat: the code and what was promoted.
    pub(crate) fn summary(&self) -> Value {
        let mut error = Map::new();
        error.insert("code".to_owned(), self.0.code.as_str().into());
        for (name, value) in &self.0.members {
            error.insert(name.clone(), value.clone());
        }
        Value::Object(error)
    }

    /// The envelope; on proxy paths with the member `param` that clients of OpenAI expect.
    pub(crate) fn body(&self, request_id: &str, for_openai: bool) -> Value {
        let mut error = Map::new();
        error.insert("type".to_owned(), error_type(self.0.code.status()).into());
        error.insert("code".to_owned(), self.0.code.as_str().into());
        error.insert("message".to_owned(), self.0.message.clone().into());
        error.insert("request_id".to_owned(), request_id.into());
        if for_openai && !self.0.members.contains_key("param") {
            error.insert("param".to_owned(), Value::Null);
        }
        for (name, value) in &self.0.members {
            error.insert(name.clone(), value.clone());
        }
        json!({ "error": error })
    }
}

impl From<crate::store::StoreError> for ApiError {
    fn from(error: crate::store::StoreError) -> Self {
        Self::internal(&error)
    }
}

/// The one place where errors of the core become answers.
impl From<masker_core::Error> for ApiError {
    fn from(error: masker_core::Error) -> Self {
        use masker_core::ErrorKind;
        match &error {
            masker_core::Error::Unmaskable { .. } => {
                return Self::new(Code::UnmaskableContent, sentence(&error));
            }
            masker_core::Error::Policy(errors) => return Self::policy_invalid(errors),
            _ => {}
        }
        match error.kind() {
            ErrorKind::Payload => Self::field("", "bad_value", &sentence(&error)),
            ErrorKind::Limit => Self::new(Code::PayloadTooLarge, sentence(&error)),
            // What masking could not do is never sent on.
            ErrorKind::Blocked | ErrorKind::Recognizer => {
                Self::new(Code::DetectionUnavailable, sentence(&error)).with("reason", error.code())
            }
            _ => {
                tracing::error!(reason = %error, "masking failed");
                Self::new(Code::DetectionUnavailable, "Masking is not possible now; nothing was sent on.")
                    .with("reason", error.code())
            }
        }
    }
}

fn sentence(error: &dyn std::fmt::Display) -> String {
    let text = error.to_string();
    let mut letters = text.chars();
    let first: String = letters.next().map(|c| c.to_uppercase().collect()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_distinct_and_have_a_class() {
        for (i, code) in Code::ALL.iter().enumerate() {
            assert!(Code::ALL[i + 1..].iter().all(|other| other.as_str() != code.as_str()));
            assert!((400..600).contains(&code.status()));
        }
        assert_eq!(error_type(410), "invalid_request_error");
        assert_eq!(error_type(504), "upstream_error");
        assert_eq!(error_type(503), "server_error");
    }

    #[test]
    fn the_envelope_promotes_members() {
        let error = ApiError::new(Code::AgentHasActiveCalls, "Busy.").with("active_calls", 2);
        let body = error.body("req_1", true);
        assert_eq!(body["error"]["type"], "conflict");
        assert_eq!(body["error"]["active_calls"], 2);
        assert_eq!(body["error"]["param"], Value::Null);
    }
}
