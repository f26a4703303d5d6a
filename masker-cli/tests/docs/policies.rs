//! Policies in the pages are valid, and do with the texts behind them what the page says. Other data is at least well formed.
//!
//! Behind a `yaml` block, `text,in` holds texts, one a line, and `text,out` what becomes of each; `text,back` is what is restored
//! from that. `text,turns` holds the turns of one conversation, each after its role. `json,in` and `json,out` are a chat or
//! another document. In an output `[..]` stands for anything.

use std::fmt::{Display, Write as _};

use masker_core::{Error, JsonRules, KeyRing, Kid, Masker, Policy, Role};

use crate::like::line_is_like;
use crate::page::{Block, pages};

#[test]
fn policies_do_what_the_pages_say() {
    let (mut policies, mut outputs) = (0, 0);
    for page in pages() {
        let mut state = State::default();
        for block in page.blocks() {
            if block.excuse.is_some() {
                continue;
            }
            let at = format!("{}:{}", page.path, block.line);
            match block.language {
                "yaml" => {
                    policies += 1;
                    state = State { masker: Some(build(&block, &at)), ..State::default() };
                }
                "json" | "text" if !block.attributes.is_empty() => {
                    outputs += usize::from(state.take(&block, &at));
                }
                "json" => drop(json(&block, &at)),
                "toml" => {
                    drop(block.text.parse::<toml::Table>().unwrap_or_else(|error| panic!("{at}: {error}")));
                }
                _ => {}
            }
        }
        assert!(state.given.is_none(), "{}: an input without its output", page.path);
    }
    assert!(policies >= 25, "{policies}");
    assert!(outputs >= 25, "{outputs}");
}

/// A recipe is a heading with a policy, an input and an output.
#[test]
fn the_cookbook_has_twenty_recipes() {
    let pages = pages();
    let page = pages.iter().find(|page| page.path == "docs/cookbook.md").unwrap();
    let recipes: Vec<&str> = page.text.split("\n## ").skip(1).collect();
    assert!(recipes.len() >= 20, "{}", recipes.len());
    for recipe in recipes {
        let title = recipe.lines().next().unwrap();
        for part in ["```yaml\n", ",in\n", ",out\n"] {
            assert!(
                recipe.contains(part) || part == ",in\n" && recipe.contains("text,turns"),
                "{title}: no {part:?}"
            );
        }
    }
}

/// What was said on the page since the last policy.
#[derive(Default)]
struct State {
    masker: Option<Masker>,
    given: Option<Vec<String>>,
    /// The last output, to be restored.
    restored: Option<Vec<String>>,
}

impl State {
    /// Takes an input, or compares an output and says so.
    fn take(&mut self, block: &Block<'_>, at: &str) -> bool {
        let masker = self.masker.as_ref().unwrap_or_else(|| panic!("{at}: there is no policy before it"));
        let lines = || block.text.lines().map(str::to_owned).collect::<Vec<_>>();
        match (block.language, block.attributes[0]) {
            ("text", "in") => {
                let texts = lines();
                self.given = Some(
                    texts.iter().map(|text| said(masker.mask(text).map(|masked| masked.text))).collect(),
                );
                false
            }
            ("text", "turns") => {
                let conversation = masker.conversation("a page");
                let turns = lines();
                let masked = turns.iter().map(|turn| {
                    let (name, text) =
                        turn.split_once(": ").unwrap_or_else(|| panic!("{at}: a turn has a role"));
                    let role = match name {
                        "user" => Role::User,
                        "assistant" => Role::Assistant,
                        "tool" => Role::Tool,
                        _ => Role::System,
                    };
                    format!("{name}: {}", said(conversation.mask_turn(role, text).map(|masked| masked.text)))
                });
                self.given = Some(masked.collect());
                false
            }
            ("json", "in") => {
                let document = block.text.trim_end();
                let masked = match masker.mask_chat(document) {
                    Err(error) if error.code() == "not_a_chat" => {
                        masker.mask_json(document, &JsonRules::default())
                    }
                    other => other,
                };
                self.given =
                    Some(said(masked.map(|masked| masked.json)).lines().map(str::to_owned).collect());
                false
            }
            (_, "out") => {
                let given = self.given.take().unwrap_or_else(|| panic!("{at}: an output without an input"));
                compare(&given, &lines(), at);
                self.given = None;
                self.restored = Some(given);
                true
            }
            ("text", "back") => {
                let masked = self.restored.take().unwrap_or_else(|| panic!("{at}: nothing to restore"));
                let texts: Vec<String> = masked
                    .iter()
                    .map(|text| said(masker.rehydrate(text).map(|restored| restored.text)))
                    .collect();
                compare(&texts, &lines(), at);
                true
            }
            other => panic!("{at}: {other:?}"),
        }
    }
}

fn said(result: Result<String, Error>) -> String {
    result.unwrap_or_else(|error| format!("error: {}", error.code()))
}

fn compare(given: &[String], wanted: &[String], at: &str) {
    let same = given.len() == wanted.len()
        && given.iter().zip(wanted).all(|(text, pattern)| line_is_like(text, pattern));
    assert!(same, "{at}: it is\n{}", given.join("\n"));
}

fn build(block: &Block<'_>, at: &str) -> Masker {
    let mut text = block.text.clone();
    if block.has("part") {
        let head = "name: part\nversion: 1\nkid: K_HEALTHCARE\ntokenization: vault-deterministic\n";
        text.insert_str(0, head);
        for (field, value) in [("passes", "[regex, dictionary, spoken]"), ("entities", "{ PHONE: {} }")] {
            if !block.text.lines().any(|line| line.starts_with(&format!("{field}:"))) {
                writeln!(text, "{field}: {value}").unwrap();
            }
        }
    }
    let fail = |error: &dyn Display| -> ! { panic!("{at}: {error}") };
    let policy = Policy::from_yaml(&text).unwrap_or_else(|error| fail(&error));
    // The key of the vectors in docs/token-format.md.
    let key = std::array::from_fn(|i| u8::try_from(i).unwrap());
    let kids: Vec<Kid> = policy.kids().iter().map(|kid| kid.parse().unwrap()).collect();
    let keys = kids.iter().fold(KeyRing::builder(), |keys, kid| keys.key(kid, key)).build().unwrap();
    Masker::builder().policy(policy).keys(keys).build().unwrap_or_else(|error| fail(&error))
}

fn json(block: &Block<'_>, at: &str) -> serde_json::Value {
    serde_json::from_str(&block.text).unwrap_or_else(|error| panic!("{at}: {error}"))
}
