//! Agents by HTTP: every example and every refusal of the contract's tables.

use serde_json::{Value, json};

use crate::common::Server;

const MISSING: &str = "agt_01JZ8Q4M7T0V3X5YB2C9D6EFGH";

#[tokio::test]
async fn the_life_of_an_agent() {
    let server = Server::new();
    let made = server
        .post("/api/v1/agents", json!({ "name": "refill-line", "upstream": "openai:gpt-4o-mini" }))
        .await;
    let (location, etag) = (made.header("location").to_owned(), made.header("etag").to_owned());
    let agent = made.expect(201)["agent"].clone();
    let id = agent["id"].as_str().unwrap();
    assert_eq!(location, format!("/api/v1/agents/{id}"));
    assert_eq!(etag, "\"1\"");
    for (field, value) in [
        ("name", json!("refill-line")),
        ("status", json!("active")),
        ("upstream", json!("openai:gpt-4o-mini")),
        ("tokenization", json!("vault-deterministic")),
        ("policy_name", json!("healthcare-default")),
        ("policy_version", json!(1)),
        ("policy_source", json!("named")),
        ("proxy_url", json!(format!("http://localhost:8080/proxy/{id}/v1/chat/completions"))),
        ("webhook_url", json!(format!("http://localhost:8080/vapi/webhook/{id}"))),
        ("proxy_auth", json!("url")),
        ("rehydrate_scope", json!("session")),
        ("active_calls", json!(0)),
        ("has_webhook_secret", json!(false)),
        ("allowed_models", json!([])),
    ] {
        assert_eq!(agent[field], value, "{field}");
    }
    let listed = server.get("/api/v1/agents").await.expect(200);
    assert_eq!(listed["data"][0]["id"], id);
    assert_eq!(listed["data"][0]["session_count_24h"], 0);
    assert_eq!(listed["next_cursor"], Value::Null);
    let path = format!("/api/v1/agents/{id}");
    assert!(
        server.get(&path).await.expect(200)["agent"]["policy_yaml"]
            .as_str()
            .unwrap()
            .contains("healthcare-default")
    );
    assert_eq!(server.get(&path.replace("agt_", "AGT_").to_lowercase()).await.status, 200, "ids in any case");
    assert_eq!(server.get(&format!("{path}/sessions")).await.expect(200)["data"], json!([]));
    let gone = server.delete(&path).await;
    assert!(gone.header("masker-deletion-id").starts_with("del_") && gone.text.is_empty());
    assert_eq!(gone.status, 204);
    assert_eq!(server.get(&path).await.refused(404, "agent_not_found")["agent_id"], id);
    server.delete(&path).await.refused(404, "agent_not_found");
    server.get(&format!("{path}/sessions")).await.refused(404, "agent_not_found");
    server.chat(id, "hello").await.refused(404, "agent_not_found");
}

