//! The conventions of the contract, operation by operation: paths, methods, ids, pages, windows, repeats.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::common::{Answer, Server};
use crate::world::{self, NOBODY, Operation, World, keyed, operations};

/// Names in paths: the prefix of what they stand for, and the code where it is not there.
const IDS: &[(&str, &str, &str)] = &[
    ("{agent_id}", "agt_", "agent_not_found"),
    ("{deletion_id}", "del_", "deletion_not_found"),
    ("{event_id}", "evt_", "event_not_found"),
    ("{invitation_id}", "inv_", "invitation_not_found"),
    ("{session_id}", "sess_", "session_not_found"),
    ("{team_id}", "tea_", "team_not_found"),
    ("{token_id}", "tok_", "token_not_found"),
    ("{user_id}", "usr_", "member_not_found"),
    ("{webhook_id}", "whk_", "webhook_not_found"),
];

/// The first mistake that an answer tells of: field and issue.
fn mistake(answer: Answer) -> (String, String) {
    let error = answer.refused(422, "validation_failed");
    let text = |name: &str| error["details"][0][name].as_str().unwrap().to_owned();
    (text("field"), text("issue"))
}

async fn send(world: &World, operation: &Operation, path: &str) -> Answer {
    let token = if operation.is_open { "" } else { &world.server.token };
    world::call(&world.server, token, &operation.method, path, world.body(operation), &[]).await
}

#[tokio::test]
async fn other_methods_and_other_paths_are_refused() {
    let world = World::with(&[]).await;
    let all = operations(&world.server).await;
    let paths: BTreeSet<&str> = all.iter().map(|operation| operation.path.as_str()).collect();
    for path in paths {
        let mut taken: BTreeSet<&str> =
            all.iter().filter(|op| op.path == path).map(|op| op.method.as_str()).collect();
        if taken.contains("GET") {
            taken.insert("HEAD");
        }
        let filled = world.fill(path);
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"] {
            if taken.contains(method) {
                continue;
            }
            let refused = world.server.call(method, &filled, None).await;
            let allowed: BTreeSet<&str> = refused.header("allow").split(',').map(str::trim).collect();
            assert_eq!((refused.status, &allowed), (405, &taken), "{method} {filled}");
            if method != "HEAD" {
                let error = refused.refused(405, "method_not_allowed");
                assert_eq!(error["type"], "invalid_request_error");
            }
        }
        for other in
            [format!("{filled}/"), format!("/x{filled}"), format!("/{filled}"), filled.to_uppercase()]
        {
            let missing = world.server.get(&other).await;
            assert_eq!((missing.status, missing.code().as_str()), (404, "not_found"), "{other}");
        }
    }
}

#[tokio::test]
async fn an_id_that_is_none_is_one_that_is_not_there() {
    let world = World::with(&[]).await;
    for operation in operations(&world.server).await {
        let Some((name, prefix, code)) = IDS.iter().find(|(name, ..)| operation.path.contains(name)) else {
            continue;
        };
        let others = IDS.iter().find(|(other, ..)| other != name).unwrap().1;
        for id in [
            format!("{prefix}{NOBODY}"),
            format!("{others}{NOBODY}"),
            format!("{prefix}{}", &NOBODY[1..]),
            format!("{prefix}{NOBODY}0"),
            format!("{prefix}8{}", &NOBODY[1..]),
            format!("{prefix}{}U", &NOBODY[1..]),
            prefix.to_string(),
            NOBODY.to_owned(),
            "..".to_owned(),
            "%2e%2e%2f".to_owned(),
            "%00".to_owned(),
            "%FF".to_owned(),
            "%C3%A9".to_owned(),
            "%20".to_owned(),
            "x".repeat(5000),
        ] {
            let answer = send(&world, &operation, &world.fill(&operation.path.replace(name, &id))).await;
            let shown = (operation.name.as_str(), id.chars().take(40).collect::<String>());
            assert_eq!((answer.status, answer.code().as_str()), (404, *code), "{shown:?}: {}", answer.text);
            let error = answer.refused(404, code);
            // Only what has the form of an id is repeated.
            if *name == "{agent_id}" && id.len() == 30 && id.starts_with("agt_01") && !id.ends_with('U') {
                assert_eq!(error["agent_id"], id, "{shown:?}");
            } else {
                assert_eq!(error.get("agent_id"), None, "{shown:?}");
            }
        }
        if operation.method == "GET" && !operation.path.ends_with("/stream") {
            let path = operation.path.replace(name, &world.id(&name[1..name.len() - 1]).to_lowercase());
            assert_eq!(
                send(&world, &operation, &world.fill(&path)).await.status,
                200,
                "{path}: ids in any case"
            );
        }
    }
    for name in ["nowhere", "%FF", "%00", "DESK"] {
        world.server.get(&format!("/api/v1/policies/{name}")).await.refused(404, "policy_not_found");
        world.server.delete(&format!("/api/v1/policies/{name}")).await.refused(404, "policy_not_found");
    }
    let agent = world.id("agent_id");
    for key in ["a%20b", "%FF", "%2F", "%00", "a%0Ab", "%C3%A9", &"k".repeat(129)] {
        for start in ["proxy", "agents"] {
            let path = format!("/{start}/{agent}/s/{key}/v1/chat/completions");
            let body = json!({ "messages": [{ "role": "user", "content": "x" }] });
            let answer = world.server.call_as("", "POST", &path, Some(body), &[]).await;
            assert_eq!(mistake(answer), ("session_key".to_owned(), "bad_format".to_owned()), "{path}");
        }
    }
}

