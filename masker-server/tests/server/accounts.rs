//! Signing in, tokens, members, teams: who may do what.

use masker_server::{Config, bootstrap, login_link};
use serde_json::{Value, json};

use crate::common::{self, Server};

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

#[tokio::test]
async fn a_cookie_is_secure_but_where_a_developer_works() {
    for (url, is_secure) in
        [("https://localhost:8443", true), ("http://localhost:8080", false), ("http://127.0.0.1:8080", false)]
    {
        let server = Server::with(&[("MASKER_PUBLIC_URL", url)]);
        let config = Config::from_vars(common::vars(server.folder.path(), &[])).unwrap();
        let code = login_link(config.database(), config.public_url(), "alice").unwrap().code.unwrap();
        let body = json!({ "login_code": code });
        let signed = server.call_as("", "POST", "/api/v1/auth/local", Some(body), &[]).await;
        let set = signed.header("set-cookie").to_owned();
        let value = set.strip_prefix("masker_session=").unwrap().split(';').next().unwrap().to_owned();
        let secure = if is_secure { " Secure;" } else { "" };
        let expected =
            format!("masker_session={value}; HttpOnly;{secure} SameSite=Lax; Path=/; Max-Age=2592000");
        assert_eq!((set, value.len()), (expected, 43), "{url}");
        let cookie = format!("masker_session={value}");
        let out = server.call_as("", "POST", "/api/v1/auth/logout", None, &[("cookie", &cookie)]).await;
        let expected = format!("masker_session=; Max-Age=0; Path=/; HttpOnly;{secure} SameSite=Lax");
        assert_eq!((out.status, out.header("set-cookie")), (204, expected.as_str()), "{url}");
    }
}

#[tokio::test]
async fn only_paths_of_this_server_are_gone_to_after_signing_in() {
    let vars = [
        ("MASKER_GITHUB_CLIENT_ID", "id"),
        ("MASKER_GITHUB_CLIENT_SECRET", "shh"),
        ("MASKER_TRUSTED_PROXIES", "127.0.0.1"),
    ];
    let server = Server::with(&vars);
    let long = |n: usize| format!("/{}", "x".repeat(n - 1));
    for (i, (to, status)) in [
        ("%2Fportal", 302),
        ("/", 302),
        ("/portal?x=1", 302),
        (long(512).as_str(), 302),
        (long(513).as_str(), 422),
        ("", 422),
        ("portal", 422),
        ("//evil.example.com", 422),
        ("/%2Fevil.example.com", 422),
        ("/\\evil.example.com", 422),
        ("/%5Cevil.example.com", 422),
        ("https://evil.example.com", 422),
        ("/a%0Ab", 422),
        ("/a%00", 422),
    ]
    .into_iter()
    .enumerate()
    {
        let address = format!("10.0.0.{i}");
        let path = format!("/api/v1/auth/github?redirect_to={}", to.replace('\\', "%5C"));
        let sent = server.call_as("", "GET", &path, None, &[("x-forwarded-for", &address)]).await;
        assert_eq!(sent.status, status, "{to}: {}", sent.text);
        if status == 422 {
            assert_eq!(sent.refused(422, "validation_failed")["details"][0]["field"], "redirect_to");
            continue;
        }
        let location = sent.header("location");
        for part in [
            "client_id=id",
            "scope=read%3Auser",
            "state=",
            "redirect_uri=http%3A%2F%2Flocalhost%3A8080%2Fapi%2Fv1%2Fauth%2Fgithub%2Fcallback",
        ] {
            assert!(location.contains(part), "{part}: {location}");
        }
        let set = sent.header("set-cookie");
        assert!(
            set.starts_with("masker_oauth_state=")
                && set.ends_with("; HttpOnly; SameSite=Lax; Path=/api/v1/auth; Max-Age=600"),
            "{set}"
        );
    }
}

