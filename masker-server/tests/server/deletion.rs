//! Deleting agents: the three profiles, the modes, and what each leaves.

use serde_json::{Value, json};

use crate::common::{self, Server};

async fn keyed(server: &Server, agent: &str, key: &str) -> common::Answer {
    let body = json!({ "messages": [{ "role": "user", "content": "I'm Ann Reed, call 415-555-0142" }] });
    server.call_as("", "POST", &format!("/proxy/{agent}/s/{key}/v1/chat/completions"), Some(body), &[]).await
}

#[tokio::test]
async fn hard_deletion_keeps_history() {
    let server = Server::new();
    let id = server.agent("a", json!({ "phone_numbers": ["+14155550142"] })).await;
    server.chat(&id, "call 415-555-0142").await.expect(200);
    let plan = server.delete(&format!("/api/v1/agents/{id}?dry_run=true")).await.expect(200);
    assert_eq!(
        (plan["would_delete"].clone(), plan["plan"]["sessions_retained"].clone()),
        (json!(true), json!(1))
    );
    let deleted = server.delete(&format!("/api/v1/agents/{id}")).await;
    assert_eq!(deleted.status, 204);
    let receipt =
        server.get(&format!("/api/v1/deletions/{}", deleted.header("masker-deletion-id"))).await.expect(200);
    let receipt = &receipt["deletion"];
    assert_eq!((receipt["mode"].clone(), receipt["agent_name"].clone()), (json!("hard"), json!("a")));
    assert_eq!(receipt["phone_numbers_released"], json!(["+14155550142"]));
    assert!(receipt["config_snapshot"]["policy_yaml"].is_string());
    assert!(receipt["audit_event_id"].as_str().unwrap().starts_with("evt_"));
    let sessions = server.get("/api/v1/sessions").await.expect(200);
    assert_eq!(sessions["data"][0]["agent_deleted"], true);
    let of_agent = server.get(&format!("/api/v1/sessions?agent_id={id}")).await.expect(200);
    assert_eq!(of_agent["data"].as_array().unwrap().len(), 1);
    server.agent("A", json!({ "phone_numbers": ["+14155550142"] })).await;
    let list = server.get(&format!("/api/v1/deletions?agent_id={id}")).await.expect(200);
    assert_eq!(list["data"].as_array().unwrap().len(), 1);
    server.get("/api/v1/deletions/del_01JZ8Q4M7T0V3X5YB2C9D6EFGH").await.refused(404, "deletion_not_found");
    let log = server.audit_log();
    let event: Value =
        serde_json::from_str(log.lines().find(|line| line.contains("agent_deleted")).unwrap()).unwrap();
    assert_eq!(
        (event["data"]["mode"].clone(), event["data"]["phone_numbers_released"].clone()),
        (json!("hard"), json!(1))
    );
    server.post(&format!("/api/v1/agents/{id}/restore"), json!({})).await.refused(404, "agent_not_found");
}

#[tokio::test]
async fn ayra_refuses_while_calls_are_active() {
    let server = Server::new();
    let id = server.agent("a", json!({})).await;
    keyed(&server, &id, "call-1").await.expect(200);
    keyed(&server, &id, "call-2").await.expect(200);
    let detail = server.get(&format!("/api/v1/agents/{id}")).await.expect(200);
    assert_eq!(detail["agent"]["active_calls"], 2);
    let error = server
        .delete(&format!("/api/v1/agents/{id}?profile=ayra"))
        .await
        .refused(409, "agent_has_active_calls");
    assert_eq!((error["active_calls"].clone(), error["agent_id"].clone()), (json!(2), json!(id)));
    assert_eq!(error["type"], "conflict");
    server
        .post(&format!("/api/v1/agents/{id}/end"), json!({ "on_active": "reject" }))
        .await
        .refused(409, "agent_has_active_calls");
    let deleted = server
        .delete(&format!("/api/v1/agents/{id}?profile=ayra&on_active=terminate&response=message"))
        .await
        .expect(200);
    assert_eq!(deleted["deletion"]["calls_terminated"], 2);
    let sessions = server.get("/api/v1/sessions?status=error").await.expect(200);
    assert_eq!(sessions["data"].as_array().unwrap().len(), 2);
    let session = sessions["data"][0]["id"].as_str().unwrap();
    let detail = server.get(&format!("/api/v1/sessions/{session}")).await.expect(200);
    assert_eq!(detail["session"]["error_code"], "terminated");
}