#[tokio::test]
async fn a_field_that_nobody_knows_is_named() {
    let world = World::with(&[]).await;
    for operation in operations(&world.server).await {
        // The bodies of the platforms' protocols have members of their own.
        let is_theirs = operation.path.contains("/chat/") || operation.path.contains("/vapi/");
        if is_theirs || operation.method == "GET" {
            continue;
        }
        let mut body = world.body(&operation).unwrap_or_else(|| json!({}));
        for name in ["polcy_yaml", "policyYaml", "4155550142", "call Ann Reed"] {
            body[name] = json!("x");
        }
        let path = world.path(&operation);
        let answer = world.server.call(&operation.method, &path, Some(body)).await;
        assert_eq!(answer.status, 422, "{}: {}", operation.name, answer.text);
        let error = answer.refused(422, "validation_failed");
        let details = error["details"].as_array().unwrap();
        let unknown: BTreeSet<&str> = details
            .iter()
            .filter(|detail| detail["issue"] == "unknown_field")
            .map(|detail| detail["field"].as_str().unwrap())
            .collect();
        assert_eq!(unknown, BTreeSet::from(["?", "policyYaml", "polcy_yaml"]), "{}", operation.name);
        assert_eq!(details.iter().filter(|detail| detail["issue"] == "unknown_field").count(), 4);
    }
    // Nothing of it was done.
    let agent = format!("/api/v1/agents/{}", world.id("agent_id"));
    assert_eq!(world.server.get(&agent).await.expect(200)["agent"]["platform"], Value::Null);
}