#[tokio::test]
async fn making_one_is_refused_as_the_table_says() {
    let server = Server::new();
    let nothing = json!({ "name": "nothing said", "upstream": "stub", "status": null, "platform": null, "metadata": null });
    let made = server.post("/api/v1/agents", nothing).await.expect(201)["agent"].clone();
    assert_eq!((&made["status"], &made["platform"]), (&json!("active"), &Value::Null));
    let id = made["id"].as_str().unwrap();
    server
        .patch(&format!("/api/v1/agents/{id}"), json!({ "status": null }))
        .await
        .refused(422, "validation_failed");
    server.delete(&format!("/api/v1/agents/{id}")).await.expect(204);
    let post = |body| server.post("/api/v1/agents", body);
    let detail = |error: &Value| (error["details"][0]["field"].clone(), error["details"][0]["issue"].clone());
    let error = post(json!({ "upstream": "stub" })).await.refused(422, "validation_failed");
    assert_eq!(detail(&error), (json!("name"), json!("missing")));
    let error = post(json!({ "name": "a", "upstream": "stub", "polcy_yaml": "x" }))
        .await
        .refused(422, "validation_failed");
    assert_eq!(detail(&error), (json!("polcy_yaml"), json!("unknown_field")));
    let error =
        post(json!({ "name": "a", "upstream": "stub", "policy_name": "strict", "policy_yaml": "x" })).await;
    assert_eq!(
        detail(&error.refused(422, "validation_failed")),
        (json!("policy_yaml"), json!("conflicts_with"))
    );
    for (body, code) in [
        (json!({ "name": "a", "upstream": "openai:gpt-9" }), "unknown_upstream"),
        (json!({ "name": "a", "upstream": "stub", "policy_name": "none" }), "unknown_policy"),
        (json!({ "name": "a", "upstream": "stub", "policy_yaml": "name: x" }), "policy_yaml_invalid"),
        (json!({ "name": "  ", "upstream": "stub" }), "validation_failed"),
        (json!({ "name": "a\u{7}b", "upstream": "stub" }), "validation_failed"),
        (json!({ "name": "x".repeat(65), "upstream": "stub" }), "validation_failed"),
        (json!({ "name": "a", "upstream": "stub", "status": "archived" }), "validation_failed"),
        (json!({ "name": "a", "upstream": "stub", "phone_numbers": ["415"] }), "validation_failed"),
        (json!({ "name": "a", "upstream": "stub", "metadata": { "a": 1 } }), "validation_failed"),
        (json!({ "name": "a", "upstream": "stub", "tokenization": "rot13" }), "validation_failed"),
        (json!([]), "validation_failed"),
    ] {
        post(body.clone()).await.refused(422, code);
    }
    let invalid =
        post(json!({ "name": "a", "upstream": "stub", "policy_yaml": "name: x\nversion: 2\n" })).await;
    let invalid = invalid.refused(422, "policy_yaml_invalid");
    assert!(invalid["details"][0]["line"].is_number() && invalid["details"][0]["code"].is_string());
    let team = json!({ "name": "a", "upstream": "stub", "team_id": "tea_01JZ8Q4M7T0V3X5YB2C9D6EFGH" });
    post(team).await.refused(404, "team_not_found");
    let archived = server.agent("old", json!({})).await;
    server.call("POST", &format!("/api/v1/agents/{archived}/archive"), None).await.expect(200);
    server.agent("Refill-Line", json!({ "phone_numbers": ["+14155550142"] })).await;
    post(json!({ "name": "refill-line", "upstream": "stub" })).await.refused(409, "name_taken");
    let number = json!({ "name": "b", "upstream": "stub", "phone_numbers": ["+14155550142"] });
    post(number).await.refused(409, "phone_number_taken");
    server.patch("/api/v1/account", json!({ "agent_limit": 1 })).await.expect(200);
    let full = post(json!({ "name": "c", "upstream": "stub" })).await.refused(409, "agent_limit_reached");
    assert_eq!((full["limit"].clone(), full["current"].clone()), (json!(1), json!(1)));
    let act = |what: &str| {
        let path = format!("/api/v1/agents/{archived}/{what}");
        let server = &server;
        async move { server.call("POST", &path, None).await }
    };
    act("activate").await.refused(409, "agent_limit_reached");
    act("end").await.expect(200);
}

#[tokio::test]
async fn credentials_bodies_and_paths_are_checked_in_order() {
    let server = Server::new();
    let call = |token: &'static str, method: &'static str, path: &'static str| {
        server.call_as(token, method, path, None, &[])
    };
    let refused = call("", "GET", "/api/v1/agents").await;
    assert_eq!(refused.header("www-authenticate"), "Bearer realm=\"masker\"");
    refused.refused(401, "unauthenticated");
    call("mkt_nonsense", "GET", "/api/v1/agents").await.refused(401, "unauthenticated");
    let reader = server.token(&["agents:read"]).await;
    let refused = server.call_as(&reader, "DELETE", &format!("/api/v1/agents/{MISSING}"), None, &[]).await;
    assert!(refused.header("www-authenticate").contains("scope=\"agents:write\""));
    let error = refused.refused(403, "forbidden");
    assert_eq!((error["reason"].clone(), error["required"].clone()), (json!("scope"), json!("agents:write")));
    server.call_as(&reader, "GET", "/api/v1/agents", None, &[]).await.expect(200);
    server.get("/api/v1/agents/").await.refused(404, "not_found");
    server.get("/api/v1/nothing").await.refused(404, "not_found");
    let wrong = server.call("PATCH", "/api/v1/agents", None).await;
    assert!(wrong.header("allow").contains("GET") && wrong.header("allow").contains("POST"));
    wrong.refused(405, "method_not_allowed");
    for id in ["agt_1", "sess_01JZ8Q4M7T0V3X5YB2C9D6EFGH", "..", "%00"] {
        server.get(&format!("/api/v1/agents/{id}")).await.refused(404, "agent_not_found");
    }
    let request = |media: &str, body: &str| {
        axum::http::Request::builder()
            .method("POST")
            .uri("/api/v1/agents")
            .header("authorization", format!("Bearer {}", server.token))
            .header("content-type", media)
            .body(axum::body::Body::from(body.to_owned()))
            .unwrap()
    };
    server.send(request("text/plain", "{}")).await.refused(415, "unsupported_media_type");
    server.send(request("application/json; charset=utf-8", "{")).await.refused(422, "validation_failed");
    server
        .send(request("application/json", &" ".repeat((1 << 20) + 1)))
        .await
        .refused(413, "payload_too_large");
    server.get("/api/v1/agents?limit=5&limit=6").await.refused(422, "validation_failed");
    let answer = server.get("/api/v1/agents?unknown=1").await;
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
    ] {
        assert_eq!(answer.header(name), value);
    }
    assert!(answer.header("x-request-id").starts_with("req_") && !answer.header("masker-version").is_empty());
}

