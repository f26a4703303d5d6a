//! The behaviour that every store must show, as one suite to run over each.
#![allow(clippy::missing_panics_doc, reason = "a failed check is a panic by design")]

use std::sync::Arc;
use std::thread;

use super::{
    Lookup, Mention, NewRow, Opened, Put, Query, Records, Reference, Selection, Vault, VaultError, Write,
    export, import, rewrap, verify,
};
use crate::Kind;
use crate::token::{KeyRing, Kid, Scope, Token};

const DAY: i64 = 86_400_000;

/// Runs every check, each on a store of its own that `open` makes empty.
pub fn run(open: &dyn Fn() -> Arc<dyn Vault>) {
    rows_come_back(&*open());
    spelling(&*open());
    scopes_do_not_mix(&*open());
    references(&*open());
    deletion(&*open());
    purged_tokens_stay_dead(&*open());
    expiry(&*open());
    rotation(&*open());
    paging(&*open());
    moving(&*open(), &*open());
    damage(&*open());
    threads(&open());
}

/// Invented values are told apart by a number.
struct Case {
    keys: KeyRing,
    kid: Kid,
    scope: Scope,
    reference: Reference,
}

impl Case {
    fn new() -> Self {
        Self::with(KeyRing::builder().key(&kid("K1"), [1; 32]))
    }

    fn with(keys: crate::token::KeyRingBuilder) -> Self {
        let keys = keys.build().expect("the keys of the case are sound");
        Self { keys, kid: kid("K1"), scope: Scope::default(), reference: Reference::default() }
    }

    fn records<'a>(&'a self, vault: &'a dyn Vault) -> Records<'a> {
        Records::new(&self.keys, vault, &self.scope, &self.reference)
    }

    fn mention<'a>(&'a self, original: &'a str, normalised: &'a str) -> Mention<'a> {
        Mention { kind: &Kind::Phone, kid: &self.kid, original, normalised }
    }

    fn mint(&self, vault: &dyn Vault, value: &str) -> Token {
        self.mint_at(vault, value, 0)
    }

    fn mint_at(&self, vault: &dyn Vault, value: &str, now: i64) -> Token {
        let records = self.records(vault).at(now);
        records.mint(&[self.mention(value, value)]).expect("mint").remove(0)
    }

    /// The original behind a token, `unknown` or `foreign`.
    fn restore(&self, vault: &dyn Vault, token: &Token) -> String {
        match self.records(vault).at(0).restore(&[token]).expect("restore").remove(0) {
            Opened::Foreign => "foreign".to_owned(),
            Opened::Original(text) => text.expose().to_owned(),
            Opened::Unknown => "unknown".to_owned(),
        }
    }
}

fn kid(text: &str) -> Kid {
    text.parse().expect("key ids of the suite are well formed")
}

fn scope(text: &str) -> Scope {
    text.parse().expect("scope ids of the suite are well formed")
}

fn rows(vault: &dyn Vault) -> u64 {
    vault.stats().expect("stats").rows
}

fn rows_come_back(vault: &dyn Vault) {
    let case = Case::new();
    let texts: Vec<String> = (0..50).map(|n| format!("value {n}")).collect();
    let mentions: Vec<Mention<'_>> = texts.iter().map(|text| case.mention(text, text)).collect();
    let tokens = case.records(vault).mint(&mentions).expect("mint");
    assert_eq!(rows(vault), 50);
    for (text, token) in texts.iter().zip(&tokens) {
        assert_eq!(case.restore(vault, token), *text);
    }
    let again = case.records(vault).mint(&mentions).expect("mint");
    assert_eq!(tokens, again);
    assert_eq!(rows(vault), 50);
    assert!(case.records(vault).mint(&[]).expect("mint nothing").is_empty());
    assert!(case.records(vault).restore(&[]).expect("restore nothing").is_empty());

    let stats = vault.stats().expect("stats");
    assert_eq!(stats.by_kind, [(Kind::Phone, 50)]);
    assert_eq!(stats.by_kid, [(kid("K1"), 50)]);
    let checked = verify(&case.keys, vault).expect("verify");
    assert_eq!((checked.readable, checked.unreadable, checked.orphans), (50, 0, 0));
    let lost = verify(&Case::with(KeyRing::builder().key(&kid("K2"), [1; 32])).keys, vault).expect("verify");
    assert_eq!((lost.readable, lost.unreadable), (0, 50), "without its key a row is unreadable");
    assert_eq!(lost.keyless.into_iter().collect::<Vec<_>>(), [(kid("K1"), 50)]);
    assert!(stats.bytes > 0 && stats.oldest.is_some() && stats.newest >= stats.oldest);
}

