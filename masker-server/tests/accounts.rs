//! Signing in, tokens, members, teams: who may do what.

mod common;

use common::Server;
use masker_server::{Config, bootstrap, login_link};
use serde_json::{Value, json};

#[tokio::test]
async fn a_code_signs_in_once_and_a_cookie_lasts() {
    let server = Server::new();
    let config = Config::from_vars(common::vars(server.folder.path(), &[])).unwrap();
    assert!(bootstrap(config.database(), config.public_url(), "bob", false, false).is_err(), "a user exists");
    let link = login_link(config.database(), config.public_url(), "alice").unwrap();
    let code = link.code.unwrap();
    assert!(link.link.unwrap().ends_with(&code));
    let sign_in = |code: &str| {
        let (server, body) = (&server, json!({ "login_code": code }));
        async move { server.call_as("", "POST", "/api/v1/auth/local", Some(body), &[]).await }
    };
    sign_in("WRONG").await.refused(401, "invalid_login_code");
    let signed = sign_in(&code.to_lowercase()).await;
    let set = signed.header("set-cookie").to_owned();
    assert!(
        set.contains("HttpOnly")
            && set.contains("SameSite=Lax")
            && set.contains("Max-Age=2592000")
            && !set.contains("Secure")
    );
    assert_eq!(signed.expect(200)["user"]["login"], "alice");
    sign_in(&code).await.refused(401, "invalid_login_code");
    let cookie = set.split(';').next().unwrap();
    let with = |method: &'static str, path: &'static str, headers: Vec<(&'static str, &'static str)>| {
        let (server, cookie) = (&server, cookie.to_owned());
        async move {
            let mut all = vec![("cookie", cookie.as_str())];
            all.extend(headers);
            server.call_as("", method, path, None, &all).await
        }
    };
    let me = with("GET", "/api/v1/me", vec![]).await;
    assert_eq!(me.header("set-cookie"), set, "its life begins anew");
    let me = me.expect(200);
    assert_eq!((me["role"].clone(), me["token"].clone()), (json!("owner"), Value::Null));
    assert!(me["permissions"].as_array().unwrap().contains(&json!("vault:write")));
    let error = with("POST", "/api/v1/agents", vec![("origin", "https://evil.example.com")])
        .await
        .refused(403, "forbidden");
    assert_eq!(error["reason"], "csrf");
    with("POST", "/api/v1/agents", vec![("sec-fetch-site", "cross-site")]).await.refused(403, "forbidden");
    with("POST", "/api/v1/agents", vec![("origin", "http://localhost:8080")])
        .await
        .refused(422, "validation_failed");
    let out = with("POST", "/api/v1/auth/logout", vec![]).await;
    assert!(out.header("set-cookie").starts_with("masker_session=; Max-Age=0"));
    out.expect(204);
    with("GET", "/api/v1/me", vec![]).await.refused(401, "unauthenticated");
    with("POST", "/api/v1/auth/logout", vec![]).await.expect(204);
    let methods = server.call_as("", "GET", "/api/v1/auth/methods", None, &[]).await.expect(200);
    assert_eq!(methods, json!({ "github": false, "local": true, "signup": "invite" }));
    server.call_as("", "GET", "/api/v1/auth/github", None, &[]).await.refused(404, "auth_method_unavailable");
    let log = server.audit_log();
    assert!(log.contains("login_succeeded") && log.contains("login_failed") && log.contains("\"logout\""));
}

#[tokio::test]
async fn the_code_of_a_file_makes_the_first_owner() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("code");
    let code = "0123456789abcdef0123456789abcdef";
    std::fs::write(&path, format!("{code}\n")).unwrap();
    let vars = common::vars(folder.path(), &[("MASKER_BOOTSTRAP_CODE_FILE", path.to_str().unwrap())]);
    let state = masker_server::State::open(Config::from_vars(vars).unwrap()).unwrap();
    let server = Server { folder, router: masker_server::app(state.clone()), state, token: String::new() };
    let body = json!({ "login_code": code, "login": "carol", "name": "Carol" });
    let done = server.call_as("", "POST", "/api/v1/auth/local", Some(body.clone()), &[]).await.expect(200);
    assert_eq!(
        (done["user"]["login"].clone(), done["account"]["name"].clone()),
        (json!("carol"), json!("carol"))
    );
    server
        .call_as("", "POST", "/api/v1/auth/local", Some(body), &[])
        .await
        .refused(409, "already_bootstrapped");
}