#[tokio::test]
async fn states_follow_the_picture() {
    let server = Server::new();
    let id = server.agent("a", json!({})).await;
    let act = |action: &str| {
        let path = format!("/api/v1/agents/{id}/{action}");
        let server = &server;
        async move { server.call("POST", &path, None).await }
    };
    let set = |status: &'static str| {
        server.patch(&format!("/api/v1/agents/{}", id.as_str()).leak()[..], json!({ "status": status }))
    };
    let paused = act("pause").await.expect(200);
    assert_eq!(
        (paused["message"].clone(), paused["agent"]["status"].clone()),
        (json!("Agent paused"), json!("paused"))
    );
    act("pause").await.expect(200);
    server.chat(&id, "hello").await.refused(403, "agent_paused");
    let error = act("activate").await.refused(409, "invalid_transition");
    assert_eq!(error["current_status"], "paused");
    assert_eq!(error["details"][0]["allowed"], json!(["active", "archived", "ended"]));
    act("resume").await.expect(200);
    assert!(act("archive").await.expect(200)["agent"]["archived_at"].is_string());
    server.chat(&id, "hello").await.refused(403, "agent_archived");
    act("resume").await.refused(409, "invalid_transition");
    act("pause").await.refused(409, "invalid_transition");
    set("active").await.expect(200);
    let relaunch = act("relaunch").await.refused(400, "invalid_status");
    assert_eq!(
        (relaunch["current_status"].clone(), relaunch["currentStatus"].clone()),
        (json!("active"), json!("active"))
    );
    act("end").await.expect(200);
    server.chat(&id, "hello").await.refused(403, "agent_ended");
    set("active").await.refused(409, "invalid_transition");
    assert_eq!(act("relaunch").await.expect(200)["agent"]["status"], "paused");
    set("ended").await.expect(200);
    assert_eq!(set("paused").await.expect(200)["agent"]["status"], "paused");
    act("restore").await.refused(409, "not_deleted");
    assert_eq!(act("terminate-calls").await.expect(200)["terminated"], 0);
    server
        .post(&format!("/api/v1/agents/{id}/end"), json!({ "on_active": "maybe" }))
        .await
        .refused(422, "validation_failed");
    server
        .call("POST", &format!("/api/v1/agents/{MISSING}/pause"), None)
        .await
        .refused(404, "agent_not_found");
}

#[tokio::test]
async fn changes_keep_what_is_not_named() {
    let server = Server::new();
    let id = server
        .agent(
            "a",
            json!({ "platform": "vapi", "metadata": { "k": "v" }, "webhook_secret": "whsec_example" }),
        )
        .await;
    let path = format!("/api/v1/agents/{id}");
    let changed =
        server.patch(&path, json!({ "name": "b", "platform": null })).await.expect(200)["agent"].clone();
    assert_eq!((changed["name"].clone(), changed["platform"].clone()), (json!("b"), Value::Null));
    assert_eq!(
        (changed["metadata"]["k"].clone(), changed["has_webhook_secret"].clone()),
        (json!("v"), json!(true))
    );
    assert!(!changed.to_string().contains("whsec_example"));
    let put = server.call("PUT", &path, Some(json!({ "name": "c" }))).await.expect(200);
    assert_eq!(put["agent"]["metadata"]["k"], "v");
    server.patch(&path, json!({ "name": null })).await.refused(422, "validation_failed");
    server
        .patch(&format!("/api/v1/agents/{MISSING}"), json!({ "nmae": 1 }))
        .await
        .refused(422, "validation_failed");
    server
        .patch(&format!("/api/v1/agents/{MISSING}"), json!({ "name": "x" }))
        .await
        .refused(404, "agent_not_found");
    let tag = server.get(&path).await.header("etag").to_owned();
    let with = |tag: &str, body: Value| {
        let (server, path, tag) = (&server, path.clone(), tag.to_owned());
        async move { server.call_as(&server.token, "PATCH", &path, Some(body), &[("if-match", &tag)]).await }
    };
    with("\"99\"", json!({ "name": "d" })).await.refused(412, "precondition_failed");
    with(&tag, json!({ "name": "d" })).await.expect(200);
    with(&tag, json!({ "name": "e" })).await.refused(412, "precondition_failed");
    assert_eq!(server.get(&path).await.expect(200)["agent"]["name"], "d");
    let log = server.audit_log();
    let updated = log.lines().find(|line| line.contains("agent_updated")).unwrap();
    assert!(updated.contains("\"fields\":[\"name\",\"platform\"]"), "{updated}");
}