fn spelling(vault: &dyn Vault) {
    let case = Case::new();
    let both = [case.mention("(415) 555-0142", "+14155550142"), case.mention("415.555.0142", "+14155550142")];
    let tokens = case.records(vault).mint(&both).expect("mint");
    assert_eq!(tokens[0], tokens[1], "equal values share a token");
    assert_eq!(rows(vault), 1);
    assert_eq!(case.restore(vault, &tokens[0]), "(415) 555-0142", "the first spelling of a batch is kept");
    case.records(vault).mint(&both[1..]).expect("mint");
    assert_eq!(case.restore(vault, &tokens[0]), "415.555.0142", "a later batch brings its own spelling");
}

fn scopes_do_not_mix(vault: &dyn Vault) {
    let one = Case { scope: scope("one"), ..Case::new() };
    let two = Case { scope: scope("two"), ..Case::new() };
    let token = one.mint(vault, "415-555-0142");
    assert_ne!(token, two.mint(vault, "415-555-0142"));
    assert_eq!(rows(vault), 2);
    assert_eq!(two.restore(vault, &token), "unknown");
    assert_eq!(Case::new().restore(vault, &token), "unknown");
    let stranger = Case::with(KeyRing::builder().key(&kid("K2"), [1; 32]));
    let stranger = Case { scope: scope("one"), ..stranger };
    assert_eq!(stranger.restore(vault, &token), "foreign");
    assert_eq!(one.restore(vault, &token), "415-555-0142");
}

fn references(vault: &dyn Vault) {
    let ann = Case { reference: Reference::new("agent-1", "ann"), ..Case::new() };
    let ben = Case { reference: Reference::new("agent-2", "ben"), ..Case::new() };
    let shared = ann.mint(vault, "415-555-0142");
    assert_eq!(shared, ben.mint(vault, "415-555-0142"));
    let own = ann.mint(vault, "415-555-0143");
    let removes = |which: &Selection, expected| {
        assert_eq!(vault.count(which).expect("count"), expected);
        assert_eq!(vault.delete(which).expect("delete"), expected);
    };
    removes(&Selection::Subject("nobody".to_owned()), 0);
    removes(&Selection::Subject("ann".to_owned()), 1);
    assert_eq!(ben.restore(vault, &own), "unknown");
    assert_eq!(ben.restore(vault, &shared), "415-555-0142", "a shared row outlives one of its owners");
    removes(&Selection::Agent("agent-1".to_owned()), 0);
    removes(&Selection::Agent("agent-2".to_owned()), 1);
    assert_eq!(ben.restore(vault, &shared), "unknown");
}

fn deletion(vault: &dyn Vault) {
    let two_keys = || Case::with(KeyRing::builder().key(&kid("K1"), [1; 32]).key(&kid("K2"), [2; 32]));
    let one = two_keys();
    let two = Case { kid: kid("K2"), scope: scope("two"), ..two_keys() };
    let early = one.mint_at(vault, "early", DAY);
    let late = one.mint_at(vault, "late", 5 * DAY);
    let other = two.mint_at(vault, "other", 5 * DAY);
    let before = Selection::UnusedSince(2 * DAY);
    assert_eq!(vault.count(&before).expect("count"), 1);
    assert_eq!(rows(vault), 3, "counting removes nothing");
    assert_eq!(vault.delete(&before).expect("delete"), 1);
    assert_eq!(one.restore(vault, &early), "unknown");
    assert_eq!(vault.delete(&Selection::Kid(kid("K1"))).expect("delete"), 1);
    assert_eq!(one.restore(vault, &late), "unknown");
    assert_eq!(two.restore(vault, &other), "other");
    assert_eq!(vault.delete(&Selection::Scope(scope("two"))).expect("delete"), 1);
    let stats = vault.stats().expect("stats");
    assert_eq!((stats.rows, stats.tombstones), (0, 3));

    let used = one.mint_at(vault, "used", DAY);
    one.mint_at(vault, "used", 9 * DAY);
    assert_eq!(vault.delete(&Selection::UnusedSince(2 * DAY)).expect("delete"), 0, "a use keeps a row");
    assert_eq!(one.restore(vault, &used), "used");
}