#[tokio::test]
async fn kakiyo_wants_it_ended_and_purges() {
    let server = Server::new();
    let id = server.agent("a", json!({})).await;
    server.chat(&id, "I'm Ann Reed, call 415-555-0142").await.expect(200);
    let error =
        server.delete(&format!("/api/v1/agents/{id}?profile=kakiyo")).await.refused(400, "invalid_status");
    assert_eq!(
        (error["currentStatus"].clone(), error["required_status"].clone()),
        (json!("active"), json!(["ended"]))
    );
    server.call("POST", &format!("/api/v1/agents/{id}/end"), None).await.expect(200);
    let done = server.delete(&format!("/api/v1/agents/{id}?profile=kakiyo")).await.expect(200);
    assert_eq!(done["message"], "Agent deleted successfully");
    assert_eq!(
        (done["deletion"]["sessions_purged"].clone(), done["deletion"]["vault_rows_purged"].clone()),
        (json!(1), json!(2))
    );
    assert_eq!(done["deletion"]["agent_name"], Value::Null);
    assert_eq!(server.get("/api/v1/sessions?since=all").await.expect(200)["data"], json!([]));
    server.patch("/api/v1/account", json!({ "deletion_profile": "kakiyo" })).await.expect(200);
    let other = server.agent("b", json!({})).await;
    server.delete(&format!("/api/v1/agents/{other}")).await.refused(400, "invalid_status");
    server.delete(&format!("/api/v1/agents/{other}?mode=maybe")).await.refused(422, "validation_failed");
    server.delete(&format!("/api/v1/agents/{other}?profile=masker")).await.expect(204);
}

#[tokio::test]
async fn soft_deletion_can_be_undone() {
    let server = Server::new();
    let id = server
        .agent("a", json!({ "phone_numbers": ["+14155550142", "+14155550143"], "webhook_secret": "s3" }))
        .await;
    server.chat(&id, "hello").await.expect(200);
    let path = format!("/api/v1/agents/{id}");
    server.delete(&format!("{path}?mode=soft")).await.expect(204);
    server.get(&path).await.refused(404, "agent_not_found");
    server.chat(&id, "hello").await.refused(404, "agent_not_found");
    let deleted = server.get(&format!("{path}?include_deleted=true")).await.expect(200);
    assert_eq!(
        (deleted["agent"]["status"].clone(), deleted["agent"]["deletion"]["mode"].clone()),
        (json!("deleted"), json!("soft"))
    );
    assert!(
        server.get("/api/v1/agents?status=deleted").await.expect(200)["data"][0]["purge_after"].is_string()
    );
    assert_eq!(server.get("/api/v1/agents").await.expect(200)["data"], json!([]));
    server.delete(&path).await.refused(404, "agent_not_found");
    let other = server.agent("A", json!({ "phone_numbers": ["+14155550142"] })).await;
    server.post(&format!("{path}/restore"), json!({})).await.refused(409, "name_taken");
    let server = server.restarted(&[]);
    let restored = server.post(&format!("{path}/restore"), json!({ "name": "a again" })).await.expect(200);
    assert_eq!(restored["phone_numbers_lost"], json!(["+14155550142"]));
    assert_eq!(restored["agent"]["phone_numbers"], json!(["+14155550143"]));
    assert_eq!(restored["agent"]["has_webhook_secret"], true);
    assert_eq!(server.get("/api/v1/sessions").await.expect(200)["data"][0]["agent_deleted"], false);
    server.chat(&id, "hello").await.expect(200);
    server.post(&format!("{path}/restore"), json!({})).await.refused(409, "not_deleted");
    server.delete(&format!("/api/v1/agents/{other}?mode=soft")).await.expect(204);
    server.delete(&format!("/api/v1/agents/{other}?mode=hard")).await.expect(204);
    server.post(&format!("/api/v1/agents/{other}/restore"), json!({})).await.refused(404, "agent_not_found");
}