#[tokio::test]
async fn a_token_ends_with_its_time_its_rotation_and_its_maker() {
    let server = Server::new();
    let database = rusqlite::Connection::open(server.folder.path().join("data/masker.db")).unwrap();
    let works = async |secret: &str| server.call_as(secret, "GET", "/api/v1/me", None, &[]).await.status;
    let body = json!({ "name": "  ci  ", "scopes": ["agents:write", "agents:read", "agents:read"], "expires_in_days": 1, "agent_ids": null });
    let made = server.post("/api/v1/tokens", body).await.expect(201);
    let (token, secret) = (&made["token"], made["secret"].as_str().unwrap());
    let names: Vec<&str> = token.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        names,
        ["id", "name", "scopes", "agent_ids", "prefix", "created_at", "expires_at", "last_used_at"]
    );
    assert_eq!((&token["name"], &token["scopes"]), (&json!("ci"), &json!(["agents:read", "agents:write"])));
    assert_eq!((&token["agent_ids"], &token["last_used_at"]), (&json!([]), &Value::Null));
    assert!(secret.starts_with(token["prefix"].as_str().unwrap()));
    let me = server.call_as(secret, "GET", "/api/v1/me", None, &[]).await.expect(200);
    assert_eq!(
        (&me["token"]["id"], &me["permissions"]),
        (&token["id"], &json!(["agents:read", "agents:write"]))
    );
    assert!(
        me["token"].get("secret").is_none()
            && me["user"]["login"] == "alice"
            && me["account"]["plan"] == "self_hosted"
    );
    // A character more, less or other is another token.
    let swapped = if secret.ends_with('0') { "1" } else { "0" };
    let changed = format!("{}{swapped}", &secret[..secret.len() - 1]);
    for wrong in [changed.as_str(), &secret[..52], &format!("{secret}0"), &secret.to_uppercase()] {
        assert_eq!(works(wrong).await, 401, "{wrong}");
    }
    let id = token["id"].as_str().unwrap();
    let path = format!("/api/v1/tokens/{id}");
    let sql = format!("UPDATE records SET doc = json_set(doc, '$.expires_at', 1) WHERE id = '{id}'");
    database.execute_batch(&sql).unwrap();
    assert_eq!(works(secret).await, 401);
    let unlimited = json!({ "name": "ci", "scopes": ["agents:read"], "expires_in_days": null });
    let unlimited = server.post("/api/v1/tokens", unlimited).await.expect(201);
    assert_eq!(unlimited["token"]["expires_at"], Value::Null);
    for (body, field) in [
        (json!({ "scopes": ["agents:read"] }), "name"),
        (json!({ "name": "x".repeat(65), "scopes": ["agents:read"] }), "name"),
        (json!({ "name": "a", "scopes": ["agents:read", "agents:*"] }), "scopes.1"),
        (json!({ "name": "a", "scopes": ["agents:read"], "expires_in_days": 0 }), "expires_in_days"),
        (json!({ "name": "a", "scopes": ["agents:read"], "expires_in_days": 3651 }), "expires_in_days"),
        (json!({ "name": "a", "scopes": ["agents:read"], "expires_at": "2030-01-01" }), "expires_at"),
        (json!({ "name": "a", "scopes": ["agents:read"], "agent_ids": "agt_1" }), "agent_ids"),
    ] {
        let error = server.post("/api/v1/tokens", body.clone()).await.refused(422, "validation_failed");
        assert_eq!(error["details"][0]["field"], field, "{body}");
    }
    for bad in [json!({ "grace_seconds": -1 }), json!({ "grace_seconds": 86_401 }), json!({ "grace": 1 })] {
        server.post(&format!("{path}/rotate"), bad).await.refused(422, "validation_failed");
    }
    // A member makes and sees its own, an administrator those of others too; a demotion weakens and a removal kills.
    let (bob, bobs) = server.member("bob", "member", &["agents:write", "tokens:write"]).await;
    let make = |scopes: Value| {
        let (server, token) = (&server, bobs.clone());
        async move {
            let body = json!({ "name": "t", "scopes": scopes });
            server.call_as(&token, "POST", "/api/v1/tokens", Some(body), &[]).await
        }
    };
    make(json!(["agents:read"])).await.expect(201);
    for (scopes, missing) in
        [(json!(["audit:read"]), "audit:read"), (json!(["agents:read", "text:mask"]), "text:mask")]
    {
        let error = make(scopes).await.refused(403, "forbidden");
        assert_eq!((&error["reason"], &error["required"]), (&json!("scope"), &json!(missing)));
    }
    let rows = |page: Value| page["data"].as_array().unwrap().len();
    assert_eq!(rows(server.call_as(&bobs, "GET", "/api/v1/tokens", None, &[]).await.expect(200)), 2);
    server.call_as(&bobs, "GET", "/api/v1/tokens?all=true", None, &[]).await.refused(403, "forbidden");
    assert_eq!(rows(server.get("/api/v1/tokens?all=true").await.expect(200)), 5);
    server.get("/api/v1/tokens?all=yes").await.refused(422, "validation_failed");
    for (method, path) in [("DELETE", path.clone()), ("POST", format!("{path}/rotate"))] {
        let body = (method == "POST").then(|| json!({}));
        server.call_as(&bobs, method, &path, body, &[]).await.refused(404, "token_not_found");
    }
    server.patch(&format!("/api/v1/members/{bob}"), json!({ "role": "viewer" })).await.expect(200);
    let me = server.call_as(&bobs, "GET", "/api/v1/me", None, &[]).await.expect(200);
    assert_eq!((&me["role"], &me["permissions"]), (&json!("viewer"), &json!(["agents:read"])));
    server.delete(&format!("/api/v1/members/{bob}")).await.expect(204);
    assert_eq!(works(&bobs).await, 401);
    // Signing out everywhere ends what browsers have and leaves what programs have.
    let (_, cookie) = server.joined("carol", "admin").await;
    let headers = [("cookie", cookie.as_str())];
    let body = json!({ "name": "t", "scopes": ["agents:read"] });
    let program = server.call_as("", "POST", "/api/v1/tokens", Some(body), &headers).await.expect(201);
    server.call_as("", "POST", "/api/v1/auth/logout-all", None, &headers).await.expect(204);
    server.call_as("", "GET", "/api/v1/me", None, &headers).await.refused(401, "unauthenticated");
    assert_eq!(works(program["secret"].as_str().unwrap()).await, 200);
}