#[tokio::test]
async fn every_list_is_walked_page_by_page() {
    let world = World::with(&[]).await;
    let server = &world.server;
    // At least two of each.
    server.chat(world.id("agent_id"), world::SAID).await.expect(200);
    server.delete(&format!("/api/v1/agents/{}", world.id("ended_id"))).await.expect(204);
    server.post("/api/v1/teams", json!({ "name": "more" })).await.expect(201);
    let webhook =
        json!({ "name": "more", "url": "https://hooks.example.com/x", "events": ["agent.restored"] });
    server.post("/api/v1/webhooks", webhook).await.expect(201);
    let foreign = server.get("/api/v1/agents?limit=1").await.expect(200)["next_cursor"].clone();
    let foreign = foreign.as_str().unwrap();
    let mut count = 0;
    for operation in operations(server).await.iter().filter(|operation| operation.takes("limit")) {
        count += 1;
        assert!(operation.takes("cursor") && operation.method == "GET", "{}", operation.name);
        let path = world.path(operation);
        for bad in ["0", "101", "-1", "+1", "1.0", "1e1", "", "x", "%201", "0x10", "99999999999999999999"] {
            let error = server.get(&format!("{path}?limit={bad}")).await.refused(422, "validation_failed");
            let detail = &error["details"][0];
            assert_eq!(
                (&detail["field"], &detail["issue"], &detail["min"], &detail["max"]),
                (&json!("limit"), &json!("out_of_range"), &json!(1), &json!(100)),
                "{path} {bad}"
            );
        }
        let whole = server.get(&format!("{path}?limit=100")).await.expect(200);
        let whole = whole["data"].as_array().unwrap();
        let mut cursors = vec!["", "x", "x.y", ".", "eyJ2IjoxfQ.Qm9ndXM"]
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>();
        if operation.path != "/api/v1/agents" {
            cursors.push(foreign.to_owned());
        }
        // What is sent meanwhile is written down meanwhile.
        if !operation.path.ends_with("/deliveries") {
            assert!(whole.len() > 1, "{path} has too few");
            let (mut walked, mut at) = (Vec::new(), String::new());
            loop {
                let page = server.get(&format!("{path}?limit=1{at}")).await.expect(200);
                assert_eq!(page["data"].as_array().unwrap().len(), 1, "{path}: there was to be one more");
                walked.extend(page["data"].as_array().unwrap().clone());
                let Some(cursor) = page["next_cursor"].as_str() else {
                    assert_eq!(page.get("next_cursor"), Some(&Value::Null));
                    break;
                };
                if cursors.len() < 8 {
                    let last = if cursor.ends_with('A') { "B" } else { "A" };
                    cursors.push(format!("{}{last}", &cursor[..cursor.len() - 1]));
                    cursors.push(cursor[..cursor.len() - 2].to_owned());
                    cursors.push(format!("A{cursor}"));
                }
                at = format!("&cursor={cursor}");
            }
            let ids = |rows: &[Value]| -> Vec<Value> {
                let id =
                    |row: &Value| ["id", "event_id", "name"].iter().find_map(|name| row.get(*name)).cloned();
                rows.iter().map(|row| id(row).unwrap()).collect()
            };
            assert_eq!(ids(&walked), ids(whole), "{path}");
        }
        for cursor in cursors {
            let refused = server.get(&format!("{path}?cursor={cursor}")).await;
            assert_eq!(refused.status, 422, "{path} {cursor}");
            assert_eq!(mistake(refused), ("cursor".to_owned(), "bad_value".to_owned()), "{path} {cursor}");
        }
    }
    assert!(count > 12, "{count}");
}

#[tokio::test]
async fn every_window_has_the_same_grammar() {
    let world = World::with(&[]).await;
    let server = &world.server;
    let mut count = 0;
    for operation in operations(server).await.iter().filter(|operation| operation.takes("since")) {
        count += 1;
        assert!(operation.takes("until"), "{}", operation.name);
        let path = world.path(operation);
        for bad in [
            "",
            "yesterday",
            "0h",
            "-1h",
            "%2B1h",
            "1.5h",
            "1%20h",
            "1H",
            "1y",
            "h",
            "3651d",
            "123456s",
            "522w",
            "ALL",
            "2026-13-01",
            "2026-02-30",
            "2026-3-1",
            "20260301",
            "2026-03-02T09:15:04",
            "2026-03-02%2009:15:04Z",
            "2026-03-02T09:15:04+01:00",
            "2026-03-02T09:15:04.1234567890Z",
            "%E2%91%A0h",
        ] {
            let refused = server.get(&format!("{path}?since={bad}")).await;
            assert_eq!(refused.status, 422, "{path} {bad}");
            assert_eq!(mistake(refused), ("since".to_owned(), "bad_format".to_owned()), "{path} {bad}");
            let refused = server.get(&format!("{path}?since=all&until={bad}")).await;
            assert_eq!(mistake(refused), ("until".to_owned(), "bad_format".to_owned()), "{path} {bad}");
        }
        let refused = server.get(&format!("{path}?until=all")).await;
        assert_eq!(mistake(refused), ("until".to_owned(), "bad_format".to_owned()), "{path}");
        for reversed in [
            "since=1h&until=2h",
            "since=1h&until=1h",
            "since=2026-03-02&until=2026-03-01",
            "since=2026-03-02&until=2026-03-02T01:00:00%2B01:00",
        ] {
            let refused = server.get(&format!("{path}?{reversed}")).await;
            assert_eq!(refused.status, 422, "{path} {reversed}");
            assert_eq!(mistake(refused).0, "until", "{path} {reversed}");
        }
        for good in [
            "since=all",
            "since=1s",
            "since=15m",
            "since=24h",
            "since=7d",
            "since=521w",
            "since=3650d",
            "since=99999s",
            "since=2026-03-01",
            "since=2026-03-02T09:15:04Z",
            "since=2026-03-02T09:15:04.123456789%2B05:30",
            "since=2026-03-02T09:15:04-08:00",
            "since=2099-01-01",
            "since=all&until=1s",
            "since=2d&until=1d",
        ] {
            let answer = server.get(&format!("{path}?{good}")).await;
            assert_eq!(answer.status, 200, "{path} {good}: {}", answer.text);
        }
    }
    assert!(count > 5, "{count}");
}

