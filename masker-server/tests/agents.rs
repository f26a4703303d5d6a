//! Agents by HTTP: every example and every refusal of the contract's tables.

mod common;

use common::Server;
use serde_json::{Value, json};

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
    server.agent("Refill-Line", json!({ "phone_numbers": ["+14155550142"] })).await;
    post(json!({ "name": "refill-line", "upstream": "stub" })).await.refused(409, "name_taken");
    let number = json!({ "name": "b", "upstream": "stub", "phone_numbers": ["+14155550142"] });
    post(number).await.refused(409, "phone_number_taken");
    server.patch("/api/v1/account", json!({ "agent_limit": 1 })).await.expect(200);
    let full = post(json!({ "name": "c", "upstream": "stub" })).await.refused(409, "agent_limit_reached");
    assert_eq!((full["limit"].clone(), full["current"].clone()), (json!(1), json!(1)));
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
}
