//! Reports as documents: what a plain extractor of text finds in them is what the JSON says.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::common::Server;

const SAID: &str = "I'm Ann Reed, call 415-555-0142 or mail ann.reed@example.com";

struct Pdf {
    bytes: Vec<u8>,
    disposition: String,
    pages: Vec<String>,
    keywords: String,
}

impl Pdf {
    fn text(&self) -> String {
        self.pages.join("\n")
    }
}

async fn pdf(server: &Server, path: &str, accept: &str) -> Pdf {
    let request = Request::get(path)
        .header("authorization", format!("Bearer {}", server.token))
        .header("accept", accept)
        .body(Body::empty())
        .unwrap();
    let response = server.router.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    assert_eq!(
        (parts.status.as_u16(), &parts.headers["content-type"]),
        (200, &"application/pdf".parse().unwrap())
    );
    let bytes = body.collect().await.unwrap().to_bytes().to_vec();
    let document = lopdf::Document::load_mem(&bytes).unwrap();
    let pages = document.get_pages().keys().map(|page| document.extract_text(&[*page]).unwrap()).collect();
    let info = document.trailer.get(b"Info").unwrap().as_reference().unwrap();
    let keywords = document.get_dictionary(info).unwrap().get(b"Keywords").unwrap().as_str().unwrap();
    let keywords = String::from_utf8(keywords.to_vec()).unwrap();
    let disposition = parts.headers["content-disposition"].to_str().unwrap().to_owned();
    Pdf { bytes, disposition, pages, keywords }
}

/// Letters and digits of a text, since lines end where the page does.
fn letters(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_whitespace()).collect()
}

#[tokio::test]
async fn a_document_says_what_the_json_says() {
    let server = Server::with(&[("MASKER_PAYLOAD_RETENTION_DAYS", "1")]);
    let yaml = include_str!("../../../configs/mask_policy.yaml")
        .replace("log_payloads: false", "log_payloads: masked");
    let baa = json!([{ "vendor": "Example Voice", "role": "voice_platform", "reference": "EV-17" }]);
    let agent = server.agent("refill-line", json!({ "policy_yaml": yaml, "baa_chain": baa })).await;
    let session = server.chat(&agent, SAID).await.header("masker-session-id").to_owned();
    for _ in 0..3 {
        server.chat(&agent, "I'm Bob Stone").await.expect(200);
    }
    let paths = [
        (format!("/api/v1/sessions/{session}/report?"), format!("masker-session-{session}.pdf")),
        (format!("/api/v1/agents/{agent}/report?since=1d&"), format!("masker-agent-{}.pdf", &agent[..10])),
        ("/api/v1/reports?since=7d&".to_owned(), "masker-account-acc_".to_owned()),
    ];
    for (path, file) in paths {
        let json = server.get(&format!("{path}format=json")).await.expect(200)["report"].clone();
        let at = json["generated_at"].as_str().unwrap();
        let again = server.get(&format!("{path}generated_at={at}")).await.expect(200)["report"].clone();
        assert_eq!(again, json, "a pinned time gives the same report");
        let made =
            pdf(&server, &format!("{path}generated_at={at}"), "text/html;q=0.3, application/pdf").await;
        let repeated = pdf(&server, &format!("{path}format=pdf&generated_at={at}"), "*/*").await;
        assert!(made.bytes == repeated.bytes, "byte for byte");
        assert!(made.disposition.starts_with("attachment; filename=\"") && made.disposition.contains(&file));
        assert_eq!(made.keywords, json["merkle_root_hex"].as_str().unwrap());
        let id = json["id"].as_str().unwrap();
        for page in &made.pages {
            assert!(page.contains(id), "the id is on every page");
        }
        let text = letters(&made.text());
        let sections = [
            "De-identificationreport",
            "2Summary",
            "3SafeHarbormatrix",
            "4Redactions",
            "5Carddata",
            "6Leaksandalerts",
            "7Retention",
            "8Businessassociates",
            "9Sampletranscripts",
            "10Auditlog",
            "11Configuration",
            "12Sessions",
        ];
        let mut at = 0;
        for name in sections {
            at += text[at..].find(name).unwrap_or_else(|| panic!("{name}\n{text}"));
        }
        for row in json["safe_harbor_coverage"].as_object().unwrap().keys() {
            let letter = &row[..1];
            assert!(
                made.text().lines().any(|line| line.trim_start().starts_with(&format!("{letter}  "))),
                "{row}"
            );
        }
        for (name, value) in [
            ("Sessions", &json["summary"]["sessions"]),
            ("Redactions", &json["summary"]["redactions"]),
            ("Alerts", &json["summary"]["alerts"]),
            ("SafeHarborcoverage", &json["summary"]["coverage_percent"]),
            ("Cardnumbersdetected", &json["pci"]["card_numbers_detected"]),
            ("Eventsinscope", &json["audit"]["event_count"]),
        ] {
            assert!(text.contains(&format!("{name}{value}")), "{name} {value}\n{text}");
        }
        for (kind, count) in json["redactions_by_kind"].as_object().unwrap() {
            assert!(text.contains(&format!("{kind}{count}")), "{kind} {count}");
        }
        let hash = json["audit_root_hash"].as_str().unwrap();
        assert!(text.contains(hash) && text.contains("ExampleVoice") && text.contains("EV-17"));
        for listed in json["sessions"].as_array().unwrap() {
            assert!(text.contains(listed.as_str().unwrap()));
        }
        assert!(text.contains("name:healthcare-default"), "the policy is in it");
        let available = &json["sample_transcripts"]["available"];
        assert!(text.contains(&format!("{available}available")));
        for original in ["Reed", "Stone", "55-0142", "ann.reed", agent.as_str()] {
            assert!(!text.contains(original), "{original}");
            assert!(!made.bytes.windows(original.len()).any(|window| window == original.as_bytes()));
        }
    }
}

#[tokio::test]
async fn a_report_is_of_its_time_and_reading_leaves_no_mark_in_it() {
    let server = Server::new();
    let agent = server.agent("a", json!({})).await;
    let session = server.chat(&agent, SAID).await.header("masker-session-id").to_owned();
    let path = format!("/api/v1/sessions/{session}/report");
    let first = server.get(&path).await.expect(200)["report"].clone();
    let detail = server.get(&format!("/api/v1/sessions/{session}")).await.expect(200)["session"].clone();
    let second = server.get(&path).await.expect(200)["report"].clone();
    assert_eq!(first["audit"], second["audit"], "a report is no event of the session it is about");
    assert_eq!(first["merkle_root_hex"], detail["merkle_root_hex"]);
    let read = server.get(&format!("/api/v1/audit/events?session_id={session}&kind=report_generated")).await;
    assert_eq!(read.expect(200)["data"].as_array().unwrap().len(), 2, "and is found by it all the same");
    let bad = server.get(&format!("{path}?generated_at=2126-01-01")).await.refused(422, "validation_failed");
    assert_eq!(bad["details"][0]["field"], "generated_at");
    let empty: Value = server.get("/api/v1/reports?since=2020-01-01&until=2020-01-02").await.expect(200);
    assert_eq!(empty["report"]["merkle_root_hex"], Value::Null);
    let made = pdf(&server, "/api/v1/reports?format=pdf&since=2020-01-01&until=2020-01-02", "").await;
    assert!(letters(&made.text()).contains("Nothingwasreplaced.") && made.text().contains("0 available"));
}