#[tokio::test]
async fn of_two_creations_with_one_name_one_wins() {
    let server = Server::new();
    let body = json!({ "name": "twin", "upstream": "stub" });
    let calls = (0..8).map(|_| server.post("/api/v1/agents", body.clone()));
    let statuses: Vec<u16> =
        futures_util::future::join_all(calls).await.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1);
    assert_eq!(statuses.iter().filter(|status| **status == 409).count(), 7);
}

#[tokio::test]
async fn pages_of_agents_are_stable() {
    let server = Server::new();
    for i in 0..7 {
        server
            .agent(
                &format!("agent {i} Öl"),
                json!({ "platform": if i % 2 == 0 { "vapi" } else { "retell" } }),
            )
            .await;
        // Those of one millisecond have no order among themselves.
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = server.get(&format!("/api/v1/agents?limit=3{cursor}")).await.expect(200);
        seen.extend(page["data"].as_array().unwrap().iter().map(|a| a["name"].as_str().unwrap().to_owned()));
        server.agent(&format!("late {}", seen.len()), json!({})).await;
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let expected: Vec<String> = (0..7).rev().map(|i| format!("agent {i} Öl")).collect();
    assert_eq!(seen, expected);
    let count = |query: &str| {
        let (server, path) = (&server, format!("/api/v1/agents?limit=100&{query}"));
        async move { server.get(&path).await.expect(200)["data"].as_array().unwrap().len() }
    };
    assert_eq!(count("name_contains=AGENT%201").await, 1);
    assert_eq!(count("name_contains=%C3%96L").await, 7);
    assert_eq!(count("platform=vapi").await, 4);
    assert_eq!(count("status=paused,ended").await, 0);
    assert_eq!(count("created_before=2020-01-01").await, 0);
    for bad in [
        "limit=0",
        "limit=101",
        "cursor=abc",
        "status=asleep",
        "platform=fax",
        "created_after=yesterday",
        "name_contains=",
    ] {
        server.get(&format!("/api/v1/agents?{bad}")).await.refused(422, "validation_failed");
    }
}

#[tokio::test]
async fn a_repeat_with_the_same_key_is_answered_from_memory() {
    let server = Server::new();
    let body = json!({ "name": "once", "upstream": "stub" });
    let post = |key: &'static str, body: Value| {
        let server = &server;
        async move {
            server
                .call_as(&server.token, "POST", "/api/v1/agents", Some(body), &[("idempotency-key", key)])
                .await
        }
    };
    let first = post("k1", body.clone()).await;
    let again = post("k1", body.clone()).await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.header("location"), first.header("location"));
    assert_eq!((again.status, &again.text), (first.status, &first.text));
    post("k1", json!({ "name": "other", "upstream": "stub" })).await.refused(422, "idempotency_key_reused");
    post("k2", body.clone()).await.refused(409, "name_taken");
    let replay = post("k2", body).await;
    assert_eq!((replay.status, replay.header("idempotency-replayed")), (409, "true"));
    post("", json!({ "name": "x", "upstream": "stub" })).await.refused(422, "validation_failed");
    // After a day a key is forgotten.
    let database = rusqlite::Connection::open(server.folder.path().join("data/masker.db")).unwrap();
    database.execute_batch("UPDATE idempotency SET at = at - 86400001").unwrap();
    let anew = post("k1", json!({ "name": "once", "upstream": "stub" })).await;
    assert_eq!(anew.header("idempotency-replayed"), "");
    anew.refused(409, "name_taken");
}

