//! A vault with many rows: looking up and inserting twenty tokens, what the file weighs, what a purge costs.
//!
//! `MASKER_VAULT_ROWS` sets the number of rows (100,000), `MASKER_TEST_POSTGRES` names a PostgreSQL server to measure beside
//! SQLite; with `--test` it only shows that it runs.
#![expect(clippy::print_stdout, reason = "a bench that prints its own figures")]

use std::env;
use std::error::Error;
use std::time::{Duration, Instant};

use masker_core::vault::{Selection, export, verify};
use masker_core::{
    Durability, KeyRing, Kid, Kind, Mention, Opened, PostgresVault, Records, Reference, Scope, SqliteVault,
    Token, Vault,
};

const BATCH: usize = 20;
const ROUNDS: usize = 200;

struct Setting {
    keys: KeyRing,
    kid: Kid,
    scope: Scope,
    reference: Reference,
}

impl Setting {
    fn mint(&self, vault: &dyn Vault, values: &[String]) -> Result<Vec<Token>, Box<dyn Error>> {
        let mentions: Vec<Mention<'_>> = values
            .iter()
            .map(|value| Mention { kind: &Kind::Phone, kid: &self.kid, original: value, normalised: value })
            .collect();
        Ok(Records::new(&self.keys, vault, &self.scope, &self.reference).mint(&mentions)?)
    }
}

fn values(from: usize, count: usize) -> Vec<String> {
    (from..from + count).map(|n| format!("+1 415 555 01{n:08}")).collect()
}

/// The median of the times, and the one that one in a hundred is above.
fn show(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |share: usize| times[(times.len() * share / 100).min(times.len() - 1)];
    println!("  {what:<38} median {:>9.3?}  p99 {:>9.3?}", at(50), at(99));
}

fn measure(name: &str, vault: &dyn Vault, rows: usize) -> Result<(), Box<dyn Error>> {
    println!("{name}, {rows} rows");
    let kid: Kid = "K1".parse()?;
    let keys = KeyRing::builder().key(&kid, [7; 32]).build()?;
    let setting =
        Setting { keys, kid, scope: Scope::default(), reference: Reference::new("agent", "subject") };
    let started = Instant::now();
    let mut sample = Vec::new();
    for from in (0..rows).step_by(1_000) {
        let tokens = setting.mint(vault, &values(from, 1_000.min(rows - from)))?;
        sample.extend(tokens.into_iter().step_by(50));
    }
    println!("  filled in {:.1?}, {} MB", started.elapsed(), vault.stats()?.bytes / 1_000_000);

    let records = Records::new(&setting.keys, vault, &setting.scope, &setting.reference);
    let lookup = |what: &str| -> Result<(), Box<dyn Error>> {
        let mut times = Vec::new();
        for round in 0..ROUNDS {
            // Tokens from all over the table.
            let tokens: Vec<&Token> =
                (0..BATCH).map(|i| &sample[(round * BATCH + i) * 7_919 % sample.len()]).collect();
            let started = Instant::now();
            let opened = records.restore(&tokens)?;
            times.push(started.elapsed());
            assert!(opened.iter().all(|o| matches!(o, Opened::Original(_))), "every token is restored");
        }
        show(what, times);
        Ok(())
    };
    lookup("look up 20 tokens, first time")?;
    lookup("look up 20 tokens, warm")?;
    let mut times = Vec::new();
    for round in 0..ROUNDS {
        let new = values(rows + round * BATCH, BATCH);
        let started = Instant::now();
        setting.mint(vault, &new)?;
        times.push(started.elapsed());
    }
    show("insert 20 new tokens", times);
    let mut times = Vec::new();
    for round in 0..ROUNDS {
        let known = values(round * BATCH, BATCH);
        let started = Instant::now();
        setting.mint(vault, &known)?;
        times.push(started.elapsed());
    }
    show("mint 20 tokens that are there", times);
    let started = Instant::now();
    let checked = verify(&setting.keys, vault)?;
    assert_eq!((checked.unreadable, checked.orphans), (0, 0), "every row opens");
    println!("  verify all rows                        {:.1?}", started.elapsed());
    let started = Instant::now();
    export(&setting.keys, &setting.kid, vault, &mut std::io::sink())?;
    println!("  export all rows                        {:.1?}", started.elapsed());
    let other = Setting { reference: Reference::new("agent", "another"), ..setting };
    // Behind all that was inserted above.
    other.mint(vault, &values(rows + (ROUNDS + 1) * BATCH, BATCH))?;
    let started = Instant::now();
    assert_eq!(
        vault.delete(&Selection::Subject("another".to_owned()))?,
        BATCH as u64,
        "the rows of one subject go"
    );
    println!("  purge 20 rows of one subject           {:.1?}", started.elapsed());
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let rows = if env::args().any(|arg| arg == "--test") {
        2_000
    } else {
        env::var("MASKER_VAULT_ROWS").ok().and_then(|text| text.parse().ok()).unwrap_or(100_000)
    };
    let folder = tempfile::tempdir()?;
    for (name, durability) in [("SQLite", Durability::Process), ("SQLite, synced", Durability::Power)] {
        let vault = SqliteVault::open_with(folder.path().join(format!("{name}.db")), durability)?;
        measure(name, &vault, rows)?;
    }
    if let Some(url) = env::var("MASKER_TEST_POSTGRES").ok().filter(|url| !url.is_empty()) {
        let vault = PostgresVault::connect(&url)?;
        if vault.stats()?.rows > 0 {
            // Rows of somebody else's would be measured with ours.
            println!("PostgreSQL: left out, the database already holds a vault");
            return Ok(());
        }
        measure("PostgreSQL", &vault, rows)?;
    }
    Ok(())
}