#[tokio::test]
async fn sign_ins_are_limited_by_address() {
    let server = Server::new();
    let mut last = None;
    for _ in 0..11 {
        last = Some(server.call_as("", "GET", "/api/v1/auth/methods", None, &[]).await);
    }
    let last = last.unwrap();
    assert_eq!((last.header("x-ratelimit-limit"), last.header("x-ratelimit-remaining")), ("10", "0"));
    assert!(last.header("retry-after").parse::<u64>().unwrap() >= 1);
    let error = last.refused(429, "rate_limited");
    assert!(error["retry_after"].as_u64().unwrap() >= 1);
}

#[tokio::test]
async fn tokens_do_what_their_scopes_and_maker_may() {
    let server = Server::new();
    let body = |scopes: Value| json!({ "name": "ci", "scopes": scopes, "expires_in_days": 90 });
    let made = server.post("/api/v1/tokens", body(json!(["agents:read", "sessions:read"]))).await.expect(201);
    let (id, secret) = (made["token"]["id"].as_str().unwrap(), made["secret"].as_str().unwrap());
    assert!(secret.starts_with("mkt_") && secret.len() == 53 && made["token"]["expires_at"].is_string());
    server.call_as(secret, "GET", "/api/v1/agents", None, &[]).await.expect(200);
    server
        .call_as(secret, "POST", "/api/v1/tokens", Some(body(json!(["agents:read"]))), &[])
        .await
        .refused(403, "forbidden");
    for bad in [json!([]), json!(["agents:fly"]), json!("agents:read"), Value::Null] {
        server.post("/api/v1/tokens", body(bad)).await.refused(422, "validation_failed");
    }
    let rotated =
        server.post(&format!("/api/v1/tokens/{id}/rotate"), json!({ "grace_seconds": 60 })).await.expect(200);
    let new = rotated["secret"].as_str().unwrap();
    server.call_as(secret, "GET", "/api/v1/agents", None, &[]).await.expect(200);
    server.call_as(new, "GET", "/api/v1/agents", None, &[]).await.expect(200);
    let rotated = server.post(&format!("/api/v1/tokens/{id}/rotate"), json!({})).await.expect(200);
    server.call_as(new, "GET", "/api/v1/agents", None, &[]).await.refused(401, "unauthenticated");
    let new = rotated["secret"].as_str().unwrap().to_owned();
    server.delete(&format!("/api/v1/tokens/{id}")).await.expect(204);
    server.call_as(&new, "GET", "/api/v1/agents", None, &[]).await.refused(401, "unauthenticated");
    server.delete(&format!("/api/v1/tokens/{id}")).await.refused(404, "token_not_found");
    let list = server.get("/api/v1/tokens").await.expect(200);
    assert_eq!(list["data"].as_array().unwrap().len(), 1);
    assert!(!list.to_string().contains(&server.token));
    let agent = server.agent("a", json!({})).await;
    let other = server.agent("b", json!({})).await;
    let narrow = json!({ "name": "one", "scopes": ["agents:write", "sessions:read"], "agent_ids": [agent] });
    let narrow =
        server.post("/api/v1/tokens", narrow).await.expect(201)["secret"].as_str().unwrap().to_owned();
    let seen = server.call_as(&narrow, "GET", "/api/v1/agents", None, &[]).await.expect(200);
    assert_eq!(seen["data"].as_array().unwrap().len(), 1);
    server
        .call_as(&narrow, "GET", &format!("/api/v1/agents/{other}"), None, &[])
        .await
        .refused(403, "forbidden");
    for (_, bytes) in server.files() {
        let has = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
        assert!(!has(server.token.as_bytes()));
    }
}