#[tokio::test]
async fn people_and_teams_are_written_as_the_contract_says() {
    let server = Server::new();
    let team = |name: &'static str| {
        let server = &server;
        async move {
            let made = server.post("/api/v1/teams", json!({ "name": name })).await;
            let location = made.header("location").to_owned();
            let made = made.expect(201)["team"].clone();
            assert_eq!(location, format!("/api/v1/teams/{}", made["id"].as_str().unwrap()));
            made
        }
    };
    let (night, day) = (team("Night").await, team("Day").await);
    let names: Vec<&str> = night.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["id", "name", "member_count", "agent_count", "created_at"]);
    let (night, day) = (night["id"].as_str().unwrap(), day["id"].as_str().unwrap());
    let (bob, _) = server.joined("bob", "member").await;
    server
        .patch(&format!("/api/v1/members/{bob}"), json!({ "team_ids": [night, day.to_lowercase(), night] }))
        .await
        .expect(200);
    let agent = server.agent("a", json!({ "team_id": night.to_lowercase() })).await;
    let shown = server.get(&format!("/api/v1/teams/{night}")).await.expect(200)["team"].clone();
    assert_eq!((&shown["member_count"], &shown["agent_count"]), (&json!(1), &json!(1)));
    let renamed =
        server.patch(&format!("/api/v1/teams/{night}"), json!({ "name": "NIGHT" })).await.expect(200);
    assert_eq!(renamed["team"]["name"], "NIGHT", "its own name in other letters is no other's");
    server
        .patch(&format!("/api/v1/teams/{night}"), json!({ "name": "day" }))
        .await
        .refused(409, "name_taken");
    for bad in [
        json!({}),
        json!({ "name": " " }),
        json!({ "name": "x".repeat(65) }),
        json!({ "name": null }),
        json!({ "name": "x", "id": 1 }),
    ] {
        server.post("/api/v1/teams", bad.clone()).await.refused(422, "validation_failed");
        server.patch(&format!("/api/v1/teams/{night}"), bad).await.refused(422, "validation_failed");
    }
    for (query, status, code) in [
        (String::new(), 409, "team_in_use"),
        ("?reassign_to=".to_owned(), 422, "validation_failed"),
        ("?reassign_to=all".to_owned(), 422, "validation_failed"),
        ("?reassign_to=tea_01JZ8Q4M7T0V3X5YB2C9D6EFGH".to_owned(), 404, "team_not_found"),
        (format!("?reassign_to={night}"), 404, "team_not_found"),
    ] {
        server.delete(&format!("/api/v1/teams/{night}{query}")).await.refused(status, code);
    }
    server.delete(&format!("/api/v1/teams/{night}?reassign_to={}", day.to_lowercase())).await.expect(204);
    assert_eq!(server.get(&format!("/api/v1/agents/{agent}")).await.expect(200)["agent"]["team_id"], day);
    let members = server.get("/api/v1/members").await.expect(200)["data"].clone();
    let row = members.as_array().unwrap().iter().find(|row| row["id"] == bob.as_str()).unwrap();
    let names: Vec<&str> = row.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["id", "login", "name", "role", "team_ids", "last_seen_at"]);
    assert_eq!(row["team_ids"], json!([day]));
    for bad in
        [json!({ "role": "king" }), json!({ "role": 1 }), json!({ "team_ids": day }), json!({ "login": "x" })]
    {
        server.patch(&format!("/api/v1/members/{bob}"), bad).await.refused(422, "validation_failed");
    }
    let missing = json!({ "role": "admin", "team_ids": [day, "tea_1"] });
    server.patch(&format!("/api/v1/members/{bob}"), missing).await.refused(404, "team_not_found");
    let row = server.get("/api/v1/members").await.expect(200).to_string();
    assert!(!row.contains("\"admin\""), "nothing was done: {row}");
    // An administrator leaves owners alone, and makes none.
    let owner = server.get("/api/v1/me").await.expect(200)["user"]["id"].as_str().unwrap().to_owned();
    let (_, admin) = server.joined("eve", "admin").await;
    let by_admin = |method: &'static str, path: String, body: Option<Value>| {
        let (server, admin) = (&server, admin.clone());
        async move { server.call_as("", method, &path, body, &[("cookie", admin.as_str())]).await }
    };
    for (method, path, body) in [
        ("PATCH", format!("/api/v1/members/{owner}"), Some(json!({ "role": "viewer" }))),
        ("PATCH", format!("/api/v1/members/{owner}"), Some(json!({ "team_ids": [] }))),
        ("DELETE", format!("/api/v1/members/{owner}"), None),
        ("POST", format!("/api/v1/members/{owner}/login-code"), None),
        ("PATCH", format!("/api/v1/members/{bob}"), Some(json!({ "role": "owner" }))),
    ] {
        let error = by_admin(method, path.clone(), body).await.refused(403, "forbidden");
        assert_eq!(
            (&error["reason"], &error["required"]),
            (&json!("role"), &json!("owner")),
            "{method} {path}"
        );
    }
    by_admin("PATCH", format!("/api/v1/members/{bob}"), Some(json!({ "role": "admin" }))).await.expect(200);
    let error = by_admin("POST", "/api/v1/invitations".to_owned(), Some(json!({ "role": "owner" }))).await;
    assert_eq!(error.refused(422, "validation_failed")["details"][0]["field"], "role");
    let invited = server
        .post("/api/v1/invitations", json!({ "login": "frank", "team_ids": [day], "expires_in_days": 1 }))
        .await
        .expect(201);
    let invited = &invited["invitation"];
    assert_eq!((&invited["role"], &invited["team_ids"]), (&json!("member"), &json!([day])));
    assert!(invited["url"].as_str().unwrap().starts_with("http://localhost:8080/login#invitation="));
    assert!(
        server.get("/api/v1/invitations").await.expect(200)["data"][0].get("url").is_none(),
        "it is shown once"
    );
    for (bad, field) in [
        (json!({ "login": "a b" }), "login"),
        (json!({ "github_login": "" }), "github_login"),
        (json!({ "expires_in_days": 0 }), "expires_in_days"),
        (json!({ "role": "boss" }), "role"),
        (json!({ "email": "x@example.com" }), "email"),
    ] {
        let error = server.post("/api/v1/invitations", bad).await.refused(422, "validation_failed");
        assert_eq!(error["details"][0]["field"], field);
    }
    server.post("/api/v1/invitations", json!({ "team_ids": ["tea_1"] })).await.refused(404, "team_not_found");
    // A code is good once and in its time.
    let code = invited["url"].as_str().unwrap().split("#invitation=").nth(1).unwrap();
    let accept = |code: &str| {
        let (server, body) = (&server, json!({ "code": code }));
        async move { server.call_as("", "POST", "/api/v1/invitations/accept", Some(body), &[]).await }
    };
    assert_eq!(accept(code).await.expect(200)["user"]["login"], "frank");
    accept(code).await.refused(401, "invalid_login_code");
    let (late, code) = server.invited("gina", "viewer").await;
    let database = rusqlite::Connection::open(server.folder.path().join("data/masker.db")).unwrap();
    database
        .execute("UPDATE records SET doc = json_set(doc, '$.expires_at', 1) WHERE id = ?1", [&late])
        .unwrap();
    accept(&code).await.refused(401, "invalid_login_code");
}