/// Answers of these hold originals or secrets, or end the credential that they would be remembered for.
const NOT_KEPT: &[&str] = &[
    "POST /api/v1/mask",
    "POST /api/v1/detect",
    "POST /api/v1/rehydrate",
    "POST /api/v1/synthesize",
    "POST /api/v1/tokens",
    "POST /api/v1/tokens/{token_id}/rotate",
    "POST /api/v1/auth/local",
    "POST /api/v1/auth/logout",
    "POST /api/v1/auth/logout-all",
    "POST /api/v1/members/{user_id}/login-code",
    "POST /api/v1/invitations",
    "POST /api/v1/invitations/accept",
    "POST /api/v1/webhooks",
];

#[tokio::test]
async fn a_repeat_with_its_key_is_answered_as_it_was() {
    let world = World::with(&[]).await;
    let mut kept = 0;
    for (i, operation) in operations(&world.server).await.iter().enumerate() {
        if operation.method == "GET" {
            continue;
        }
        let key = format!("key {i} ~!");
        let headers = [("idempotency-key", key.as_str())];
        let token = if operation.is_open { "" } else { &world.server.token };
        let first = world.ask_as(operation, token, &headers).await;
        let again = world.ask_as(operation, token, &headers).await;
        let replayed = again.header("idempotency-replayed");
        let ignores = operation.method != "POST"
            || operation.path.starts_with("/proxy/")
            || operation.path.starts_with("/agents/")
            || operation.path.starts_with("/vapi/")
            || NOT_KEPT.contains(&operation.name.as_str());
        if ignores {
            assert_eq!(replayed, "", "{}", operation.name);
            continue;
        }
        kept += 1;
        assert!(first.status < 500 && first.header("idempotency-replayed").is_empty(), "{}", operation.name);
        assert_eq!(
            (replayed, again.status, &again.text),
            ("true", first.status, &first.text),
            "{}",
            operation.name
        );
        assert_ne!(again.header("x-request-id"), first.header("x-request-id"));
        for name in ["etag", "location"] {
            assert_eq!(again.header(name), first.header(name), "{}", operation.name);
        }
        // Keys are a credential's own.
        let other = world
            .server
            .token(&[
                "agents:read",
                "agents:write",
                "members:write",
                "audit:read",
                "webhooks:write",
                "policies:write",
                "sessions:write",
            ])
            .await;
        let other = world.ask_as(operation, &other, &headers).await;
        assert_eq!(other.header("idempotency-replayed"), "", "{}", operation.name);
    }
    assert!(kept > 15, "{kept}");
    let agent = json!({ "name": "a", "upstream": "stub" });
    for key in ["", "\u{e9}", "a\tb", &"k".repeat(129)] {
        let headers = [("idempotency-key", key)];
        let answer = world
            .server
            .call_as(&world.server.token, "POST", "/api/v1/agents", Some(agent.clone()), &headers)
            .await;
        assert_eq!(mistake(answer), ("Idempotency-Key".to_owned(), "bad_format".to_owned()), "{key:?}");
    }
    let headers = [("idempotency-key", "k".repeat(128))];
    let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
    world
        .server
        .call_as(&world.server.token, "POST", "/api/v1/agents", Some(agent), &headers)
        .await
        .expect(201);
}

