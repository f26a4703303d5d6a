use masker_core::{Error, Event, Kid, TokenKind};
use serde::{Deserialize, Serialize, Serializer};

use crate::Server;

/// One text to mask.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaskRequest {
    /// The text as it came.
    pub text: String,
}

impl std::fmt::Debug for MaskRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MaskRequest").field("bytes", &self.text.len()).finish_non_exhaustive()
    }
}

/// The masked text with what was done to it.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct MaskAnswer {
    /// The text with every piece of PHI replaced.
    pub masked: String,
    /// What was found and acted on, in the order of the text.
    pub events: Vec<MaskEvent>,
    /// How many pieces were replaced.
    pub redaction_count: usize,
}

/// One event in the form of the REST interface.
#[derive(Clone, Debug)]
pub struct MaskEvent(Event);

impl Serialize for MaskEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap as _;
        let Self(event) = self;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("pass", &event.pass)?;
        map.serialize_entry("recognizer", event.recognizer.as_ref())?;
        map.serialize_entry("kind", &event.kind)?;
        map.serialize_entry("entity_kind", &event.kind)?;
        map.serialize_entry("span", &[event.span.start, event.span.end])?;
        map.serialize_entry("confidence", &event.confidence)?;
        map.serialize_entry("action", event.action.as_str())?;
        map.serialize_entry("token_kind", &event.token_kind.map(TokenKind::as_str))?;
        map.serialize_entry("kid", &event.kid.as_ref().map(Kid::as_str))?;
        map.end()
    }
}

impl Server {
    /// Masks one text.
    ///
    /// # Errors
    ///
    /// When a key or the vault fails; nothing masked in part is returned.
    pub fn mask(&self, request: &MaskRequest) -> Result<MaskAnswer, Error> {
        let masked = self.masker.mask(&request.text)?;
        Ok(MaskAnswer {
            redaction_count: masked.redaction_count(),
            masked: masked.text,
            events: masked.events.into_iter().map(MaskEvent).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn request(body: &str) -> Result<MaskRequest, serde_json::Error> {
        serde_json::from_str(body)
    }

    #[test]
    fn answers_in_the_form_of_the_interface() {
        let request = request(r#"{ "text": "please call 415-555-0142 today" }"#).unwrap();
        let answer = serde_json::to_value(Server::new().unwrap().mask(&request).unwrap()).unwrap();
        assert_eq!(answer["redaction_count"], json!(1));
        assert_eq!(answer["events"][0]["kind"], json!("PHONE"));
        assert_eq!(answer["events"][0]["entity_kind"], json!("PHONE"));
        assert_eq!(answer["events"][0]["span"], json!([12, 24]));
        assert_eq!(answer["events"][0]["action"], json!("tokenize"));
        assert_eq!(answer["events"][0]["token_kind"], json!("MSKV1"));
        assert_eq!(answer["events"][0]["kid"], json!("EPHEMERAL"));
        let masked = answer["masked"].as_str().unwrap();
        assert!(
            masked.starts_with("please call MSKV1.PHONE.EPHEMERAL.") && masked.ends_with(" today"),
            "{masked}"
        );
    }

    #[test]
    fn unknown_fields_are_refused_and_debug_shows_no_text() {
        assert!(request(r#"{ "text": "a", "txet": "b" }"#).is_err());
        let shown = format!("{:?}", MaskRequest { text: "call 415-555-0142".into() });
        assert!(!shown.contains("0142"), "{shown}");
    }

    #[test]
    fn a_second_call_sees_the_same_vault() {
        let server = Server::new().unwrap();
        let masked = |text: &str| -> Value {
            let request = MaskRequest { text: text.into() };
            serde_json::to_value(server.clone().mask(&request).unwrap()).unwrap()["masked"].clone()
        };
        assert_eq!(masked("415-555-0142"), masked("(415) 555-0142"));
    }
}