#[tokio::test]
async fn the_account_has_its_fields_and_their_ranges() {
    let server = Server::new();
    let account = server.get("/api/v1/account").await.expect(200)["account"].clone();
    let names: Vec<&str> = account.as_object().unwrap().keys().map(String::as_str).collect();
    for name in [
        "id",
        "name",
        "plan",
        "created_at",
        "deletion_profile",
        "default_delete_mode",
        "restore_window_days",
        "agent_limit",
        "session_retention_days",
        "agent_count",
    ] {
        assert!(names.contains(&name), "{name}");
    }
    for (field, good, bad) in [
        (
            "name",
            vec![json!("a"), json!("x".repeat(64))],
            vec![json!(""), json!("x".repeat(65)), json!(1), Value::Null],
        ),
        (
            "deletion_profile",
            vec![json!("ayra"), json!("kakiyo"), json!("masker")],
            vec![json!("Masker"), Value::Null],
        ),
        ("default_delete_mode", vec![json!("soft"), json!("hard")], vec![json!("purge"), Value::Null]),
        (
            "restore_window_days",
            vec![json!(1), json!(365)],
            vec![json!(0), json!(366), json!(1.5), json!("7"), Value::Null],
        ),
        (
            "agent_limit",
            vec![json!(0), json!(100_000), Value::Null],
            vec![json!(-1), json!(100_001), json!("1")],
        ),
        ("session_retention_days", vec![json!(1), json!(3650), Value::Null], vec![json!(0), json!(3651)]),
        ("plan", vec![], vec![json!("pilot")]),
        ("id", vec![], vec![json!("acc_1")]),
        ("agent_count", vec![], vec![json!(1)]),
    ] {
        for value in good {
            let body = serde_json::Map::from_iter([(field.to_owned(), value.clone())]);
            let shown =
                server.patch("/api/v1/account", body.into()).await.expect(200)["account"][field].clone();
            let expected =
                if field == "session_retention_days" && value.is_null() { json!(90) } else { value };
            assert_eq!(shown, expected, "{field}");
        }
        for value in bad {
            let body = serde_json::Map::from_iter([(field.to_owned(), value.clone())]);
            let error = server.patch("/api/v1/account", body.into()).await.refused(422, "validation_failed");
            assert_eq!(error["details"][0]["field"], field, "{value}");
        }
    }
    // Lowering the limit takes nothing away.
    for name in ["a", "b"] {
        server.agent(name, json!({})).await;
    }
    let limited = server.patch("/api/v1/account", json!({ "agent_limit": 1 })).await.expect(200);
    assert_eq!(limited["account"]["agent_count"], 2);
    assert_eq!(server.get("/api/v1/agents").await.expect(200)["data"].as_array().unwrap().len(), 2);
    let full = server.post("/api/v1/agents", json!({ "name": "c", "upstream": "stub" })).await;
    let full = full.refused(409, "agent_limit_reached");
    assert_eq!((&full["limit"], &full["current"]), (&json!(1), &json!(2)));
}