#[tokio::test]
async fn tags_are_given_and_honoured() {
    let world = World::with(&[]).await;
    let server = &world.server;
    let id = server.agent("tagged", json!({})).await;
    let agent = format!("/api/v1/agents/{id}");
    let ask = |method: &'static str, path: String, body: Value, tag: Option<String>| async move {
        let headers: Vec<(&str, &str)> = tag.iter().map(|tag| ("if-match", tag.as_str())).collect();
        let body = (!body.is_null()).then_some(body);
        server.call_as(&server.token, method, &path, body, &headers).await
    };
    let none = || json!({});
    let mut last = String::new();
    for (method, path, body) in [
        ("GET", agent.clone(), Value::Null),
        ("PATCH", agent.clone(), json!({ "platform": "vapi" })),
        ("PUT", agent.clone(), json!({ "platform": "retell" })),
        ("POST", format!("{agent}/pause"), none()),
        ("POST", format!("{agent}/resume"), none()),
        ("POST", format!("{agent}/archive"), none()),
        ("POST", format!("{agent}/activate"), none()),
        ("POST", format!("{agent}/end"), none()),
        ("POST", format!("{agent}/relaunch"), none()),
    ] {
        let answer = ask(method, path.clone(), body, None).await;
        assert_eq!(answer.status, 200, "{method} {path}: {}", answer.text);
        let tag = answer.header("etag").to_owned();
        assert!(tag.starts_with('"') && tag.ends_with('"') && tag != last, "{method} {path}: {tag}");
        last = tag;
    }
    assert_eq!(server.get(&agent).await.header("etag"), last, "reading changes nothing");
    let policy = "/api/v1/policies/desk".to_owned();
    let yaml = |kind: &str| json!({ "yaml": world::DESK.replace("PHONE", kind) });
    let policy_tag = server.get(&policy).await.header("etag").to_owned();
    let account_tag = server.get("/api/v1/account").await.header("etag").to_owned();
    for (path, tag, body) in [
        (agent.clone(), last.clone(), json!({ "platform": "bolna" })),
        (policy.clone(), policy_tag, yaml("EMAIL")),
        ("/api/v1/account".to_owned(), account_tag, json!({ "restore_window_days": 9 })),
    ] {
        let method = if path == policy { "PUT" } else { "PATCH" };
        for wrong in ["\"0\"", "\"999\"", "999", "\"\"", "\"a\", \"b\""] {
            let refused = ask(method, path.clone(), body.clone(), Some(wrong.to_owned())).await;
            assert_eq!(refused.status, 412, "{path} {wrong}: {}", refused.text);
            refused.refused(412, "precondition_failed");
            assert_eq!(server.get(&path).await.header("etag"), tag, "nothing has changed");
        }
        let changed = ask(method, path.clone(), body.clone(), Some(format!("\"x\", {tag}"))).await;
        assert_eq!(changed.status, 200, "{path}: {}", changed.text);
        let new = changed.header("etag").to_owned();
        assert_ne!(new, tag);
        ask(method, path.clone(), body, Some(tag)).await.refused(412, "precondition_failed");
        if path != "/api/v1/account" {
            let wrong = "\"999\"".to_owned();
            ask("DELETE", path.clone(), Value::Null, Some(wrong)).await.refused(412, "precondition_failed");
            ask("DELETE", path.clone(), Value::Null, Some(new)).await.expect(204);
        }
    }
    // What is yet to be made has no revision.
    for tag in ["*", "\"0\"", "\"1\""] {
        let body = json!({ "yaml": world::DESK.replace("desk", "new") });
        ask("PUT", "/api/v1/policies/new".to_owned(), body, Some(tag.to_owned()))
            .await
            .refused(412, "precondition_failed");
    }
    server.get("/api/v1/policies/new").await.refused(404, "policy_not_found");
}