#[tokio::test]
async fn many_at_once() {
    let server = Server::new();
    let (a, b) = (server.agent("a", json!({})).await, server.agent("b", json!({})).await);
    server.call("POST", &format!("/api/v1/agents/{a}/end"), None).await.expect(200);
    let body = json!({ "ids": [a, b], "profile": "kakiyo", "dry_run": true });
    assert_eq!(server.post("/api/v1/agents/bulk-delete", body).await.expect(200)["deleted"], 1);
    let done = server
        .post("/api/v1/agents/bulk-delete", json!({ "ids": [a, b], "profile": "kakiyo" }))
        .await
        .expect(200);
    assert_eq!(
        (done["deleted"].clone(), done["failed"].clone(), done["remaining"].clone()),
        (json!(1), json!(1), json!(0))
    );
    assert_eq!(done["results"][1]["error"]["code"], "invalid_status");
    let filter = json!({ "filter": { "status": ["active"] }, "limit": 1 });
    server.agent("c", json!({})).await;
    let done = server.post("/api/v1/agents/bulk-delete", filter).await.expect(200);
    assert_eq!((done["results"][0]["id"].clone(), done["remaining"].clone()), (json!(b), json!(1)));
    for bad in [
        json!({}),
        json!({ "ids": [] }),
        json!({ "filter": {} }),
        json!({ "ids": [a], "filter": { "status": ["ended"] } }),
        json!({ "filter": { "status": ["asleep"] } }),
    ] {
        server.post("/api/v1/agents/bulk-delete", bad).await.refused(422, "validation_failed");
    }
}

