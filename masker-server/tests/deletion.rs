//! Deleting agents: the three profiles, the modes, and what each leaves.

mod common;

use common::Server;
use serde_json::{Value, json};

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