#[tokio::test]
async fn roles_and_teams_keep_people_apart() {
    let server = Server::new();
    let team = server.post("/api/v1/teams", json!({ "name": "Night shift" })).await.expect(201);
    let team = team["team"]["id"].as_str().unwrap().to_owned();
    server.post("/api/v1/teams", json!({ "name": "night SHIFT" })).await.refused(409, "name_taken");
    let (bob, bob_token) =
        server.member("bob", "member", &["agents:write", "sessions:read", "text:mask"]).await;
    let agent = server.agent("a", json!({ "team_id": team })).await;
    let error = server
        .call_as(&bob_token, "GET", &format!("/api/v1/agents/{agent}"), None, &[])
        .await
        .refused(403, "forbidden");
    assert_eq!(error["reason"], "team");
    assert_eq!(
        server.call_as(&bob_token, "GET", "/api/v1/agents", None, &[]).await.expect(200)["data"],
        json!([])
    );
    let session = server.chat(&agent, "hello").await.header("masker-session-id").to_owned();
    server
        .call_as(&bob_token, "GET", &format!("/api/v1/sessions/{session}"), None, &[])
        .await
        .refused(403, "forbidden");
    assert_eq!(
        server.call_as(&bob_token, "GET", "/api/v1/sessions", None, &[]).await.expect(200)["data"],
        json!([])
    );
    // Who may not give an agent to a team is told so before anything else, whether or not there is the agent.
    let elsewhere = json!({ "team_id": team, "upstream": "nowhere" });
    for (method, path) in
        [("POST", "/api/v1/agents"), ("PATCH", "/api/v1/agents/agt_01JZ8Q4M7T0V3X5YB2C9D6EFGH")]
    {
        let answer = server.call_as(&bob_token, method, path, Some(elsewhere.clone()), &[]).await;
        assert_eq!(answer.refused(403, "forbidden")["reason"], "role");
    }
    server.patch(&format!("/api/v1/members/{bob}"), json!({ "team_ids": [team] })).await.expect(200);
    server.call_as(&bob_token, "GET", &format!("/api/v1/agents/{agent}"), None, &[]).await.expect(200);
    let sees = async || {
        let one = format!("/api/v1/sessions/{session}");
        let all = server.call_as(&bob_token, "GET", "/api/v1/sessions", None, &[]).await.expect(200);
        let seen = all["data"].as_array().unwrap().len() == 1;
        let status = server.call_as(&bob_token, "GET", &one, None, &[]).await.status;
        assert_eq!(status, if seen { 200 } else { 403 });
        seen
    };
    // Sessions are seen by whoever sees their agent, wherever that is moved.
    assert!(sees().await);
    let other = server.post("/api/v1/teams", json!({ "name": "Days" })).await.expect(201);
    for (to, seen) in [(&other["team"]["id"], false), (&json!(team), true)] {
        server.patch(&format!("/api/v1/agents/{agent}"), json!({ "team_id": to })).await.expect(200);
        assert_eq!(sees().await, seen);
    }
    let error = server
        .call_as(&bob_token, "DELETE", &format!("/api/v1/agents/{agent}"), None, &[])
        .await
        .refused(403, "forbidden");
    assert_eq!((error["reason"].clone(), error["required"].clone()), (json!("role"), json!("admin")));
    server.patch(&format!("/api/v1/members/{bob}"), json!({ "role": "viewer" })).await.expect(200);
    let rename = json!({ "name": "x" });
    server
        .call_as(&bob_token, "PATCH", &format!("/api/v1/agents/{agent}"), Some(rename), &[])
        .await
        .refused(403, "forbidden");
    server.delete(&format!("/api/v1/teams/{team}")).await.refused(409, "team_in_use");
    server.delete(&format!("/api/v1/teams/{team}?reassign_to=none")).await.expect(204);
    server.get(&format!("/api/v1/teams/{team}")).await.refused(404, "team_not_found");
    assert!(sees().await, "an agent without a team is everybody's, and so are its sessions");
    assert_eq!(
        server.get(&format!("/api/v1/agents/{agent}")).await.expect(200)["agent"]["team_id"],
        Value::Null
    );
    let code = server.call("POST", &format!("/api/v1/members/{bob}/login-code"), None).await.expect(201);
    assert!(code["url"].as_str().unwrap().contains(code["login_code"].as_str().unwrap()));
    let owner = server.get("/api/v1/me").await.expect(200)["user"]["id"].as_str().unwrap().to_owned();
    server.delete(&format!("/api/v1/members/{owner}")).await.refused(409, "last_owner");
    server
        .patch(&format!("/api/v1/members/{owner}"), json!({ "role": "admin" }))
        .await
        .refused(409, "last_owner");
    let (_, admin) = server.member("eve", "admin", &["members:write"]).await;
    server
        .call_as(&admin, "PATCH", &format!("/api/v1/members/{owner}"), Some(json!({ "role": "viewer" })), &[])
        .await
        .refused(403, "forbidden");
    server
        .call_as(&admin, "POST", "/api/v1/invitations", Some(json!({ "role": "owner" })), &[])
        .await
        .refused(422, "validation_failed");
    server.delete(&format!("/api/v1/members/{bob}")).await.expect(204);
    server.call_as(&bob_token, "GET", "/api/v1/agents", None, &[]).await.refused(401, "unauthenticated");
    server.delete(&format!("/api/v1/members/{bob}")).await.refused(404, "member_not_found");
    let invited = server.post("/api/v1/invitations", json!({})).await.expect(201)["invitation"]["id"].clone();
    assert_eq!(server.get("/api/v1/invitations").await.expect(200)["data"][0]["id"], invited);
    server.delete(&format!("/api/v1/invitations/{}", invited.as_str().unwrap())).await.expect(204);
    server
        .delete(&format!("/api/v1/invitations/{}", invited.as_str().unwrap()))
        .await
        .refused(404, "invitation_not_found");
}