#[tokio::test]
async fn what_a_caller_says_of_itself_is_not_believed() {
    let world = World::with(&[]).await;
    let headers = [
        ("host", "evil.example.com"),
        ("x-forwarded-host", "evil.example.com"),
        ("x-forwarded-proto", "https"),
        ("x-request-id", "req_01JZ8QE5R6S7T8V9W0X1Y2Z3A4"),
    ];
    let path = format!("/api/v1/agents/{}", world.id("agent_id"));
    let shown = world.server.call_as(&world.server.token, "GET", &path, None, &headers).await;
    assert_ne!(shown.header("x-request-id"), "req_01JZ8QE5R6S7T8V9W0X1Y2Z3A4");
    assert!(!shown.text.contains("evil"));
    // A good cookie does not help a bad header.
    for value in ["Bearer mkt_x", "Bearer", "Basic YTpi", ""] {
        let headers = [("cookie", world.cookie.as_str()), ("authorization", value)];
        world.server.call_as("", "GET", "/api/v1/me", None, &headers).await.refused(401, "unauthenticated");
    }
    let headers = [("cookie", "masker_session=x")];
    let me = world.server.call_as(&world.server.token, "GET", "/api/v1/me", None, &headers).await;
    assert_eq!(me.header("set-cookie"), "", "the header was used");
    assert!(me.expect(200)["token"].is_object());
}

/// Every instant in an answer is in UTC, with milliseconds or without a fraction.
fn check_instants(value: &Value) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let is_instant = name.ends_with("_at")
                    || matches!(name.as_str(), "ts" | "since" | "until" | "purge_after");
                if let (true, Some(text)) = (is_instant, value.as_str()) {
                    let digits =
                        text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect::<String>();
                    let is_good =
                        matches!(digits.as_str(), "0000-00-00T00:00:00Z" | "0000-00-00T00:00:00.000Z");
                    assert!(is_good, "{name}: {text}");
                }
                check_instants(value);
            }
        }
        Value::Array(items) => items.iter().for_each(check_instants),
        _ => {}
    }
}

