//! The routes, in one list; what each does is in the file of its resource.

mod account;
mod agents;
mod audit;
mod auth;
mod deletions;
mod github;
mod health;
mod members;
mod pages;
mod policies;
mod proxy;
mod reports;
mod sessions;
pub(crate) mod text;
mod tokens;
mod webhooks;

use std::sync::LazyLock;

use axum::http::Method;

use crate::auth::Scope as S;
use crate::error::Code as C;
use crate::openapi::{Doc, Param, param};
use crate::router::{Access, Group, Route, Run};
use crate::store::model::Role;

const EMPTY: Doc =
    Doc { tag: "", summary: "", query: Vec::new(), body: "", answers: &[(200, "done")], errors: &[] };

impl Route {
    fn new(method: Method, path: &'static str, access: Access, group: Group, run: Run) -> Self {
        Self { method, path, access, group, run, doc: EMPTY }
    }

    fn about(mut self, tag: &'static str, summary: &'static str) -> Self {
        self.doc.tag = tag;
        self.doc.summary = summary;
        self
    }

    fn query(mut self, query: &[Param]) -> Self {
        self.doc.query = query.to_vec();
        self
    }

    fn body(mut self, schema: &'static str) -> Self {
        self.doc.body = schema;
        self
    }

    fn answers(mut self, answers: &'static [(u16, &'static str)]) -> Self {
        self.doc.answers = answers;
        self
    }

    fn errors(mut self, errors: &'static [C]) -> Self {
        self.doc.errors = errors;
        self
    }
}

fn api(
    method: Method,
    path: &'static str,
    scope: S,
    role: Role,
    run: fn(&crate::http::Context) -> crate::error::Result<crate::http::Reply>,
) -> Route {
    Route::new(method, path, Access::Scope(scope, role), Group::Api, Run::Blocking(run))
}