/// `null` takes back what a field was set to.
#[tokio::test]
async fn null_clears_what_was_set() {
    let server = Server::new();
    let plain = server.agent("plain", json!({})).await;
    let plain = server.get(&format!("/api/v1/agents/{plain}")).await.expect(200)["agent"].clone();
    let set = json!({
        "allowed_models": ["gpt-4.1"], "tokenization": "reversible-aead", "policy_name": "strict", "proxy_auth": "bearer",
        "rehydrate_scope": "agent", "pin_session_in_url": true, "forward_unknown_fields": true, "platform": "vapi",
        "phone_numbers": ["+14155550142"], "assistant": { "firstMessage": "Hello." },
        "assistant_callback_url": "https://hooks.example.com/a", "webhook_auth": { "mode": "bearer" },
        "baa_chain": [{ "vendor": "Example Voice", "role": "voice_platform" }],
        "external_resources": [{ "type": "vapi_assistant", "external_id": "asst-12" }], "metadata": { "k": "v" },
        "webhook_secret": "s1", "upstream_api_key": "s2", "vapi_api_key": "s3", "proxy_key": "s4",
    });
    let id = server.agent("set", set.clone()).await;
    let path = format!("/api/v1/agents/{id}");
    let before = server.get(&path).await.expect(200)["agent"].clone();
    for name in set.as_object().unwrap().keys() {
        let secret = format!("has_{name}");
        let shown = if before.get(&secret).is_some() { secret.as_str() } else { name.as_str() };
        assert_ne!(before[shown], plain[shown], "{name} was set");
        let body = serde_json::Map::from_iter([(name.clone(), Value::Null)]);
        let after = server.patch(&path, body.into()).await;
        assert_eq!(after.status, 200, "{name}: {}", after.text);
        assert_eq!(after.json()["agent"][shown], plain[shown], "{name} is cleared");
    }
    // An agent's own policy is cleared by either of its fields, and keeps its count of revisions by neither.
    let yaml = include_str!("../../../configs/mask_policy.yaml");
    let own = |more: &str| format!("{yaml}{more}");
    for (body, source, name, version) in [
        (json!({ "policy_yaml": own("") }), "inline", "healthcare-default", 1),
        (
            json!({ "policy_name": null, "policy_yaml": own("surface: alias\n") }),
            "inline",
            "healthcare-default",
            2,
        ),
        (json!({ "policy_yaml": null }), "named", "healthcare-default", 1),
        (json!({ "policy_yaml": null }), "named", "healthcare-default", 1),
        (json!({ "policy_name": "strict", "policy_yaml": null }), "named", "strict", 1),
        (json!({ "policy_yaml": null }), "named", "strict", 1),
        (json!({ "policy_yaml": own("") }), "inline", "healthcare-default", 1),
        (json!({ "policy_name": null }), "named", "healthcare-default", 1),
    ] {
        let agent = server.patch(&path, body.clone()).await.expect(200)["agent"].clone();
        assert_eq!(
            (&agent["policy_source"], &agent["policy_name"], &agent["policy_version"]),
            (&json!(source), &json!(name), &json!(version)),
            "{}",
            body["policy_name"]
        );
    }
    for name in ["name", "upstream", "status"] {
        let body = serde_json::Map::from_iter([(name.to_owned(), Value::Null)]);
        server.patch(&path, body.into()).await.refused(422, "validation_failed");
    }
}

#[tokio::test]
async fn every_field_has_its_rule() {
    let server = Server::new();
    let texts = |n: usize| vec!["+14155550142"; n];
    let rows = |n: usize, row: Value| vec![row; n];
    let many: serde_json::Map<String, Value> = (0..11).map(|i| (format!("k{i}"), json!("v"))).collect();
    let long = "k".repeat(41);
    let at_long = format!("metadata.{long}");
    for (field, value, at, issue) in [
        ("name", json!(7), "name", "wrong_type"),
        ("name", json!(" \t "), "name", "too_short"),
        ("name", json!("x".repeat(65)), "name", "too_long"),
        ("name", json!("a\u{7f}b"), "name", "bad_format"),
        ("upstream", json!(["stub"]), "upstream", "wrong_type"),
        ("allowed_models", json!("gpt-4o"), "allowed_models", "wrong_type"),
        ("allowed_models", json!(["a b"]), "allowed_models", "bad_format"),
        ("tokenization", json!("redact"), "tokenization", "bad_value"),
        ("policy_yaml", json!("x".repeat((256 << 10) + 1)), "policy_yaml", "too_long"),
        ("status", json!("deleted"), "status", "bad_value"),
        ("status", json!(1), "status", "wrong_type"),
        ("proxy_auth", json!("none"), "proxy_auth", "bad_value"),
        ("rehydrate_scope", json!("account"), "rehydrate_scope", "bad_value"),
        ("pin_session_in_url", json!("yes"), "pin_session_in_url", "wrong_type"),
        ("platform", json!("fax"), "platform", "bad_value"),
        ("phone_numbers", json!("+14155550142"), "phone_numbers", "wrong_type"),
        ("phone_numbers", json!(texts(21)), "phone_numbers", "too_long"),
        ("phone_numbers", json!(texts(2)), "phone_numbers.1", "duplicate"),
        ("phone_numbers", json!(["14155550142"]), "phone_numbers.0", "bad_format"),
        ("phone_numbers", json!(["+0155550142"]), "phone_numbers.0", "bad_format"),
        ("phone_numbers", json!(["+1415555014212345"]), "phone_numbers.0", "bad_format"),
        ("assistant", json!([]), "assistant", "wrong_type"),
        ("assistant_callback_url", json!("ftp://example.com"), "assistant_callback_url", "bad_format"),
        ("assistant_callback_url", json!("https://a:b@example.com/"), "assistant_callback_url", "bad_format"),
        ("webhook_auth", json!({ "mode": "none" }), "webhook_auth.mode", "bad_value"),
        ("webhook_auth", json!({ "made_up": 1 }), "webhook_auth.made_up", "unknown_field"),
        ("baa_chain", json!(rows(21, json!({ "vendor": "v", "role": "r" }))), "baa_chain", "too_long"),
        ("baa_chain", json!([{ "role": "r" }]), "baa_chain.0.vendor", "missing"),
        (
            "baa_chain",
            json!([{ "vendor": "v", "role": "r", "extra": 1 }]),
            "baa_chain.0.extra",
            "unknown_field",
        ),
        ("external_resources", json!([{ "type": "t" }]), "external_resources.0.external_id", "missing"),
        ("external_resources", json!([1]), "external_resources.0", "wrong_type"),
        (
            "external_resources",
            json!([{ "type": "t", "external_id": "1", "cleanup_url": "hooks" }]),
            "external_resources.0.cleanup_url",
            "bad_format",
        ),
        ("metadata", json!(many), "metadata", "too_long"),
        ("metadata", json!({ "note": 1 }), "metadata.note", "wrong_type"),
        ("metadata", json!({ "note": "x".repeat(501) }), "metadata.note", "too_long"),
        ("metadata", json!({ (long.clone()): "x" }), at_long.as_str(), "bad_format"),
        ("metadata", json!({ "call Ann Reed": 1 }), "metadata.?", "wrong_type"),
        ("webhook_secret", json!(""), "webhook_secret", "bad_format"),
        ("proxy_key", json!("a\nb"), "proxy_key", "bad_format"),
        ("id", json!("agt_01JZ8Q4M7T0V3X5YB2C9D6EFGH"), "id", "unknown_field"),
        ("created_at", json!("2026-03-02T09:15:04Z"), "created_at", "unknown_field"),
    ] {
        let mut body = json!({ "name": "new", "upstream": "stub" });
        body[field] = value.clone();
        let error = server.post("/api/v1/agents", body).await.refused(422, "validation_failed");
        let details = error["details"].as_array().unwrap();
        assert_eq!(details.len(), 1, "{field}: {error}");
        assert_eq!(
            (&details[0]["field"], &details[0]["issue"]),
            (&json!(at), &json!(issue)),
            "{field}: {error}"
        );
    }
    assert_eq!(server.get("/api/v1/agents").await.expect(200)["data"], json!([]));
    // At the edge of each rule.
    let edge = json!({
        "name": format!("  {}  ", "\u{e9}".repeat(64)), "phone_numbers": (0..20).map(|i| format!("+141555501{i:02}")).collect::<Vec<_>>(),
        "metadata": { ("k".repeat(40)): "x".repeat(500) }, "baa_chain": rows(20, json!({ "vendor": "v", "role": "r", "reference": null })),
        "allowed_models": ["*"], "status": "paused",
    });
    let id = server.agent("x", edge).await;
    let agent = server.get(&format!("/api/v1/agents/{id}")).await.expect(200)["agent"].clone();
    assert_eq!((&agent["name"], &agent["status"]), (&json!("\u{e9}".repeat(64)), &json!("paused")));
    assert_eq!(agent["phone_numbers"].as_array().unwrap().len(), 20);
}

