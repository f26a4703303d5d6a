//! Whether what a policy wants found can be found with the passes that it lists.

use super::Checker;
use super::fields::{Fields, join};
use crate::policy::{EntityRule, Policy, PolicyNoticeCode as Notice, stands_in};
use crate::{Kind, Pass};

impl Checker<'_> {
    pub(super) fn entities_never_found(&mut self, policy: &Policy, top: &Fields<'_>) {
        let Some(listed) = top.get("entities").and_then(|f| self.mapping(&f)) else { return };
        for (rule, (key, _)) in policy.entities.iter().zip(listed.pairs) {
            if rule.enabled && !can_be_found(policy, rule, self.loader.ner_loaded) {
                let message = format!("no listed pass can find the kind {}", rule.kind);
                self.notice(Notice::EntityNeverFound, key.at, &join("entities", &key.text), message);
            }
        }
    }
}

/// Whether anything that is listed, or stands in for what is, can find the kind. An unknown model may be loaded.
fn can_be_found(policy: &Policy, rule: &EntityRule, ner_loaded: Option<bool>) -> bool {
    policy.passes.iter().filter(|p| p.applies_to(&rule.kind)).any(|listed| match listed.pass {
        Pass::Ner => {
            (rule.ner && ner_loaded != Some(false))
                || (listed.substitute
                    && ner_loaded != Some(true)
                    && [Pass::Dictionary, Pass::Spoken]
                        .into_iter()
                        .any(|pass| stands_in(rule, pass) && finds(policy, pass, &rule.kind)))
        }
        pass => rule.allows(pass) && finds(policy, pass, &rule.kind),
    })
}

/// Whether a built-in pass, with what the policy adds to it, knows the kind.
fn finds(policy: &Policy, pass: Pass, kind: &Kind) -> bool {
    let built_in = kind.is_built_in()
        && match pass {
            Pass::Regex => !matches!(kind, Kind::Name | Kind::Organization),
            Pass::Dictionary => {
                matches!(kind, Kind::Name | Kind::Address | Kind::Organization | Kind::HealthPlan)
            }
            Pass::Spoken => *kind != Kind::Organization,
            _ => false,
        };
    built_in
        || policy.recognizers.iter().any(|r| r.pass == pass && r.kind == *kind)
        || (pass == Pass::Dictionary && policy.dictionaries.iter().any(|d| d.kind == *kind))
}