fn purged_tokens_stay_dead(vault: &dyn Vault) {
    let case = Case::new();
    let mut dead = Vec::new();
    for _ in 0..3 {
        let token = case.mint(vault, "415-555-0142");
        assert_eq!(case.mint(vault, "415-555-0142"), token);
        assert!(!dead.contains(&token), "a purged token is never minted again");
        assert_eq!(vault.delete(&Selection::Kid(kid("K1"))).expect("delete"), 1);
        dead.push(token);
    }
    let live = case.mint(vault, "415-555-0142");
    assert_eq!(case.restore(vault, &live), "415-555-0142");
    for token in &dead {
        assert_eq!(case.restore(vault, token), "unknown");
        let tokens = [token];
        let query = Query { scope: &case.scope, reference: None, now: 0, tokens: &tokens };
        assert!(matches!(vault.get(&query).expect("get")[0], Lookup::Purged));
        let rows = [NewRow { token, kid: &case.kid, bytes: Arc::from([0_u8; 44]) }];
        let write =
            Write { scope: &case.scope, reference: &case.reference, now: 0, expires: None, rows: &rows };
        assert_eq!(vault.put(&write).expect("put"), [Put::Purged]);
    }
    assert_eq!(rows(vault), 1);
}

fn expiry(vault: &dyn Vault) {
    let case = Case::new();
    let records = case.records(vault).at(1_000).lifetime(500);
    let token = records.mint(&[case.mention("a", "a")]).expect("mint").remove(0);
    let at = |now| case.records(vault).at(now).restore(&[&token]).expect("restore").remove(0);
    assert!(matches!(at(1_499), Opened::Original(_)));
    assert!(matches!(at(1_500), Opened::Unknown));
    assert_ne!(case.mint_at(vault, "a", 1_500), token, "an expired token is as dead as a purged one");
    assert_eq!(vault.delete(&Selection::Expired(1_500)).expect("delete"), 1);
    assert_eq!(rows(vault), 1);
}

fn rotation(vault: &dyn Vault) {
    let old = Case::new();
    let tokens: Vec<Token> = (0..5).map(|n| old.mint(vault, &format!("value {n}"))).collect();
    let check = |case: &Case, expected: bool| {
        for (n, token) in tokens.iter().enumerate() {
            let restored = case.restore(vault, token);
            assert_eq!(restored == format!("value {n}"), expected, "{restored}");
        }
    };

    let same_kid = Case::with(KeyRing::builder().key(&kid("K1"), [7; 32]).old_key(&kid("K1"), [1; 32]));
    check(&same_kid, true);
    let done = rewrap(&same_kid.keys, vault, None, &kid("K1")).expect("rewrap");
    assert_eq!((done.rewrapped, done.current, done.unreadable), (5, 0, 0));
    let again = rewrap(&same_kid.keys, vault, None, &kid("K1")).expect("rewrap");
    assert_eq!((again.rewrapped, again.current, again.unreadable), (0, 5, 0));
    check(&old, false);
    check(&Case::with(KeyRing::builder().key(&kid("K1"), [7; 32])), true);

    let both = Case::with(KeyRing::builder().key(&kid("K1"), [7; 32]).key(&kid("K2"), [2; 32]));
    let done = rewrap(&both.keys, vault, Some(&kid("K1")), &kid("K2")).expect("rewrap");
    assert_eq!((done.rewrapped, done.unreadable), (5, 0));
    assert_eq!(vault.stats().expect("stats").by_kid, [(kid("K2"), 5)]);
    check(&Case::with(KeyRing::builder().key(&kid("K2"), [2; 32])), true);
    check(&Case::with(KeyRing::builder().key(&kid("K1"), [7; 32])), false);

    let neither = Case::with(KeyRing::builder().key(&kid("K3"), [3; 32]));
    let done = rewrap(&neither.keys, vault, None, &kid("K3")).expect("rewrap");
    assert_eq!((done.rewrapped, done.unreadable), (0, 5));
    assert!(matches!(rewrap(&old.keys, vault, None, &kid("K9")), Err(VaultError::Key(_))));
}