const TEXT: &str = r#"{"type":"string"}"#;
const INTEGER: &str = r#"{"type":"integer","minimum":0}"#;
const LIMIT: Param =
    param("limit", r#"{"type":"integer","minimum":1,"maximum":100,"default":25}"#, "Rows of a page.");
const CURSOR: Param = param("cursor", TEXT, "The place where the page begins, from the page before.");
const SINCE: Param = param("since", TEXT, "A duration such as 24h, a timestamp, a day, or all.");
const UNTIL: Param = param("until", TEXT, "As since; now if left out.");
const SESSION_QUERY: &[Param] = &[
    LIMIT,
    CURSOR,
    SINCE,
    UNTIL,
    param("status", TEXT, "ok, partial, error or in_progress; several with commas."),
    param("min_redactions", INTEGER, "The fewest redactions."),
    param("kind", TEXT, "Only sessions with a redaction of this kind."),
    param("external_id", TEXT, "Only the session with this key."),
];
const AGENT_OF_SESSIONS: Param = param("agent_id", TEXT, "Only sessions of this agent, deleted or not.");
const DELETE_QUERY: &[Param] = &[
    param("profile", r#"{"enum":["masker","ayra","kakiyo"]}"#, "Fills in the parameters below."),
    param("mode", r#"{"enum":["hard","soft","purge"]}"#, "What is removed."),
    param("on_active", r#"{"enum":["drain","reject","terminate"]}"#, "What happens to active calls."),
    param("require_status", TEXT, "Refuse unless the agent is in one of these states."),
    param(
        "cleanup",
        r#"{"enum":["best_effort","require","skip"]}"#,
        "Whether resources outside are cleaned.",
    ),
    param("response", r#"{"enum":["empty","message"]}"#, "204, or 200 with a body."),
    param("dry_run", r#"{"type":"boolean"}"#, "Tell what would happen."),
];
const AGENT_BODY: &str = r#"{"type":"object","additionalProperties":false,"properties":{
    "name":{"type":"string","minLength":1,"maxLength":64},"upstream":{"type":"string"},
    "allowed_models":{"type":"array","items":{"type":"string"}},
    "tokenization":{"enum":["vault-deterministic","reversible-aead","synthetic",null]},
    "policy_name":{"type":["string","null"]},"policy_yaml":{"type":["string","null"]},
    "status":{"enum":["active","paused","archived","ended"]},"proxy_auth":{"enum":["url","hmac","bearer",null]},
    "rehydrate_scope":{"enum":["session","agent",null]},"pin_session_in_url":{"type":["boolean","null"]},
    "forward_unknown_fields":{"type":["boolean","null"]},
    "platform":{"enum":["vapi","retell","bolna","twilio","elevenlabs","custom",null]},
    "phone_numbers":{"type":["array","null"],"items":{"type":"string"}},"assistant":{"type":["object","null"]},
    "assistant_callback_url":{"type":["string","null"]},"webhook_auth":{"type":["object","null"]},
    "baa_chain":{"type":["array","null"],"items":{"type":"object"}},
    "external_resources":{"type":["array","null"],"items":{"type":"object"}},"team_id":{"type":["string","null"]},
    "metadata":{"type":["object","null"],"additionalProperties":{"type":"string"}},
    "webhook_secret":{"type":["string","null"]},"upstream_api_key":{"type":["string","null"]},
    "vapi_api_key":{"type":["string","null"]},"proxy_key":{"type":["string","null"]}}}"#;
const NEW_AGENT: &[C] = &[
    C::NameTaken,
    C::AgentLimitReached,
    C::PhoneNumberTaken,
    C::UnknownUpstream,
    C::UnknownPolicy,
    C::PolicyYamlInvalid,
    C::TeamNotFound,
    C::AuditUnavailable,
    C::IdempotencyInProgress,
    C::IdempotencyKeyReused,
];
const CHANGED_AGENT: &[C] = &[
    C::AgentNotFound,
    C::NameTaken,
    C::AgentLimitReached,
    C::PhoneNumberTaken,
    C::UnknownUpstream,
    C::UnknownPolicy,
    C::PolicyYamlInvalid,
    C::TeamNotFound,
    C::InvalidTransition,
    C::PreconditionFailed,
    C::AuditUnavailable,
];
const PAUSE: &[C] = &[
    C::AgentNotFound,
    C::InvalidTransition,
    C::AuditUnavailable,
    C::IdempotencyInProgress,
    C::IdempotencyKeyReused,
];
const RESUME: &[C] = PAUSE;
const ARCHIVE: &[C] = PAUSE;
const ACTIVATE: &[C] = &[
    C::AgentNotFound,
    C::InvalidTransition,
    C::AgentLimitReached,
    C::AuditUnavailable,
    C::IdempotencyInProgress,
    C::IdempotencyKeyReused,
];
const END: &[C] = &[
    C::AgentNotFound,
    C::AgentHasActiveCalls,
    C::AuditUnavailable,
    C::IdempotencyInProgress,
    C::IdempotencyKeyReused,
];
const RELAUNCH: &[C] = &[
    C::AgentNotFound,
    C::InvalidStatus,
    C::AuditUnavailable,
    C::IdempotencyInProgress,
    C::IdempotencyKeyReused,
];
const TERMINATE: &[C] =
    &[C::AgentNotFound, C::AuditUnavailable, C::IdempotencyInProgress, C::IdempotencyKeyReused];
const TEAM_BODY: &str = r#"{"type":"object","additionalProperties":false,"required":["name"],"properties":{"name":{"type":"string","minLength":1,"maxLength":64}}}"#;
const NO_BODY: &str = r#"{"type":"object","additionalProperties":false}"#;

/// Every route.
pub(crate) static ROUTES: LazyLock<Vec<Route>> = LazyLock::new(|| {
    use Role::{Admin, Member, Viewer};
    let (get, post) = (Method::GET, Method::POST);
    let (put, patch, delete) = (Method::PUT, Method::PATCH, Method::DELETE);
    let open = |method: &Method, path, group, run| {
        Route::new(method.clone(), path, Access::Open, group, Run::Blocking(run))
    };
    // What supervisors ask is answered though every thread that may wait does.
    let probe = |path, run| Route::new(Method::GET, path, Access::Open, Group::Probe, Run::Async(run));
    let mut routes = vec![
        // Agents
        api(post.clone(), "/api/v1/agents", S::AgentsWrite, Member, agents::create)
            .about("Agents", "Make an agent").body(AGENT_BODY).answers(&[(201, "the agent")]).errors(NEW_AGENT),
        api(get.clone(), "/api/v1/agents", S::AgentsRead, Viewer, agents::list)
            .about("Agents", "List agents, newest first")
            .query(&[LIMIT, CURSOR, param("name_contains", TEXT, "Part of the name."), param("status", TEXT, "States, with commas."),
                param("team_id", TEXT, "Only agents of this team."), param("platform", TEXT, "Only agents of this platform."),
                param("created_after", TEXT, "Inclusive."), param("created_before", TEXT, "Exclusive.")])
            .answers(&[(200, "a page")]),
        api(post.clone(), "/api/v1/agents/bulk-delete", S::AgentsWrite, Admin, agents::bulk_delete)
            .about("Agents", "Delete many agents")
            .body(r#"{"type":"object","additionalProperties":false,"properties":{"ids":{"type":"array","items":{"type":"string"}},"filter":{"type":"object"},
                "profile":{"enum":["masker","ayra","kakiyo"]},"mode":{"enum":["hard","soft","purge"]},"on_active":{"enum":["drain","reject","terminate"]},
                "cleanup":{"enum":["best_effort","require","skip"]},"limit":{"type":"integer","minimum":1,"maximum":100},"dry_run":{"type":"boolean"}}}"#)
            .answers(&[(200, "what became of each")]).errors(&[C::IdempotencyInProgress, C::IdempotencyKeyReused]),
        api(get.clone(), "/api/v1/agents/{agent_id}", S::AgentsRead, Viewer, agents::get)
            .about("Agents", "One agent").query(&[param("include_deleted", r#"{"type":"boolean"}"#, "Show it though it is deleted.")])
            .answers(&[(200, "the agent")]).errors(&[C::AgentNotFound]),
        api(patch.clone(), "/api/v1/agents/{agent_id}", S::AgentsWrite, Member, agents::update)
            .about("Agents", "Change an agent").body(AGENT_BODY).answers(&[(200, "the agent")]).errors(CHANGED_AGENT),
        api(put.clone(), "/api/v1/agents/{agent_id}", S::AgentsWrite, Member, agents::update)
            .about("Agents", "Change an agent, as PATCH does").body(AGENT_BODY).answers(&[(200, "the agent")]).errors(CHANGED_AGENT),
        api(delete.clone(), "/api/v1/agents/{agent_id}", S::AgentsWrite, Admin, agents::delete)
            .about("Agents", "Delete an agent").query(DELETE_QUERY)
            .answers(&[(204, "deleted"), (200, "deleted, or what would happen")])
            .errors(&[C::AgentNotFound, C::InvalidStatus, C::AgentHasActiveCalls, C::ExternalCleanupFailed, C::PreconditionFailed, C::AuditUnavailable]),
        api(post.clone(), "/api/v1/agents/{agent_id}/pause", S::AgentsWrite, Member, agents::pause)
            .about("Agents", "Take no new sessions").body(NO_BODY).errors(PAUSE),
        api(post.clone(), "/api/v1/agents/{agent_id}/resume", S::AgentsWrite, Member, agents::resume)
            .about("Agents", "Take new sessions again").body(NO_BODY).errors(RESUME),
        api(post.clone(), "/api/v1/agents/{agent_id}/archive", S::AgentsWrite, Member, agents::archive)
            .about("Agents", "Put an agent away, with everything kept").body(NO_BODY).errors(ARCHIVE),
        api(post.clone(), "/api/v1/agents/{agent_id}/activate", S::AgentsWrite, Member, agents::activate)
            .about("Agents", "Bring an archived agent back").body(NO_BODY).errors(ACTIVATE),
        api(post.clone(), "/api/v1/agents/{agent_id}/end", S::AgentsWrite, Member, agents::end)
            .about("Agents", "End an agent")
            .body(r#"{"type":"object","additionalProperties":false,"properties":{"on_active":{"enum":["drain","reject","terminate"]}}}"#).errors(END),
        api(post.clone(), "/api/v1/agents/{agent_id}/relaunch", S::AgentsWrite, Member, agents::relaunch)
            .about("Agents", "Begin again with an agent that has ended").body(NO_BODY).errors(RELAUNCH),
        api(post.clone(), "/api/v1/agents/{agent_id}/terminate-calls", S::AgentsWrite, Member, agents::terminate_calls)
            .about("Agents", "Cut off every call of an agent")
            .body(r#"{"type":"object","additionalProperties":false,"properties":{"reason":{"type":["string","null"],"maxLength":200}}}"#).errors(TERMINATE),
        api(post.clone(), "/api/v1/agents/{agent_id}/restore", S::AgentsWrite, Admin, agents::restore)
            .about("Agents", "Bring a softly deleted agent back")
            .body(r#"{"type":"object","additionalProperties":false,"properties":{"name":{"type":["string","null"],"maxLength":64}}}"#)
            .errors(&[C::AgentNotFound, C::NotDeleted, C::NameTaken, C::AgentLimitReached, C::AuditUnavailable, C::IdempotencyInProgress, C::IdempotencyKeyReused]),
        api(get.clone(), "/api/v1/agents/{agent_id}/sessions", S::SessionsRead, Viewer, sessions::of_agent)
            .about("Sessions", "Sessions of an agent").query(SESSION_QUERY).answers(&[(200, "a page")]).errors(&[C::AgentNotFound]),
        api(get.clone(), "/api/v1/deletions", S::AgentsRead, Admin, deletions::list)
            .about("Deletions", "Receipts").query(&[LIMIT, CURSOR, param("agent_id", TEXT, "Of this agent.")]).answers(&[(200, "a page")]),
        api(get.clone(), "/api/v1/deletions/{deletion_id}", S::AgentsRead, Admin, deletions::get)
            .about("Deletions", "One receipt").answers(&[(200, "the receipt")]).errors(&[C::DeletionNotFound]),
        // Sessions
        api(get.clone(), "/api/v1/sessions", S::SessionsRead, Viewer, sessions::list)
            .about("Sessions", "Sessions of the account").query(&[SESSION_QUERY, &[AGENT_OF_SESSIONS]].concat()).answers(&[(200, "a page")]),
        Route::new(get.clone(), "/api/v1/sessions/stream", Access::Scope(S::SessionsRead, Viewer), Group::Api, Run::Async(sessions::stream))
            .about("Sessions", "Sessions as they end").query(&[param("agent_id", TEXT, "Of this agent.")])
            .answers(&[(200, "events; text/event-stream")]),
        api(get.clone(), "/api/v1/sessions/{session_id}", S::SessionsRead, Viewer, sessions::get)
            .about("Sessions", "One session").answers(&[(200, "the session")]).errors(&[C::SessionNotFound, C::AuditUnavailable]),
        api(get.clone(), "/api/v1/sessions/{session_id}/events", S::SessionsRead, Viewer, sessions::events)
            .about("Sessions", "Redaction events of a session")
            .query(&[LIMIT, CURSOR, param("kind", TEXT, "Of this kind."), param("pass", TEXT, "Of this pass."), param("turn", INTEGER, "Of this turn.")])
            .answers(&[(200, "a page")]).errors(&[C::SessionNotFound]),
        api(post.clone(), "/api/v1/sessions/{session_id}/end", S::SessionsWrite, Member, sessions::end)
            .about("Sessions", "End a session").body(NO_BODY).errors(&[C::SessionNotFound, C::IdempotencyInProgress, C::IdempotencyKeyReused]),
        api(post.clone(), "/api/v1/sessions/{session_id}/terminate", S::SessionsWrite, Member, sessions::terminate)
            .about("Sessions", "Cut a session off").body(NO_BODY)
            .errors(&[C::SessionNotFound, C::SessionNotActive, C::AuditUnavailable, C::IdempotencyInProgress, C::IdempotencyKeyReused]),
        // Signing in
        open(&get, "/api/v1/auth/methods", Group::Auth, auth::methods).about("Sign-in", "Ways to sign in"),
        open(&get, "/api/v1/auth/github", Group::Auth, github::begin)
            .about("Sign-in", "Sign in through GitHub").query(&[param("redirect_to", TEXT, "Where to go then, on this server.")])
            .answers(&[(302, "to GitHub")]).errors(&[C::AuthMethodUnavailable]),
        Route::new(get.clone(), "/api/v1/auth/github/callback", Access::Open, Group::Auth, Run::Async(github::callback))
            .about("Sign-in", "Where GitHub sends the browser back to")
            .query(&[param("code", TEXT, "From GitHub."), param("state", TEXT, "From GitHub."), param("error", TEXT, "From GitHub.")])
            .answers(&[(302, "signed in")])
            .errors(&[C::InvalidState, C::OauthDenied, C::SignupClosed, C::OauthExchangeFailed, C::UserUpsertFailed, C::AuthMethodUnavailable, C::AuditUnavailable]),
        open(&post, "/api/v1/auth/local", Group::Auth, auth::local)
            .about("Sign-in", "Sign in with a one-time code")
            .body(r#"{"type":"object","additionalProperties":false,"required":["login_code"],"properties":{"login_code":{"type":"string"},"login":{"type":["string","null"]},"name":{"type":["string","null"]}}}"#)
            .errors(&[C::InvalidLoginCode, C::AlreadyBootstrapped, C::AuditUnavailable]),
        open(&post, "/api/v1/auth/logout", Group::Auth, auth::logout)
            .about("Sign-in", "Sign out").body(NO_BODY).answers(&[(204, "signed out")]).errors(&[C::Forbidden, C::AuditUnavailable]),
        Route::new(post.clone(), "/api/v1/auth/logout-all", Access::Any, Group::Auth, Run::Blocking(auth::logout_all))
            .about("Sign-in", "Sign out everywhere").body(NO_BODY).answers(&[(204, "signed out")]).errors(&[C::AuditUnavailable]),
        Route::new(get.clone(), "/api/v1/me", Access::Any, Group::Api, Run::Blocking(account::me)).about("Account", "Who asks"),
        api(get.clone(), "/api/v1/account", S::AccountRead, Viewer, account::get).about("Account", "The account"),
        api(patch.clone(), "/api/v1/account", S::AccountWrite, Admin, account::update)
            .about("Account", "Change the account")
            .body(r#"{"type":"object","additionalProperties":false,"properties":{"name":{"type":"string","minLength":1,"maxLength":64},
                "deletion_profile":{"enum":["masker","ayra","kakiyo"]},"default_delete_mode":{"enum":["hard","soft"]},
                "restore_window_days":{"type":"integer","minimum":1,"maximum":365},"agent_limit":{"type":["integer","null"],"minimum":0,"maximum":100000},
                "session_retention_days":{"type":["integer","null"],"minimum":1,"maximum":3650}}}"#)
            .errors(&[C::PreconditionFailed, C::AuditUnavailable]),
        api(post.clone(), "/api/v1/tokens", S::TokensWrite, Member, tokens::create)
            .about("Tokens", "Make an API token")
            .body(r#"{"type":"object","additionalProperties":false,"required":["name","scopes"],"properties":{"name":{"type":"string","minLength":1,"maxLength":64},
                "scopes":{"type":"array","items":{"type":"string"}},"expires_in_days":{"type":["integer","null"],"minimum":1,"maximum":3650},
                "agent_ids":{"type":["array","null"],"items":{"type":"string"}}}}"#)
            .answers(&[(201, "the token with its secret")]).errors(&[C::AgentNotFound, C::AuditUnavailable]),
        Route::new(get.clone(), "/api/v1/tokens", Access::Any, Group::Api, Run::Blocking(tokens::list))
            .about("Tokens", "API tokens").query(&[LIMIT, CURSOR, param("all", r#"{"type":"boolean"}"#, "Those of all members.")])
            .answers(&[(200, "a page")]).errors(&[C::Forbidden]),
        api(delete.clone(), "/api/v1/tokens/{token_id}", S::TokensWrite, Member, tokens::revoke)
            .about("Tokens", "Revoke a token").answers(&[(204, "revoked")]).errors(&[C::TokenNotFound, C::AuditUnavailable]),
        api(post.clone(), "/api/v1/tokens/{token_id}/rotate", S::TokensWrite, Member, tokens::rotate)
            .about("Tokens", "Give a token a new secret")
            .body(r#"{"type":"object","additionalProperties":false,"properties":{"grace_seconds":{"type":["integer","null"],"minimum":0,"maximum":86400}}}"#)
            .errors(&[C::TokenNotFound, C::AuditUnavailable]),
        // Health
        probe("/health", health::health).about("Health", "Whether all parts work")
            .answers(&[(200, "all work"), (503, "some do not")]),
        probe("/ready", health::ready).about("Health", "Whether requests are taken")
            .answers(&[(200, "ready"), (503, "not ready")]),
        probe("/live", health::live).about("Health", "Whether the process answers"),
        // Pages
        open(&get, "/", Group::Page, pages::index),
        open(&get, "/docs", Group::Page, pages::docs),
        open(&get, "/login", Group::Page, pages::login),
        open(&get, "/portal", Group::Page, pages::index),
        open(&get, "/openapi.json", Group::Page, pages::openapi),
    ];
    let scope_text = |path, scope, role, run| {
        Route::new(Method::POST, path, Access::Scope(scope, role), Group::Text, Run::Blocking(run))
    };
    const TEXT_ERRORS: &[C] = &[
        C::AgentNotFound,
        C::UnknownPolicy,
        C::PolicyYamlInvalid,
        C::DetectionUnavailable,
        C::AuditUnavailable,
    ];
    const TEXT_BODY: &str = r#"{"type":"object","additionalProperties":false,"properties":{"text":{"type":"string"},"texts":{"type":"array","items":{"type":"string"},"maxItems":100},
        "policy":{"type":["string","null"]},"policy_yaml":{"type":["string","null"]},"agent_id":{"type":["string","null"]},
        "scheme":{"enum":["vault-deterministic","reversible-aead","synthetic",null]},"passes":{"type":["array","null"],"items":{"type":"string"}},
        "return_events":{"type":["boolean","null"]}}}"#;
    routes.extend([
        scope_text("/api/v1/mask", S::TextMask, Member, text::mask)
            .about("Text", "Mask text").body(TEXT_BODY).answers(&[(200, "the masked text and events")]).errors(TEXT_ERRORS),
        scope_text("/api/v1/detect", S::TextMask, Member, text::detect)
            .about("Text", "Find PHI")
            .body(r#"{"type":"object","additionalProperties":false,"properties":{"text":{"type":"string"},"texts":{"type":"array","items":{"type":"string"},"maxItems":100},
                "policy":{"type":["string","null"]},"policy_yaml":{"type":["string","null"]},"agent_id":{"type":["string","null"]},
                "passes":{"type":["array","null"],"items":{"type":"string"}},"threshold":{"type":["number","null"],"minimum":0,"maximum":1},"include_text":{"type":["boolean","null"]}}}"#)
            .answers(&[(200, "findings")]).errors(TEXT_ERRORS),
        scope_text("/api/v1/rehydrate", S::TextRehydrate, Admin, text::rehydrate)
            .about("Text", "Put originals back")
            .body(r#"{"type":"object","additionalProperties":false,"required":["text"],"properties":{"text":{"type":"string"}}}"#)
            .answers(&[(200, "the text")]).errors(&[C::DetectionUnavailable, C::AuditUnavailable]),
        scope_text("/api/v1/synthesize", S::TextMask, Member, text::synthesize)
            .about("Text", "Replace PHI by invented values")
            .body(r#"{"type":"object","additionalProperties":false,"properties":{"text":{"type":"string"},"texts":{"type":"array","items":{"type":"string"},"maxItems":100},
                "policy":{"type":["string","null"]},"policy_yaml":{"type":["string","null"]},"agent_id":{"type":["string","null"]},
                "seed":{"type":["integer","null"],"minimum":0},"epsilon":{"type":["number","null"]},"preserve_locale":{"type":["boolean","null"]}}}"#)
            .answers(&[(200, "the text")]).errors(TEXT_ERRORS),
        api(get.clone(), "/api/v1/policies", S::PoliciesRead, Viewer, policies::list).about("Policies", "Policies, by name").query(&[LIMIT, CURSOR]).answers(&[(200, "a page")]),
        api(post.clone(), "/api/v1/policies/validate", S::PoliciesRead, Viewer, policies::validate)
            .about("Policies", "Check a policy")
            .body(r#"{"type":"object","additionalProperties":false,"required":["yaml"],"properties":{"yaml":{"type":"string"}}}"#)
            .errors(&[C::IdempotencyInProgress, C::IdempotencyKeyReused]),
        api(post.clone(), "/api/v1/policies/diff", S::PoliciesRead, Viewer, policies::diff)
            .about("Policies", "What changes between two policies")
            .body(r#"{"type":"object","additionalProperties":false,"required":["a","b"],"properties":{"a":{"type":"object"},"b":{"type":"object"}}}"#)
            .errors(&[C::PolicyYamlInvalid, C::PolicyNotFound, C::IdempotencyInProgress, C::IdempotencyKeyReused]),
        api(get.clone(), "/api/v1/policies/{name}", S::PoliciesRead, Viewer, policies::get)
            .about("Policies", "One policy").query(&[param("version", INTEGER, "An older revision.")])
            .answers(&[(200, "the policy")]).errors(&[C::PolicyNotFound]),
        api(put, "/api/v1/policies/{name}", S::PoliciesWrite, Admin, policies::put)
            .about("Policies", "Make or change a policy")
            .body(r#"{"type":"object","additionalProperties":false,"required":["yaml"],"properties":{"yaml":{"type":"string"}}}"#)
            .answers(&[(200, "changed"), (201, "made")])
            .errors(&[C::PolicyYamlInvalid, C::PolicyReadOnly, C::PreconditionFailed, C::AuditUnavailable]),
        api(delete, "/api/v1/policies/{name}", S::PoliciesWrite, Admin, policies::delete)
            .about("Policies", "Delete a policy").answers(&[(204, "deleted")])
            .errors(&[C::PolicyNotFound, C::PolicyInUse, C::PolicyReadOnly, C::PreconditionFailed, C::AuditUnavailable]),
        api(post.clone(), "/api/v1/admin/policy/reload", S::PoliciesWrite, Admin, policies::reload)
            .about("Policies", "Read policy files again").body(NO_BODY)
            .errors(&[C::PolicyYamlInvalid, C::PolicyFileMissing, C::AuditUnavailable, C::IdempotencyInProgress, C::IdempotencyKeyReused]),
        api(get.clone(), "/api/v1/audit/events", S::AuditRead, Admin, audit::list)
            .about("Audit", "Events of the account, latest first")
            .query(&[LIMIT, CURSOR, SINCE, UNTIL, param("kind", TEXT, "Kinds, with commas."), param("agent_id", TEXT, "About this agent."),
                param("session_id", TEXT, "About this session."), param("actor_id", TEXT, "Of this actor.")])
            .answers(&[(200, "a page")]).errors(&[C::AuditUnavailable]),
        api(get.clone(), "/api/v1/audit/events/{event_id}", S::AuditRead, Admin, audit::get)
            .about("Audit", "One event with its proof").errors(&[C::EventNotFound, C::AuditUnavailable]),
        api(post.clone(), "/api/v1/audit/verify", S::AuditRead, Admin, audit::verify)
            .about("Audit", "Check the chain").body(audit::VERIFY_BODY)
            .errors(&[C::SessionNotFound, C::VerifyInProgress, C::AuditUnavailable, C::IdempotencyInProgress, C::IdempotencyKeyReused]),
        api(post, "/audit/verify", S::AuditRead, Admin, audit::verify)
            .about("Audit", "Check the chain").body(audit::VERIFY_BODY)
            .errors(&[C::SessionNotFound, C::VerifyInProgress, C::AuditUnavailable, C::IdempotencyInProgress, C::IdempotencyKeyReused]),
        api(get, "/api/v1/audit/export", S::AuditRead, Admin, audit::export)
            .about("Audit", "Events of the account as lines").query(&[SINCE, UNTIL])
            .answers(&[(200, "lines; application/x-ndjson")]).errors(&[C::AuditUnavailable]),
    ]);
    const REPORT_QUERY: &[Param] = &[
        param(
            "format",
            r#"{"enum":["json","pdf"]}"#,
            "The form of the report; without it, what Accept prefers.",
        ),
        param("generated_at", TEXT, "Pins the time of a repeated call."),
        param("full_ids", r#"{"type":"boolean"}"#, "Show ids of agents whole, which open their proxies."),
    ];
    let windowed: Vec<Param> = REPORT_QUERY.iter().copied().chain([SINCE, UNTIL]).collect();
    let (get, post) = (Method::GET, Method::POST);
    let (patch, delete) = (Method::PATCH, Method::DELETE);
    routes.extend([
        api(get.clone(), "/api/v1/sessions/{session_id}/report", S::ReportsRead, Viewer, reports::of_session)
            .about("Reports", "Report on a session").query(REPORT_QUERY).answers(&[(200, "the report; application/json, application/pdf")]).errors(&[C::SessionNotFound, C::ReportGenerationFailed, C::AuditUnavailable]),
        api(get.clone(), "/api/v1/agents/{agent_id}/report", S::ReportsRead, Viewer, reports::of_agent)
            .about("Reports", "Report on an agent").query(&windowed).answers(&[(200, "the report; application/json, application/pdf")]).errors(&[C::AgentNotFound, C::ReportGenerationFailed, C::AuditUnavailable]),
        api(get.clone(), "/api/v1/reports", S::ReportsRead, Viewer, reports::of_account)
            .about("Reports", "Report on the account").query(&windowed).answers(&[(200, "the report; application/json, application/pdf")]).errors(&[C::ReportGenerationFailed, C::AuditUnavailable]),
        open(&get, "/api/v1/reports/keys", Group::Api, reports::keys).about("Reports", "Keys that sign reports"),
        api(get.clone(), "/api/v1/members", S::MembersRead, Viewer, members::list)
            .about("Members", "Members").query(&[LIMIT, CURSOR]).answers(&[(200, "a page")]),
        api(patch.clone(), "/api/v1/members/{user_id}", S::MembersWrite, Admin, members::update)
            .about("Members", "Change a member")
            .body(r#"{"type":"object","additionalProperties":false,"properties":{"role":{"enum":["viewer","member","admin","owner"]},"team_ids":{"type":["array","null"],"items":{"type":"string"}}}}"#)
            .errors(&[C::MemberNotFound, C::LastOwner, C::TeamNotFound, C::AuditUnavailable]),
        api(delete.clone(), "/api/v1/members/{user_id}", S::MembersWrite, Admin, members::remove)
            .about("Members", "Remove a member").answers(&[(204, "removed")]).errors(&[C::MemberNotFound, C::LastOwner, C::AuditUnavailable]),
        api(post.clone(), "/api/v1/members/{user_id}/login-code", S::MembersWrite, Admin, members::login_code)
            .about("Members", "Make a code that signs a member in once").body(NO_BODY).answers(&[(201, "the code")])
            .errors(&[C::MemberNotFound, C::AuditUnavailable]),
        api(post.clone(), "/api/v1/invitations", S::MembersWrite, Admin, members::invite)
            .about("Members", "Invite somebody")
            .body(r#"{"type":"object","additionalProperties":false,"properties":{"login":{"type":["string","null"]},"github_login":{"type":["string","null"]},
                "role":{"enum":["viewer","member","admin","owner"]},"team_ids":{"type":["array","null"],"items":{"type":"string"}},"expires_in_days":{"type":["integer","null"],"minimum":1,"maximum":90}}}"#)
            .answers(&[(201, "the invitation with its link")]).errors(&[C::TeamNotFound, C::AuditUnavailable]),
        api(get.clone(), "/api/v1/invitations", S::MembersWrite, Admin, members::invitations)
            .about("Members", "Invitations").query(&[LIMIT, CURSOR]).answers(&[(200, "a page")]),
        open(&post, "/api/v1/invitations/accept", Group::Auth, members::accept)
            .about("Members", "Accept an invitation")
            .body(r#"{"type":"object","additionalProperties":false,"required":["code"],"properties":{"code":{"type":"string"},"login":{"type":["string","null"]},"name":{"type":["string","null"]}}}"#)
            .errors(&[C::InvalidLoginCode, C::AuditUnavailable]),
        api(delete.clone(), "/api/v1/invitations/{invitation_id}", S::MembersWrite, Admin, members::withdraw)
            .about("Members", "Withdraw an invitation").answers(&[(204, "withdrawn")]).errors(&[C::InvitationNotFound]),
        api(get.clone(), "/api/v1/teams", S::MembersRead, Viewer, members::team_list)
            .about("Teams", "Teams").query(&[LIMIT, CURSOR]).answers(&[(200, "a page")]),
        api(post.clone(), "/api/v1/teams", S::MembersWrite, Admin, members::team_create)
            .about("Teams", "Make a team").body(TEAM_BODY).answers(&[(201, "the team")])
            .errors(&[C::NameTaken, C::AuditUnavailable, C::IdempotencyInProgress, C::IdempotencyKeyReused]),
        api(get, "/api/v1/teams/{team_id}", S::MembersRead, Viewer, members::team_get).about("Teams", "One team").errors(&[C::TeamNotFound]),
        api(patch, "/api/v1/teams/{team_id}", S::MembersWrite, Admin, members::team_update)
            .about("Teams", "Rename a team").body(TEAM_BODY).errors(&[C::TeamNotFound, C::NameTaken, C::AuditUnavailable]),
        api(delete, "/api/v1/teams/{team_id}", S::MembersWrite, Admin, members::team_delete)
            .about("Teams", "Delete a team").query(&[param("reassign_to", TEXT, "Where its agents go: a team, or none.")])
            .answers(&[(204, "deleted")]).errors(&[C::TeamNotFound, C::TeamInUse, C::AuditUnavailable]),
    ]);
    const WEBHOOK_BODY: &str = r#"{"type":"object","additionalProperties":false,"required":["name","url","events"],"properties":{
        "name":{"type":"string","minLength":1,"maxLength":64},"url":{"type":"string"},"secret":{"type":["string","null"],"minLength":16,"maxLength":256},
        "events":{"type":"array","minItems":1,"items":{"type":"string"}}}}"#;
    const WEBHOOK_CHANGE: &str = r#"{"type":"object","additionalProperties":false,"properties":{
        "active":{"type":"boolean"},"events":{"type":"array","minItems":1,"items":{"type":"string"}},"url":{"type":"string"}}}"#;
    let webhook = |method, path, run| api(method, path, S::WebhooksWrite, Admin, run);
    routes.extend([
        webhook(Method::POST, "/api/v1/webhooks", webhooks::create)
            .about("Webhooks", "Tell an address of events")
            .body(WEBHOOK_BODY)
            .answers(&[(201, "the webhook, with its secret if that was made here")])
            .errors(&[C::AuditUnavailable]),
        webhook(Method::GET, "/api/v1/webhooks", webhooks::list)
            .about("Webhooks", "Webhooks")
            .query(&[LIMIT, CURSOR])
            .answers(&[(200, "a page")]),
        webhook(Method::GET, "/api/v1/webhooks/{webhook_id}", webhooks::get)
            .about("Webhooks", "One webhook")
            .errors(&[C::WebhookNotFound]),
        webhook(Method::PATCH, "/api/v1/webhooks/{webhook_id}", webhooks::update)
            .about("Webhooks", "Change a webhook")
            .body(WEBHOOK_CHANGE)
            .errors(&[C::WebhookNotFound, C::AuditUnavailable]),
        webhook(Method::DELETE, "/api/v1/webhooks/{webhook_id}", webhooks::delete)
            .about("Webhooks", "Delete a webhook")
            .answers(&[(204, "deleted")])
            .errors(&[C::WebhookNotFound, C::AuditUnavailable]),
        webhook(Method::POST, "/api/v1/webhooks/{webhook_id}/test", webhooks::test)
            .about("Webhooks", "Send a webhook something once")
            .body(NO_BODY)
            .answers(&[(200, "what became of it")])
            .errors(&[C::WebhookNotFound, C::IdempotencyInProgress, C::IdempotencyKeyReused]),
        webhook(Method::GET, "/api/v1/webhooks/{webhook_id}/deliveries", webhooks::deliveries)
            .about("Webhooks", "What a webhook was sent")
            .query(&[LIMIT, CURSOR])
            .answers(&[(200, "a page")])
            .errors(&[C::WebhookNotFound]),
    ]);
    const CHAT: &str = r#"{"type":"object","required":["messages"],"properties":{"model":{"type":["string","null"]},"messages":{"type":"array","minItems":1,"items":{"type":"object","required":["role"]}},"stream":{"type":["boolean","null"]}}}"#;
    const CHAT_ERRORS: &[C] = &[
        C::BadSignature,
        C::Unauthenticated,
        C::AgentPaused,
        C::AgentArchived,
        C::AgentEnded,
        C::AgentNotFound,
        C::SessionTerminated,
        C::ModelNotAllowed,
        C::UnmaskableContent,
        C::RateLimited,
        C::UpstreamError,
        C::DetectionUnavailable,
        C::AuditUnavailable,
        C::UpstreamTimeout,
    ];
    // Platforms add the path of the protocol to an address that may have it already, with or without its version.
    let forms: [&'static [&'static str]; 3] = [
        &[
            "/proxy/{agent_id}/v1/chat/completions",
            "/proxy/{agent_id}/chat/completions",
            "/proxy/{agent_id}/v1/chat/completions/chat/completions",
            "/proxy/{agent_id}/chat/completions/chat/completions",
            "/proxy/{agent_id}/v1/chat/completions/v1/chat/completions",
            "/proxy/{agent_id}/v1/v1/chat/completions",
        ],
        &[
            "/proxy/{agent_id}/s/{session_key}/v1/chat/completions",
            "/proxy/{agent_id}/s/{session_key}/chat/completions",
            "/proxy/{agent_id}/s/{session_key}/v1/chat/completions/chat/completions",
            "/proxy/{agent_id}/s/{session_key}/chat/completions/chat/completions",
            "/proxy/{agent_id}/s/{session_key}/v1/chat/completions/v1/chat/completions",
            "/proxy/{agent_id}/s/{session_key}/v1/v1/chat/completions",
        ],
        &[
            "/agents/{agent_id}/s/{session_key}/v1/chat/completions",
            "/agents/{agent_id}/s/{session_key}/chat/completions",
            "/agents/{agent_id}/s/{session_key}/v1/chat/completions/chat/completions",
        ],
    ];
    for paths in forms {
        for (i, path) in paths.iter().enumerate() {
            let route = Route::new(Method::POST, path, Access::Open, Group::Proxy, Run::Async(proxy::chat));
            // The description has the one form of each; the others are there for platforms that do not read it.
            routes.push(if i == 0 {
                route
                    .about("Proxy", "Chat completion, masked on the way out and restored on the way in")
                    .body(CHAT)
                    .answers(&[(
                        200,
                        "the answer, whole or as a stream; application/json, text/event-stream",
                    )])
                    .errors(CHAT_ERRORS)
            } else {
                route
            });
        }
    }
    for path in ["/proxy/{agent_id}/v1/models", "/proxy/{agent_id}/s/{session_key}/v1/models"] {
        routes.push(
            open(&Method::GET, path, Group::Proxy, proxy::models)
                .about("Proxy", "Models of the agent")
                .errors(&[C::BadSignature, C::Unauthenticated, C::AgentNotFound, C::RateLimited]),
        );
    }
    routes.push(
        open(&Method::POST, "/vapi/webhook/{agent_id}", Group::Webhook, proxy::vapi)
            .about("Webhook", "Answers Vapi's question for an assistant")
            .body(r#"{"type":"object"}"#)
            .errors(&[
                C::BadSignature,
                C::AgentPaused,
                C::AgentArchived,
                C::AgentEnded,
                C::AgentNotFound,
                C::UnsupportedEvent,
                C::RateLimited,
                C::SessionTerminated,
                C::DetectionUnavailable,
                C::AuditUnavailable,
            ]),
    );
    routes
});

/// Reads policy files again, for a signal.
pub(crate) fn reload_policies(state: &crate::state::State) -> crate::error::Result<()> {
    use masker_core::audit::AuditEvent;
    policies::reload_now(state, |kind| AuditEvent::new(kind, "").actor("system", "signal")).map(drop)
}