#[tokio::test]
async fn every_object_has_the_members_of_the_contract() {
    const AGENT: &str = "id name status upstream allowed_models tokenization policy_name policy_version policy_source proxy_url webhook_url \
        proxy_auth platform phone_numbers team_id created_at updated_at";
    const AGENT_DETAIL: &str = "policy_yaml rehydrate_scope pin_session_in_url assistant assistant_callback_url baa_chain \
        external_resources metadata created_by archived_at ended_at deleted_at purge_after active_calls stats deletion \
        has_webhook_secret has_upstream_api_key has_vapi_api_key has_proxy_key";
    const SESSION: &str = "id agent_id agent_name agent_deleted started_at ended_at duration_ms status redaction_count \
        redactions_by_kind upstream_model turn_count external_id";
    const SESSION_DETAIL: &str = "policy_name policy_version tokenization platform stage_durations_ms stage_durations_us turns events \
        events_truncated payloads masked_transcript_sha256 merkle_root_hex audit_start_hash audit_root_hash error_code";
    const EVENT: &str =
        "event_id turn pass recognizer entity_kind path span confidence action token_kind kid rehydrated";
    const DELETION: &str = "id agent_id agent_name mode on_active profile deleted_at deleted_by restorable_until status_before \
        active_calls_at_delete calls_terminated sessions_retained sessions_purged vault_rows_purged payloads_purged \
        phone_numbers_released external_resources audit_event_id config_snapshot";
    const POLICY: &str = "name version schema_version sha256 description passes tokenization source active used_by_agents updated_at";
    const REPORT: &str = "schema id scope account window generated_at server_version summary redactions_by_kind redactions_by_pass \
        redactions_by_action safe_harbor_coverage safe_harbor_tally pci leaks retention baa_chain sample_transcripts audit \
        audit_root_hash merkle_root_hex agents sessions signature";
    let world = World::with(&[]).await;
    let (agent, session) = (world.id("agent_id"), world.id("session_id"));
    for (path, at, names) in [
        (format!("/api/v1/agents/{agent}"), "/agent", AGENT),
        (format!("/api/v1/agents/{agent}"), "/agent", AGENT_DETAIL),
        (
            format!("/api/v1/agents/{agent}"),
            "/agent/stats",
            "session_count_24h session_count_7d redaction_count_24h p50_latency_ms p95_latency_ms p50_overhead_ms p95_overhead_ms",
        ),
        (
            format!("/api/v1/agents/{}?include_deleted=true", world.id("deleted_id")),
            "/agent/deletion",
            DELETION,
        ),
        ("/api/v1/agents".to_owned(), "/data/0", AGENT),
        ("/api/v1/agents".to_owned(), "/data/0", "session_count_24h"),
        ("/api/v1/agents?status=deleted".to_owned(), "/data/0", "purge_after"),
        ("/api/v1/sessions".to_owned(), "/data/0", SESSION),
        (format!("/api/v1/agents/{agent}/sessions"), "/data/0", SESSION),
        (format!("/api/v1/sessions/{session}"), "/session", SESSION),
        (format!("/api/v1/sessions/{session}"), "/session", SESSION_DETAIL),
        (
            format!("/api/v1/sessions/{session}"),
            "/session/stage_durations_ms",
            "detection tokenize upstream rehydrate",
        ),
        (
            format!("/api/v1/sessions/{session}"),
            "/session/stage_durations_us",
            "detection tokenize upstream rehydrate",
        ),
        (
            format!("/api/v1/sessions/{session}"),
            "/session/payloads",
            "request masked response upstream_response",
        ),
        (
            format!("/api/v1/sessions/{session}"),
            "/session/turns/0",
            "turn started_at duration_ms status upstream_status stream redaction_count finish_reason request_id",
        ),
        (format!("/api/v1/sessions/{session}"), "/session/events/0", EVENT),
        (format!("/api/v1/sessions/{session}/events"), "/data/0", EVENT),
        ("/api/v1/deletions".to_owned(), "/data/0", DELETION),
        (format!("/api/v1/deletions/{}", world.id("deletion_id")), "/deletion", DELETION),
        ("/api/v1/policies".to_owned(), "/data/0", POLICY),
        ("/api/v1/policies/desk".to_owned(), "/policy", POLICY),
        ("/api/v1/policies/desk".to_owned(), "/policy", "yaml parsed"),
        (format!("/api/v1/sessions/{session}/report"), "/report", REPORT),
        (format!("/api/v1/sessions/{session}/report"), "/report", "session_id agent_id policy_snapshot"),
        (format!("/api/v1/agents/{agent}/report"), "/report", REPORT),
        (format!("/api/v1/agents/{agent}/report"), "/report", "agent_id policy_snapshots"),
        ("/api/v1/reports".to_owned(), "/report", REPORT),
        ("/api/v1/reports".to_owned(), "/report/summary", "sessions redactions alerts coverage_percent"),
        ("/api/v1/reports".to_owned(), "/report/redactions_by_action", "tokenize redact passthrough"),
        (
            "/api/v1/reports".to_owned(),
            "/report/safe_harbor_tally",
            "full partial in_progress not_covered not_applicable",
        ),
        ("/api/v1/reports".to_owned(), "/report/pci", "card_numbers_detected luhn_valid passed_through"),
        (
            "/api/v1/reports".to_owned(),
            "/report/retention",
            "payloads_stored payload_retention_days session_retention_days audit_retention_days",
        ),
        ("/api/v1/reports".to_owned(), "/report/sample_transcripts", "available included"),
        (
            "/api/v1/reports".to_owned(),
            "/report/audit",
            "event_count start_hash audit_root_hash merkle_root_hex verified",
        ),
        ("/api/v1/reports".to_owned(), "/report/signature", "alg key_id sig"),
        (
            "/api/v1/reports".to_owned(),
            "/report/agents/0",
            "id name status upstream tokenization policy_name policy_version config_snapshot",
        ),
        ("/api/v1/me".to_owned(), "", "user account role teams permissions token"),
        (
            "/api/v1/me".to_owned(),
            "/user",
            "id github_login github_id login name email avatar_url created_at last_seen_at",
        ),
        ("/api/v1/me".to_owned(), "/account", "id name plan created_at"),
        (
            "/api/v1/audit/events".to_owned(),
            "/data/0",
            "v seq ts event_id account_id kind actor data prev_hash this_hash",
        ),
        ("/health".to_owned(), "", "status version uptime_seconds components build"),
        ("/health".to_owned(), "/components", "db vault audit_log upstream ner_model"),
        ("/health".to_owned(), "/build", "commit built_at"),
        ("/api/v1/auth/methods".to_owned(), "", "github local signup"),
    ] {
        let body = world.server.get(&path).await.expect(200);
        check_instants(&body);
        let object = body.pointer(at).and_then(Value::as_object);
        let object = object.unwrap_or_else(|| panic!("{path} has no {at}: {body}"));
        for name in names.split_whitespace() {
            assert!(object.contains_key(name), "{path}{at}: {name}: {object:?}");
        }
        if let Some(items) = body["data"].as_array() {
            assert!(body.get("next_cursor").is_some(), "{path}");
            // What only the detail shows would make long lists of short ones.
            let details = ["policy_yaml", "metadata", "stats", "events", "turns", "payloads", "yaml"];
            assert!(items.iter().all(|item| details.iter().all(|name| item.get(*name).is_none())), "{path}");
        }
    }
    let row = world.server.get(&format!("/api/v1/sessions/{session}")).await.expect(200)["session"].clone();
    let sum: i64 =
        row["stage_durations_ms"].as_object().unwrap().values().map(|ms| ms.as_i64().unwrap()).sum();
    assert!(sum <= row["duration_ms"].as_i64().unwrap(), "{row}");
    let sum: i64 = row["redactions_by_kind"].as_object().unwrap().values().map(|n| n.as_i64().unwrap()).sum();
    assert_eq!(row["redaction_count"], sum);
}