fn paging(vault: &dyn Vault) {
    let mut tokens = Vec::new();
    for name in ["", "a", "b"] {
        let case = Case { scope: scope(name), ..Case::new() };
        tokens.extend((0..7).map(|n| (name.to_owned(), case.mint(vault, &n.to_string()).text().to_owned())));
    }
    tokens.sort();
    for limit in [1, 2, 5, 21, 100] {
        let mut seen = Vec::new();
        let mut after = None;
        loop {
            let page = vault.page(after.as_ref(), limit).expect("page");
            assert!(page.len() <= limit);
            let Some(last) = page.last() else { break };
            after = Some(last.key.clone());
            seen.extend(
                page.iter().map(|row| (row.key.scope.as_str().to_owned(), row.key.token.to_string())),
            );
        }
        assert_eq!(seen, tokens, "limit {limit}");
    }
}

fn moving(from: &dyn Vault, to: &dyn Vault) {
    let case = Case { reference: Reference::new("agent", "subject"), ..Case::new() };
    let kept = case.mint(from, "kept");
    let purged = case.mint_at(from, "purged", 0);
    case.mint_at(from, "kept", DAY);
    assert_eq!(from.delete(&Selection::UnusedSince(DAY)).expect("delete"), 1);
    // The other vault still has what was purged here.
    assert_eq!(case.mint(to, "purged"), purged);

    let mut data = Vec::new();
    let done = export(&case.keys, &case.kid, from, &mut data).expect("export");
    assert_eq!((done.rows, done.tombstones), (1, 1));
    for damaged in (0..data.len()).step_by(7).map(|at| {
        let mut copy = data.clone();
        copy[at] ^= 1;
        copy
    }) {
        assert!(matches!(import(&case.keys, to, &mut &*damaged), Err(VaultError::Export)));
    }
    for len in 0..data.len() {
        assert!(matches!(import(&case.keys, to, &mut &data[..len]), Err(VaultError::Export)));
    }
    let stranger = Case::with(KeyRing::builder().key(&kid("K1"), [9; 32]));
    assert!(matches!(import(&stranger.keys, to, &mut &*data), Err(VaultError::Export)));
    assert_eq!(case.restore(to, &purged), "purged", "a refused import changes nothing");

    let done = import(&case.keys, to, &mut &*data).expect("import");
    assert_eq!((done.rows, done.tombstones), (1, 1));
    assert_eq!(case.restore(to, &kept), "kept");
    assert_eq!(case.restore(to, &purged), "unknown");
    assert_eq!(import(&case.keys, to, &mut &*data).expect("import").rows, 0);
    assert_eq!(to.delete(&Selection::Subject("subject".to_owned())).expect("delete"), 1);
}

fn damage(vault: &dyn Vault) {
    let case = Case::new();
    let token = case.mint(vault, "415-555-0142");
    let row = vault.page(None, 1).expect("page").remove(0);
    for bit in 0..row.bytes.len() * 8 {
        let mut bytes = row.bytes.to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let rows = [NewRow { token: &token, kid: &case.kid, bytes: bytes.into() }];
        let write =
            Write { scope: &case.scope, reference: &case.reference, now: 0, expires: None, rows: &rows };
        assert_eq!(vault.put(&write).expect("put"), [Put::Stored]);
        assert_eq!(case.restore(vault, &token), "unknown", "bit {bit}");
    }

    // A ciphertext under another token, or in another scope, does not open either.
    let other = case.mint(vault, "415-555-0143");
    let elsewhere = Case { scope: scope("elsewhere"), ..Case::new() };
    for (target, token) in [(&case, &other), (&elsewhere, &token)] {
        let rows = [NewRow { token, kid: &case.kid, bytes: Arc::clone(&row.bytes) }];
        let write =
            Write { scope: &target.scope, reference: &case.reference, now: 0, expires: None, rows: &rows };
        vault.put(&write).expect("put");
        assert_eq!(target.restore(vault, token), "unknown");
    }
}

fn threads(vault: &Arc<dyn Vault>) {
    let tokens: Vec<Vec<Token>> = thread::scope(|s| {
        let workers: Vec<_> = (0..8)
            .map(|_| {
                s.spawn(|| {
                    let case = Case::new();
                    (0..40).map(|n| case.mint(&**vault, &format!("value {n}"))).collect()
                })
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().expect("no thread panics")).collect()
    });
    assert!(tokens.iter().all(|list| *list == tokens[0]));
    assert_eq!(rows(&**vault), 40);
}