/// By action or by PATCH, an agent goes where the picture has an arrow, and nowhere else.
#[tokio::test]
async fn every_arrow_of_the_picture_and_no_other() {
    let server = Server::new();
    // From each state: what PATCH to active, paused, archived and ended gives, then each action.
    let picture = [
        ("active", [200, 200, 200, 200], [200, 200, 200, 200, 200, 400]),
        ("paused", [200, 200, 200, 200], [200, 200, 200, 409, 200, 400]),
        ("archived", [200, 409, 200, 200], [409, 409, 200, 200, 200, 400]),
        ("ended", [409, 200, 409, 200], [409, 409, 409, 409, 200, 200]),
    ];
    let actions = [
        ("pause", "paused"),
        ("resume", "active"),
        ("archive", "archived"),
        ("activate", "active"),
        ("end", "ended"),
        ("relaunch", "paused"),
    ];
    let states = ["active", "paused", "archived", "ended"];
    let mut round = 0;
    for (from, by_patch, by_action) in picture {
        let asked = states.iter().zip(by_patch).map(|(to, status)| (None, *to, status));
        let acted = actions.iter().zip(by_action).map(|((action, to), status)| (Some(*action), *to, status));
        for (action, to, status) in asked.chain(acted) {
            round += 1;
            let id = server.agent(&format!("a{round}"), json!({})).await;
            let path = format!("/api/v1/agents/{id}");
            server.patch(&path, json!({ "status": from })).await.expect(200);
            let events = server.audit_log().lines().filter(|line| line.contains(&id)).count();
            let answer = match action {
                Some(action) => server.call("POST", &format!("{path}/{action}"), None).await,
                None => server.patch(&path, json!({ "status": to, "platform": null })).await,
            };
            let shown = format!("{from} {action:?} {to}");
            assert_eq!(answer.status, status, "{shown}: {}", answer.text);
            let now = server.get(&path).await.expect(200)["agent"].clone();
            let told = server.audit_log().lines().filter(|line| line.contains(&id)).count() - events;
            if status == 200 {
                assert_eq!(now["status"], to, "{shown}");
                let body = answer.json();
                assert_eq!(body["agent"]["status"], to, "{shown}");
                assert_eq!(body["message"].is_string(), action.is_some(), "{shown}");
                assert_eq!(now["ended_at"].is_string(), to == "ended", "{shown}");
                // What leads to the present state is done already, and nothing to tell of.
                let changes = usize::from(from != to) + usize::from(action.is_none());
                assert_eq!(told, changes, "{shown}");
                continue;
            }
            let code = if status == 400 { "invalid_status" } else { "invalid_transition" };
            let error = answer.refused(status, code);
            assert_eq!(error["current_status"], from, "{shown}");
            if status == 409 {
                let allowed: Vec<&str> = states
                    .into_iter()
                    .zip(by_patch)
                    .filter(|(to, status)| *to != from && *status == 200)
                    .map(|(to, _)| to)
                    .collect();
                assert_eq!(error["details"][0]["allowed"], json!(allowed), "{shown}");
            }
            assert_eq!((&now["status"], told), (&json!(from), 0), "{shown}: nothing was done");
        }
    }
}