#[tokio::test]
async fn the_account_is_changed_by_those_who_may() {
    let server = Server::new();
    let account = server.get("/api/v1/account").await.expect(200)["account"].clone();
    assert_eq!(
        (account["deletion_profile"].clone(), account["restore_window_days"].clone()),
        (json!("masker"), json!(30))
    );
    assert_eq!(
        (account["plan"].clone(), account["session_retention_days"].clone()),
        (json!("self_hosted"), json!(90))
    );
    let changed = server
        .patch("/api/v1/account", json!({ "default_delete_mode": "soft", "name": "clinic" }))
        .await
        .expect(200);
    assert_eq!(changed["account"]["name"], "clinic");
    let id = server.agent("a", json!({})).await;
    server.delete(&format!("/api/v1/agents/{id}")).await.expect(204);
    server.get(&format!("/api/v1/agents/{id}?include_deleted=true")).await.expect(200);
    for bad in [
        json!({ "restore_window_days": 0 }),
        json!({ "default_delete_mode": "purge" }),
        json!({ "plan": "x" }),
        json!({ "name": null }),
    ] {
        server.patch("/api/v1/account", bad).await.refused(422, "validation_failed");
    }
    let (_, admin) = server.member("eve", "admin", &["account:write"]).await;
    for limit in [json!(5), json!("many")] {
        let body = json!({ "agent_limit": limit });
        let answer = server.call_as(&admin, "PATCH", "/api/v1/account", Some(body), &[]).await;
        assert_eq!(answer.refused(403, "forbidden")["reason"], "instance_admin");
    }
    // Of many who change what they have all seen, one does.
    let tag = server.get("/api/v1/account").await.header("etag").to_owned();
    let headers = [("if-match", tag.as_str())];
    let change = |days: u32| {
        let body = json!({ "restore_window_days": days });
        server.call_as(&server.token, "PATCH", "/api/v1/account", Some(body), &headers)
    };
    let answers = futures_util::future::join_all((1..=8).map(change)).await;
    let mut statuses: Vec<u16> = answers.into_iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412, 412, 412, 412, 412, 412, 412]);
}

/// What an agent leaves behind when it is deleted is seen by its team, as the agent was.
#[tokio::test]
async fn the_history_of_an_agent_stays_with_its_team() {
    let server = Server::new();
    let team = server.post("/api/v1/teams", json!({ "name": "Night shift" })).await.expect(201);
    let team = team["team"]["id"].as_str().unwrap().to_owned();
    let (bob, token) = server.member("bob", "member", &["sessions:read"]).await;
    let shared = server.agent("shared", json!({})).await;
    let agent = server.agent("a", json!({ "team_id": team })).await;
    for id in [&shared, &agent] {
        server.chat(id, "call 415-555-0142").await.expect(200);
    }
    let sees = async || {
        let mut seen = Vec::new();
        for filter in ["", "?status=ok", "?kind=PHONE", &format!("?agent_id={agent}&since=all")] {
            let path = format!("/api/v1/sessions{filter}");
            let rows = server.call_as(&token, "GET", &path, None, &[]).await.expect(200);
            let rows = rows["data"].as_array().unwrap().clone();
            let own = rows.iter().find(|row| row["agent_id"] == agent.as_str());
            assert_eq!(rows.len(), usize::from(own.is_some()) + usize::from(!filter.contains("agent_id")));
            seen.push(own.is_some());
        }
        assert!(seen.iter().all(|one| *one == seen[0]), "{seen:?}");
        seen[0]
    };
    let (path, restore) = (format!("/api/v1/agents/{agent}"), format!("/api/v1/agents/{agent}/restore"));
    let member = format!("/api/v1/members/{bob}");
    for step in ["alive", "soft", "restored", "hard"] {
        match step {
            "soft" | "hard" => drop(server.delete(&format!("{path}?mode={step}")).await.expect(204)),
            "restored" => drop(server.post(&restore, json!({})).await.expect(200)),
            _ => {}
        }
        assert!(!sees().await, "{step}");
        server.patch(&member, json!({ "team_ids": [team] })).await.expect(200);
        assert!(sees().await, "{step}");
        server.patch(&member, json!({ "team_ids": [] })).await.expect(200);
    }
    // With its last agent gone the team may go; nobody but administrators sees what it had.
    server.delete(&format!("/api/v1/teams/{team}")).await.expect(204);
    assert!(!sees().await);
    assert_eq!(server.get("/api/v1/sessions").await.expect(200)["data"].as_array().unwrap().len(), 2);
}