#[tokio::test]
async fn requests_in_flight_finish_and_later_ones_are_refused() {
    let server = std::sync::Arc::new(Server::new());
    let id = server.agent("a", json!({})).await;
    let mut calls = Vec::new();
    for i in 0..200 {
        let (server, id) = (server.clone(), id.clone());
        calls.push(tokio::spawn(async move {
            let body = json!({ "messages": [{ "role": "user", "content": format!("call 415-555-01{:02}", i % 100) }] });
            let headers = [("masker-stub", "delay_ms=300")];
            server.call_as("", "POST", &format!("/proxy/{id}/v1/chat/completions"), Some(body), &headers).await
        }));
    }
    tokio::time::sleep(std::time::Duration::from_millis(150)).await;
    server.delete(&format!("/api/v1/agents/{id}")).await.expect(204);
    server.chat(&id, "late").await.refused(404, "agent_not_found");
    let (mut finished, mut late) = (0, 0);
    for call in calls {
        let answer = call.await.unwrap();
        match answer.status {
            200 => finished += 1,
            404 => late += 1,
            other => panic!("{other}: {}", answer.text),
        }
    }
    assert_eq!(finished + late, 200);
    let mut count = 0;
    let mut cursor = String::new();
    loop {
        let page = server.get(&format!("/api/v1/sessions?limit=100{cursor}")).await.expect(200);
        count += page["data"].as_array().unwrap().len();
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(count, finished, "every session that ran is written");
    assert_eq!(server.get("/api/v1/sessions?status=in_progress").await.expect(200)["data"], json!([]));
}

/// Every profile in every state, with and without a call, as a plan and in earnest.
#[tokio::test]
async fn each_profile_refuses_and_keeps_what_it_says() {
    let server = Server::new();
    let mut round = 0;
    for profile in ["masker", "ayra", "kakiyo"] {
        for status in ["active", "paused", "archived", "ended"] {
            for calls in [0, 1] {
                round += 1;
                let shown = format!("{profile} {status} {calls}");
                let id = server.agent(&format!("agent {round}"), json!({})).await;
                let path = format!("/api/v1/agents/{id}");
                let done = server.chat(&id, "call 415-555-0142").await.header("masker-session-id").to_owned();
                if calls == 1 {
                    keyed(&server, &id, "call-1").await.expect(200);
                }
                if status != "active" {
                    server.patch(&path, json!({ "status": status })).await.expect(200);
                }
                for query in [format!("profile={profile}&dry_run=true"), format!("profile={profile}")] {
                    let is_plan = query.contains("dry_run");
                    let answer = server.delete(&format!("{path}?{query}")).await;
                    if profile == "kakiyo" && status != "ended" {
                        let error = answer.refused(400, "invalid_status");
                        assert_eq!(error["type"], "invalid_request_error");
                        for name in ["current_status", "currentStatus"] {
                            assert_eq!(error[name], status, "{shown}");
                        }
                        assert_eq!(error["required_status"], json!(["ended"]), "{shown}");
                    } else if profile != "masker" && calls > 0 {
                        let error = answer.refused(409, "agent_has_active_calls");
                        assert_eq!((&error["active_calls"], &error["agent_id"]), (&json!(calls), &json!(id)));
                    } else if is_plan {
                        assert_eq!(answer.header("masker-deletion-id"), "");
                        let plan = answer.expect(200);
                        assert_eq!(plan["would_delete"], true, "{shown}");
                        let plan = &plan["plan"];
                        assert_eq!((&plan["id"], &plan["audit_event_id"]), (&Value::Null, &Value::Null));
                        assert_eq!(
                            (&plan["status_before"], &plan["active_calls_at_delete"]),
                            (&json!(status), &json!(calls))
                        );
                    } else {
                        assert!(answer.header("masker-deletion-id").starts_with("del_"), "{shown}");
                        let (code, text) = (answer.status, answer.text);
                        assert_eq!(
                            (code, text.is_empty()),
                            if profile == "kakiyo" { (200, false) } else { (204, true) }
                        );
                        server.get(&path).await.refused(404, "agent_not_found");
                        server.delete(&format!("{path}?{query}")).await.refused(404, "agent_not_found");
                        keyed(&server, &id, "call-1").await.refused(404, "agent_not_found");
                        let session = server.get(&format!("/api/v1/sessions/{done}")).await;
                        if profile == "kakiyo" {
                            session.refused(404, "session_not_found");
                        } else {
                            assert_eq!(session.expect(200)["session"]["agent_deleted"], true, "{shown}");
                        }
                        continue;
                    }
                    assert_eq!(
                        server.get(&path).await.expect(200)["agent"]["status"],
                        status,
                        "{shown}: nothing was done"
                    );
                }
            }
        }
    }
    let log = server.audit_log();
    let told = log.lines().filter(|line| line.contains("\"agent_deleted\"")).count();
    assert_eq!(told, 8 + 4 + 1, "refusals and plans leave no event");
}

/// What is said explicitly beats the profile, whether it comes with the request or from the account.
#[tokio::test]
async fn an_explicit_parameter_beats_the_profile() {
    let server = Server::new();
    let mut round = 0;
    for (settings, status, calls, query, answer) in [
        (json!({}), "active", 1, "on_active=reject", "409"),
        (json!({}), "active", 1, "on_active=terminate&response=message", "200 hard 1"),
        (json!({}), "active", 0, "require_status=paused", "400"),
        (json!({}), "active", 0, "require_status=paused,active&response=message", "200 hard 0"),
        // The state comes before the calls.
        (json!({}), "active", 1, "require_status=ended&on_active=reject", "400"),
        (json!({}), "active", 0, "mode=purge&response=message", "200 purge 0"),
        (json!({}), "active", 1, "profile=ayra&on_active=drain&response=message", "200 hard 0"),
        (json!({}), "paused", 0, "profile=kakiyo&require_status=paused&mode=soft", "200 soft 0"),
        (json!({}), "ended", 0, "profile=kakiyo&response=empty", "204"),
        (json!({}), "ended", 1, "profile=kakiyo&on_active=terminate", "200 purge 1"),
        (json!({ "default_delete_mode": "soft" }), "active", 0, "response=message", "200 soft 0"),
        (json!({ "default_delete_mode": "soft" }), "active", 0, "mode=hard&response=message", "200 hard 0"),
        (
            json!({ "default_delete_mode": "soft" }),
            "active",
            0,
            "profile=ayra&response=message",
            "200 hard 0",
        ),
        (json!({ "deletion_profile": "ayra" }), "active", 1, "", "409"),
        (json!({ "deletion_profile": "kakiyo" }), "active", 0, "", "400"),
        (json!({ "deletion_profile": "kakiyo" }), "ended", 0, "", "200 purge 0"),
        (json!({ "deletion_profile": "kakiyo" }), "active", 1, "profile=masker", "204"),
    ] {
        round += 1;
        let usual = json!({ "deletion_profile": "masker", "default_delete_mode": "hard" });
        server.patch("/api/v1/account", usual).await.expect(200);
        server.patch("/api/v1/account", settings.clone()).await.expect(200);
        let id = server.agent(&format!("agent {round}"), json!({})).await;
        if calls == 1 {
            keyed(&server, &id, "call-1").await.expect(200);
        }
        if status != "active" {
            server.patch(&format!("/api/v1/agents/{id}"), json!({ "status": status })).await.expect(200);
        }
        let done = server.delete(&format!("/api/v1/agents/{id}?{query}")).await;
        let mut said = done.status.to_string();
        if done.status == 200 {
            let deletion = &done.json()["deletion"];
            said += &format!(" {} {}", deletion["mode"].as_str().unwrap(), deletion["calls_terminated"]);
        }
        assert_eq!(said, answer, "{settings} {status} {query}: {}", done.text);
    }
    server.patch("/api/v1/account", json!({ "deletion_profile": "masker" })).await.expect(200);
    let id = server.agent("last", json!({})).await;
    let path = format!("/api/v1/agents/{id}");
    for (query, field) in [
        ("profile=masked", "profile"),
        ("profile=", "profile"),
        ("mode=HARD", "mode"),
        ("on_active=wait", "on_active"),
        ("require_status=deleted", "require_status"),
        ("require_status=active,", "require_status"),
        ("cleanup=yes", "cleanup"),
        ("response=json", "response"),
        ("dry_run=1", "dry_run"),
        ("mode=hard&mode=soft", "mode"),
    ] {
        let error = server.delete(&format!("{path}?{query}")).await.refused(422, "validation_failed");
        assert_eq!(error["details"][0]["field"], field, "{query}");
    }
    // What is asked for in a body would not be heard.
    let error = server.call("DELETE", &path, Some(json!({ "mode": "soft" }))).await;
    let error = error.refused(422, "validation_failed");
    assert_eq!(
        (&error["details"][0]["field"], &error["details"][0]["issue"]),
        (&json!("mode"), &json!("unknown_field"))
    );
    for (kind, body, status) in [("text/plain", "mode=soft", 415), ("application/json", "[]", 422)] {
        let request = axum::http::Request::delete(&path)
            .header("authorization", format!("Bearer {}", server.token))
            .header("content-type", kind);
        assert_eq!(server.send(request.body(body.into()).unwrap()).await.status, status, "{kind}");
    }
    server.get(&path).await.expect(200);
    server.call("DELETE", &path, Some(json!({}))).await.expect(204);
}

#[tokio::test]
async fn a_receipt_tells_what_was_and_a_purge_does_not() {
    let server = Server::new();
    let resource = json!({ "type": "vapi_assistant", "external_id": "asst-12" });
    let more = json!({ "phone_numbers": ["+14155550142"], "metadata": { "k": "v" }, "webhook_secret": "whsec_example", "external_resources": [resource] });
    for (i, mode) in ["hard", "soft", "purge"].into_iter().enumerate() {
        let id = server.agent("refill-line", more.clone()).await;
        // A value of its own, since what another agent gave out too would stay.
        server.chat(&id, &format!("call 415-555-014{i}")).await.expect(200);
        let deleted = server.delete(&format!("/api/v1/agents/{id}?mode={mode}")).await;
        let path = format!("/api/v1/deletions/{}", deleted.header("masker-deletion-id"));
        let receipt = server.get(&path).await.expect(200)["deletion"].clone();
        let names: Vec<&str> = receipt.as_object().unwrap().keys().map(String::as_str).collect();
        for name in [
            "id",
            "agent_id",
            "agent_name",
            "mode",
            "on_active",
            "profile",
            "deleted_at",
            "deleted_by",
            "restorable_until",
            "status_before",
            "active_calls_at_delete",
            "calls_terminated",
            "sessions_retained",
            "sessions_purged",
            "vault_rows_purged",
            "payloads_purged",
            "phone_numbers_released",
            "external_resources",
            "audit_event_id",
            "config_snapshot",
        ] {
            assert!(names.contains(&name), "{name}");
        }
        assert_eq!(
            (&receipt["agent_id"], &receipt["mode"], &receipt["status_before"]),
            (&json!(id), &json!(mode), &json!("active"))
        );
        assert_eq!(receipt["restorable_until"].is_string(), mode == "soft");
        let is_purge = mode == "purge";
        assert_eq!(receipt["sessions_retained"], i64::from(!is_purge));
        assert_eq!(
            (&receipt["sessions_purged"], &receipt["vault_rows_purged"]),
            (&json!(i64::from(is_purge)), &json!(i64::from(is_purge)))
        );
        for name in ["agent_name", "phone_numbers_released", "config_snapshot"] {
            assert_eq!(receipt[name].is_null(), is_purge, "{mode} {name}");
        }
        let row = &receipt["external_resources"][0];
        assert!(
            row["id"].as_str().unwrap().starts_with("ext_")
                && row["type"] == "vapi_assistant"
                && row["state"].is_string()
        );
        assert!(!receipt.to_string().contains("whsec_example"));
        let event = receipt["audit_event_id"].as_str().unwrap();
        let event = server.get(&format!("/api/v1/audit/events/{event}")).await.expect(200)["event"].clone();
        assert_eq!(
            (&event["kind"], &event["data"]["deletion_id"]),
            (&json!("agent_deleted"), &receipt["id"])
        );
    }
}

#[tokio::test]
async fn many_are_deleted_oldest_first_and_each_as_if_alone() {
    let server = Server::new();
    let team = server.post("/api/v1/teams", json!({ "name": "night" })).await.expect(201);
    let team = team["team"]["id"].as_str().unwrap().to_owned();
    let mut ids = Vec::new();
    for i in 0..5 {
        let more = if i < 2 { json!({ "team_id": team }) } else { json!({}) };
        ids.push(server.agent(&format!("a{i}"), more).await);
        // Those of one millisecond have no order among themselves.
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    let bulk = |body: Value| server.post("/api/v1/agents/bulk-delete", body);
    let id = |i: usize| ids[i].as_str();
    let order = |answer: &Value| -> Vec<String> {
        let rows = answer["results"].as_array().unwrap();
        rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
    };
    // Ids in any order and any case; those that are none come last.
    let given = json!([ids[4].to_lowercase(), "agt_1", ids[2], ids[3]]);
    let plan = bulk(json!({ "ids": given, "dry_run": true })).await.expect(200);
    assert_eq!(order(&plan), [id(2), id(3), id(4), "agt_1"]);
    assert_eq!(
        (&plan["deleted"], &plan["failed"], &plan["results"][0]["plan"]["id"]),
        (&json!(3), &json!(1), &Value::Null)
    );
    assert_eq!(plan["results"][3]["error"]["code"], "agent_not_found");
    server.get(&format!("/api/v1/agents/{}", ids[2])).await.expect(200);
    keyed(&server, &ids[3], "call-1").await.expect(200);
    let body = json!({ "ids": [ids[4], ids[3], ids[2]], "profile": "ayra", "limit": 2 });
    let done = bulk(body).await.expect(200);
    assert_eq!(order(&done), [id(2), id(3)]);
    assert_eq!((&done["deleted"], &done["failed"], &done["remaining"]), (&json!(1), &json!(1), &json!(1)));
    let error = &done["results"][1]["error"];
    assert_eq!((&error["code"], &error["active_calls"]), (&json!("agent_has_active_calls"), &json!(1)));
    assert!(done["results"][0]["deletion_id"].as_str().unwrap().starts_with("del_"));
    let filter =
        json!({ "filter": { "status": ["active"], "team_id": team.to_lowercase() }, "mode": "soft" });
    assert_eq!(order(&bulk(filter).await.expect(200)), [id(0), id(1)]);
    server
        .post(&format!("/api/v1/agents/{}/end", ids[3]), json!({ "on_active": "terminate" }))
        .await
        .expect(200);
    for (before, count) in [("2020-01-01", 0), ("2999-01-01T00:00:00Z", 1)] {
        let filter = json!({ "filter": { "status": ["ended"], "ended_before": before }, "dry_run": true });
        assert_eq!(order(&bulk(filter).await.expect(200)).len(), count, "{before}");
    }
    let filter = json!({ "filter": { "status": ["ended"] }, "profile": "kakiyo" });
    assert_eq!(order(&bulk(filter).await.expect(200)), [id(3)]);
    // What was deleted softly goes on only where that is asked for by name.
    let again = bulk(json!({ "ids": [ids[0], ids[1]] })).await.expect(200);
    assert_eq!(
        (&again["deleted"], &again["results"][0]["error"]["code"]),
        (&json!(0), &json!("agent_not_found"))
    );
    assert_eq!(bulk(json!({ "ids": [ids[0], ids[1]], "mode": "hard" })).await.expect(200)["deleted"], 2);
    let many = vec![ids[4].clone(); 101];
    for (bad, field, issue) in [
        (json!({ "ids": many }), "ids", "too_long"),
        (json!({ "ids": [1] }), "ids", "wrong_type"),
        (json!({ "ids": ids, "limit": 0 }), "limit", "out_of_range"),
        (json!({ "ids": ids, "limit": 101 }), "limit", "out_of_range"),
        (json!({ "ids": ids, "mode": "gone" }), "mode", "bad_value"),
        (json!({ "ids": ids, "profile": 1 }), "profile", "wrong_type"),
        (json!({ "ids": ids, "require_status": "ended" }), "require_status", "unknown_field"),
        (json!({ "filter": { "status": "ended" } }), "filter.status", "wrong_type"),
        (json!({ "filter": { "status": ["deleted"] } }), "filter.status", "bad_value"),
        (json!({ "filter": { "status": ["ended"], "name": "x" } }), "filter.name", "unknown_field"),
        (
            json!({ "filter": { "status": ["ended"], "ended_before": "7d" } }),
            "filter.ended_before",
            "bad_format",
        ),
        (json!({ "filter": { "team_id": team } }), "ids", "missing"),
    ] {
        let error = bulk(bad.clone()).await.refused(422, "validation_failed");
        let details = error["details"].as_array().unwrap();
        assert!(details.iter().any(|d| d["field"] == field && d["issue"] == issue), "{bad}: {error}");
    }
    server.get(&format!("/api/v1/agents/{}", ids[4])).await.expect(200);
}

#[tokio::test]
async fn a_window_that_is_over_brings_nothing_back() {
    let server = Server::new();
    let id = server.agent("a", json!({})).await;
    let path = format!("/api/v1/agents/{id}");
    server.patch("/api/v1/account", json!({ "restore_window_days": 1 })).await.expect(200);
    server.delete(&format!("{path}?mode=soft")).await.expect(204);
    for bad in [
        json!({ "name": "" }),
        json!({ "name": "x".repeat(65) }),
        json!({ "name": 1 }),
        json!({ "nmae": "x" }),
    ] {
        server.post(&format!("{path}/restore"), bad).await.refused(422, "validation_failed");
    }
    let database = rusqlite::Connection::open(server.folder.path().join("data/masker.db")).unwrap();
    database
        .execute("UPDATE records SET doc = json_set(doc, '$.purge_after', 1) WHERE id = ?1", [&id])
        .unwrap();
    server.post(&format!("{path}/restore"), json!({})).await.refused(404, "agent_not_found");
}