#[tokio::test]
async fn a_relaunch_clears_what_was_and_takes_what_is_given() {
    let server = Server::new();
    let more = json!({
        "webhook_secret": "old", "proxy_key": "old", "metadata": { "k": "v" },
        "external_resources": [{ "type": "vapi_assistant", "external_id": "asst-12" }],
    });
    let id = server.agent("a", more).await;
    let path = format!("/api/v1/agents/{id}");
    server.call("POST", &format!("{path}/end"), None).await.expect(200);
    let agent = server.call("POST", &format!("{path}/relaunch"), None).await.expect(200)["agent"].clone();
    assert_eq!((&agent["has_webhook_secret"], &agent["has_proxy_key"]), (&json!(false), &json!(false)));
    assert_eq!((&agent["external_resources"], &agent["metadata"]["k"]), (&json!([]), &json!("v")));
    server.patch(&path, json!({ "status": "ended", "proxy_key": "old" })).await.expect(200);
    let body = json!({ "status": "paused", "webhook_secret": "new" });
    let agent = server.patch(&path, body).await.expect(200)["agent"].clone();
    assert_eq!((&agent["has_webhook_secret"], &agent["has_proxy_key"]), (&json!(true), &json!(false)));
}

#[tokio::test]
async fn a_call_can_be_ended_refused_or_left_to_its_end() {
    let server = Server::new();
    for (on_active, status, sessions) in [
        (Value::Null, 200, "in_progress"),
        (json!("drain"), 200, "in_progress"),
        (json!("reject"), 409, "in_progress"),
        (json!("terminate"), 200, "error"),
    ] {
        let id = server.agent(&format!("agent {on_active}"), json!({})).await;
        let say = || {
            let body = json!({ "messages": [{ "role": "user", "content": "x" }] });
            let (server, path) = (&server, format!("/proxy/{id}/s/call-1/v1/chat/completions"));
            async move { server.call_as("", "POST", &path, Some(body), &[]).await }
        };
        let session = say().await.header("masker-session-id").to_owned();
        let path = format!("/api/v1/agents/{id}/end");
        let answer = server.post(&path, json!({ "on_active": on_active })).await;
        if status == 409 {
            let error = answer.refused(409, "agent_has_active_calls");
            assert_eq!((&error["active_calls"], &error["agent_id"]), (&json!(1), &json!(id)));
            assert!(error["message"].as_str().unwrap().contains("end an agent"), "{error}");
        } else {
            assert_eq!(answer.expect(200)["agent"]["status"], "ended");
        }
        let shown =
            server.get(&format!("/api/v1/sessions/{session}")).await.expect(200)["session"]["status"].clone();
        assert_eq!(shown, sessions, "{on_active}");
        // What is open goes on, and nothing new begins.
        let again = say().await;
        if on_active == "terminate" {
            assert!(matches!(again.status, 403 | 410), "{}", again.text);
        } else {
            again.expect(200);
        }
        if status == 200 {
            server.chat(&id, "x").await.refused(403, "agent_ended");
        }
        for bad in [
            json!({ "on_active": "now" }),
            json!({ "on_active": true }),
            json!({ "onActive": "drain" }),
            json!([]),
        ] {
            server.post(&path, bad).await.refused(422, "validation_failed");
        }
    }
    let id = server.agent("reasons", json!({})).await;
    let path = format!("/api/v1/agents/{id}/terminate-calls");
    for (body, status) in [
        (json!({ "reason": "r".repeat(200) }), 200),
        (json!({ "reason": null }), 200),
        (json!({ "reason": "r".repeat(201) }), 422),
        (json!({ "reason": 7 }), 422),
        (json!({ "why": "x" }), 422),
    ] {
        assert_eq!(server.post(&path, body.clone()).await.status, status, "{body}");
    }
    server.post(&path, json!({ "reason": "Quillfeather" })).await.expect(200);
    assert!(!server.audit_log().contains("Quillfeather"), "a reason is not logged");
}

