//! Tokens and aliases of strangers: read strictly, restored only where they were given out.

use std::fmt::{Debug, Display};
use std::str::FromStr;
use std::sync::Arc;

use masker_core::payload::Pointer;
use masker_core::policy::Surface;
use masker_core::{
    Conversation, Kid, Kind, Masker, MemoryVault, Policy, Role, Scheme, Scope, Token, find_markers,
};

use crate::input::Input;
use crate::promises;
use crate::world::{World, aliased};

/// A value that no other text of the bodies holds, and how to know it.
const SECRET: &str = "zq-live-77@example.com";
const SIGN: &str = "zq-live-77";

thread_local! {
    static LIVE: Live = Live::new();
}

/// What was given out in one scope, and who asks for it in another.
struct Live {
    maskers: Vec<Masker>,
    strangers: Vec<Masker>,
    tokens: Vec<String>,
}

impl Live {
    fn new() -> Self {
        let vault = Arc::new(MemoryVault::new());
        let masker = |scope: &str, scheme| {
            World::masker(Policy::healthcare_default().with_scheme(scheme), vault.clone(), scope)
        };
        let schemes = [Scheme::VaultDeterministic, Scheme::ReversibleAead];
        let maskers: Vec<Masker> = schemes.into_iter().map(|scheme| masker("call_a", scheme)).collect();
        let tokens = maskers.iter().map(|masker| masker.mask(SECRET).unwrap().text).collect();
        Self {
            maskers,
            strangers: schemes.into_iter().map(|scheme| masker("call_b", scheme)).collect(),
            tokens,
        }
    }
}

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    LIVE.with(|live| {
        let which = input.below(live.tokens.len());
        let token = &live.tokens[which];
        let changed = input.edit(token.as_bytes());
        let changed = String::from_utf8_lossy(&changed);
        // A token in a text, changed a little; and the text alone.
        let text = input.text();
        for text in [text.clone().into_owned(), format!("{text}{changed}"), format!("{changed} {text}")] {
            are_read_strictly(&text);
            only_live_ones_come_back(live, which, &text);
        }
    });
    is_read_back::<Kid>(&input.text(), |kid| kid.as_str().to_owned());
    is_read_back::<Scope>(&input.text(), |scope| scope.as_str().to_owned());
    is_read_back::<Kind>(&input.text(), ToString::to_string);
    let _ = input.text().parse::<Pointer>();
    aliases_of_strangers_stay_closed(&input.text());
}

fn is_read_back<T>(text: &str, write: impl Fn(&T) -> String)
where
    T: FromStr + PartialEq + Debug,
    T::Err: Display,
{
    match text.parse::<T>() {
        Ok(read) => assert_eq!(write(&read).parse::<T>().ok().as_ref(), Some(&read)),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

fn are_read_strictly(text: &str) {
    let found = find_markers(text);
    let mut end = 0;
    for marker in &found {
        assert!(marker.span.start >= end && marker.span.end > marker.span.start);
        assert!(text.get(marker.span.range()).is_some());
        end = marker.span.end;
    }
    for (span, token) in promises::tokens(text) {
        assert_eq!(token.text().parse::<Token>().as_ref(), Ok(&token));
        let written: String =
            text[span.range()].chars().filter(|c| c.is_ascii() && !c.is_ascii_whitespace()).collect();
        assert!(written.eq_ignore_ascii_case(token.text()), "one value has one spelling");
    }
    if let Ok(token) = text.parse::<Token>() {
        let read: Vec<Token> = promises::tokens(text).map(|(_, token)| token).collect();
        assert_eq!(read, [token]);
    }
}

fn only_live_ones_come_back(live: &Live, which: usize, text: &str) {
    let here = &live.maskers[which];
    let own = promises::tokens(text).filter(|(_, token)| token.text() == live.tokens[which]).count();
    let all = promises::tokens(text).count();
    let restored = here.rehydrate(text).unwrap();
    assert_eq!(restored.restored, own);
    assert_eq!(restored.unknown + restored.foreign, all - own);
    if own == 0 {
        assert_eq!(restored.text, promises::all_redacted(text));
    }
    let stranger = live.strangers[which].rehydrate(text).unwrap();
    assert_eq!((stranger.restored, stranger.unknown + stranger.foreign), (0, all));
    assert_eq!(stranger.text, promises::all_redacted(text));
    // Tokens are not text to mask, whoever gave them out.
    let masked = here.mask(text).unwrap();
    assert_eq!(
        promises::tokens(&masked.text).filter(|(_, token)| token.text() == live.tokens[which]).count(),
        own
    );
}

/// What a caller reads aloud is no key to another caller's value, nor to the one a tool gave.
fn aliases_of_strangers_stay_closed(text: &str) {
    thread_local! {
        static MASKERS: World = World::new(vec![aliased(""), Policy::healthcare_default()]);
    }
    MASKERS.with(|world| {
        for masker in world.begin() {
            let conversation = masker.conversation("call_a");
            let given = conversation.mask_turn(Role::Tool, SECRET).unwrap().text;
            assert!(!given.contains(SIGN));
            opens_nothing(&conversation, text);
            // A durable token is its holder's within the scope; an alias is the conversation's alone.
            if masker.policy().surface() == Surface::Alias {
                opens_nothing(&conversation, &format!("{text} {given}"));
            }
        }
    });
}

fn opens_nothing(conversation: &Conversation, text: &str) {
    if text.to_lowercase().contains(SIGN) {
        return;
    }
    let masked = conversation.mask_turn(Role::User, text).unwrap();
    let echoed = conversation.rehydrate(&masked.text).unwrap();
    assert!(!echoed.text.contains(SIGN), "a caller's words opened what a tool said");
}