#[tokio::test]
async fn a_walk_goes_on_after_a_restart_and_sees_nothing_new() {
    let server = Server::new();
    let agent = server.agent("a", json!({})).await;
    keyed(&server, &agent).await.expect(200);
    for _ in 0..4 {
        server.chat(&agent, "hello").await.expect(200);
    }
    let first = server.get("/api/v1/sessions?since=1h&limit=2&min_redactions=0").await.expect(200);
    let cursor = first["next_cursor"].as_str().unwrap().to_owned();
    let mut seen = first["data"].as_array().unwrap().clone();
    let server = server.restarted(&[]);
    server.chat(&agent, "late").await.expect(200);
    let rest = server.get(&format!("/api/v1/sessions?cursor={cursor}&limit=100&since=1h")).await.expect(200);
    seen.extend(rest["data"].as_array().unwrap().clone());
    let ids: Vec<&str> = seen.iter().map(|row| row["id"].as_str().unwrap()).collect();
    assert!(ids.is_sorted_by(|one, next| one > next), "newest first, and none twice: {ids:?}");
    // The call that was open when the server stopped has ended with it, and is of the time of the walk.
    assert_eq!(ids.len(), 5, "{ids:?}");
    for other in ["since=2h", "min_redactions=1", "status=ok", "kind=PHONE"] {
        let refused = server.get(&format!("/api/v1/sessions?cursor={cursor}&{other}")).await;
        assert_eq!(mistake(refused), ("cursor".to_owned(), "conflicts_with".to_owned()), "{other}");
    }
}

#[tokio::test]
async fn a_session_keeps_what_it_began_with() {
    let world = World::with(&[]).await;
    let server = &world.server;
    let id = server.agent("before", json!({ "platform": "vapi", "policy_name": "desk" })).await;
    let path = format!("/api/v1/agents/{id}");
    let session = server.chat(&id, world::SAID).await.header("masker-session-id").to_owned();
    let shown =
        async || server.get(&format!("/api/v1/sessions/{session}")).await.expect(200)["session"].clone();
    let before = shown().await;
    assert_eq!((&before["agent_name"], &before["platform"]), (&json!("before"), &json!("vapi")));
    assert_eq!(
        (&before["policy_name"], &before["policy_version"], &before["tokenization"]),
        (&json!("desk"), &json!(1), &json!("vault-deterministic"))
    );
    let change = json!({ "name": "after", "platform": "retell", "policy_name": "strict", "tokenization": "reversible-aead" });
    server.patch(&path, change).await.expect(200);
    assert_eq!(shown().await, before);
    server.delete(&path).await.expect(204);
    let mut after = shown().await;
    assert_eq!(after["agent_deleted"], true);
    after["agent_deleted"] = json!(false);
    assert_eq!(after, before);
}