/// Windows are closed at their begin and open at their end, of agents as of sessions.
#[tokio::test]
async fn lists_are_filtered_to_the_instant() {
    let server = Server::new();
    let team = server.post("/api/v1/teams", json!({ "name": "night" })).await.expect(201);
    let team = team["team"]["id"].as_str().unwrap().to_owned();
    let mut agents = Vec::new();
    for (name, more) in [
        ("a", json!({ "team_id": team })),
        ("b", json!({ "status": "paused" })),
        ("c", json!({ "platform": "custom" })),
    ] {
        let id = server.agent(name, more).await;
        agents.push(server.get(&format!("/api/v1/agents/{id}")).await.expect(200)["agent"].clone());
        server.chat(&id, &"call 415-555-0142 ".repeat(agents.len())).await;
        // Those of one millisecond have no order among themselves.
        tokio::time::sleep(std::time::Duration::from_millis(3)).await;
    }
    let b = agents[1]["created_at"].as_str().unwrap();
    let east = b.replace('Z', "%2B00:00");
    for (query, names) in [
        (format!("created_after={b}"), "cb"),
        (format!("created_before={b}"), "a"),
        (format!("created_after={east}&created_before={b}"), ""),
        (format!("created_after={b}&created_before=2999-01-01"), "cb"),
        (format!("team_id={team}"), "a"),
        (format!("team_id={}", team.to_lowercase()), "a"),
        ("team_id=tea_1".to_owned(), ""),
        ("status=paused".to_owned(), "b"),
        ("status=paused,active".to_owned(), "cba"),
        ("status=deleted".to_owned(), ""),
        ("platform=custom".to_owned(), "c"),
        ("platform=custom&status=paused".to_owned(), ""),
        ("name_contains=B".to_owned(), "b"),
        ("unknown=x".to_owned(), "cba"),
    ] {
        let page = server.get(&format!("/api/v1/agents?{query}")).await.expect(200);
        let found: String =
            page["data"].as_array().unwrap().iter().map(|agent| agent["name"].as_str().unwrap()).collect();
        assert_eq!(found, names, "{query}");
    }
    let long = "x".repeat(65);
    for bad in [
        format!("name_contains={long}"),
        "status=paused,".to_owned(),
        "status=PAUSED".to_owned(),
        "created_after=24h".to_owned(),
        "created_before=".to_owned(),
        "created_after=2026-03-02T09:15:04+01:00".to_owned(),
        "platform=".to_owned(),
        "team_id=".to_owned(),
        "name_contains=%FF".to_owned(),
        "name_contains=%".to_owned(),
    ] {
        server.get(&format!("/api/v1/agents?{bad}")).await.refused(422, "validation_failed");
    }
    // The paused one had no session; the others have one redaction and three.
    let all = server.get("/api/v1/sessions").await.expect(200)["data"].clone();
    let (first, last) = (&all[1], &all[0]);
    assert_eq!(
        (all.as_array().unwrap().len(), &first["redaction_count"], &last["redaction_count"]),
        (2, &json!(1), &json!(3))
    );
    let at = last["started_at"].as_str().unwrap();
    let one = first["agent_id"].as_str().unwrap();
    for (query, count) in [
        (format!("since={at}"), 1),
        (format!("since=all&until={at}"), 1),
        (format!("since={}", first["started_at"].as_str().unwrap()), 2),
        ("min_redactions=1".to_owned(), 2),
        ("min_redactions=2".to_owned(), 1),
        ("min_redactions=3&kind=PHONE&status=ok".to_owned(), 1),
        ("min_redactions=2147483647".to_owned(), 0),
        ("kind=PHON".to_owned(), 0),
        ("kind=NAME".to_owned(), 0),
        ("external_id=call-1".to_owned(), 0),
        (format!("agent_id={one}"), 1),
        (format!("agent_id={}", one.to_lowercase()), 1),
        (format!("agent_id={one}&min_redactions=2"), 0),
        ("agent_id=".to_owned(), 0),
        ("status=partial,error,in_progress".to_owned(), 0),
    ] {
        let page = server.get(&format!("/api/v1/sessions?{query}")).await.expect(200);
        assert_eq!(page["data"].as_array().unwrap().len(), count, "{query}");
    }
    for bad in [
        "min_redactions=2147483648",
        "min_redactions=",
        "min_redactions=1.0",
        "kind=",
        "external_id=",
        "status=",
        "status=done",
        "status=ok,,error",
    ] {
        server.get(&format!("/api/v1/sessions?{bad}")).await.refused(422, "validation_failed");
        server.get(&format!("/api/v1/agents/{one}/sessions?{bad}")).await.refused(422, "validation_failed");
    }
}
