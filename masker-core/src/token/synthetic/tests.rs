use proptest::prelude::*;

use super::codes::passes_luhn;
use super::words::digits_of;
use super::*;
use crate::token::calendar::days;
use crate::token::normalise::{MONTHS, WEEKDAYS, parse_date};

fn make(seed: u64, kind: &Kind, text: &str) -> String {
    let form = normalise(kind, text, None, Normalization::Value);
    Synthesizer::seeded(seed, 0.5).surrogate(kind, text, form.expose(), |_| false)
}

fn shape(text: &str) -> String {
    let sign = |c: char| if c.is_ascii_digit() { '9' } else { c };
    text.chars().map(sign).collect()
}

#[test]
fn numbers_keep_their_form_and_are_nobodys() {
    for seed in 0..200 {
        let phone = make(seed, &Kind::Phone, "(415) 555-0142");
        assert_eq!(shape(&phone), "(999) 999-9999");
        assert!(phone.contains(" 555-01"), "{phone}");
        assert!(make(seed, &Kind::Phone, "+44 20 7946 0958").starts_with("+44 20 7946 0"));
        assert!(make(seed, &Kind::Phone, "+1 415 555 0142").starts_with("+1 "));

        let ssn = make(seed, &Kind::Ssn, "900-12-3456");
        assert_eq!(shape(&ssn), "999-99-9999");
        assert!(ssn.starts_with('9') && (1..50).contains(&ssn[4..6].parse::<u32>().unwrap()), "{ssn}");

        let card = make(seed, &Kind::CreditCard, "4111 1111 1111 1111");
        assert_eq!(shape(&card), "9999 9999 9999 9999");
        assert!(!passes_luhn(&digits_of(&card)), "{card}");

        let zip = make(seed, &Kind::Zip, "94110-1234");
        assert!(shape(&zip) == "99999-9999" && zip.starts_with('9'), "{zip}");
        let age: u32 = make(seed, &Kind::AgeOver89, "93").parse().unwrap();
        assert!((90..100).contains(&age) && age != 93);
    }
    assert!(passes_luhn("4111111111111111"));
}

#[test]
fn names_keep_words_case_and_titles() {
    let full = make(1, &Kind::Name, "Dr. Sarah Chen");
    assert!(full.starts_with("Dr. ") && full.split(' ').count() == 3, "{full}");
    let given = make(1, &Kind::Name, "Sarah");
    assert_eq!(full.split(' ').nth(1), Some(given.as_str()), "the given name stays one person's");
    assert_eq!(make(1, &Kind::Name, "SARAH"), given.to_uppercase());
    assert_eq!(make(1, &Kind::Name, "sarah's"), format!("{}'s", given.to_lowercase()));
    assert_eq!(make(1, &Kind::Name, "Ann B Reed").split(' ').nth(1).map(str::len), Some(1));
}

#[test]
fn a_person_stays_one_over_names_and_addresses() {
    for seed in 0..50 {
        let full = make(seed, &Kind::Name, "Sarah Chen").to_lowercase();
        let (given, family) = full.split_once(' ').unwrap();
        assert_eq!(make(seed, &Kind::Name, "sarah"), given);
        assert_eq!(make(seed, &Kind::Name, "Ms. Chen").to_lowercase(), format!("ms. {family}"));
        for (address, form) in [
            ("sarah.chen@example.org", format!("{given}.{family}@example.com")),
            ("Sarah_Chen@example.org", format!("{given}_{family}@example.com")),
            ("SARAH-CHEN@EXAMPLE.ORG", format!("{given}-{family}@example.com")),
            ("sarahchen@example.org", format!("{given}{family}@example.com")),
        ] {
            assert_eq!(make(seed, &Kind::Email, address).to_lowercase(), form, "{full} wrote from {address}");
        }
        let form = "sarah.chen@example.org";
        let said = Synthesizer::seeded(seed, 0.5).surrogate(
            &Kind::Email,
            "sarah dot chen at example dot org",
            form,
            |_| false,
        );
        assert_eq!(said, format!("{given} dot {family} at example dot com"));
        let alone = make(seed, &Kind::Email, "sarah42@example.org");
        let figures = alone.strip_prefix(given).and_then(|rest| rest.strip_suffix("@example.com"));
        assert!(figures.is_some_and(|f| f.len() == 2 && f.bytes().all(|b| b.is_ascii_digit())), "{alone}");
    }
}

#[test]
fn dates_move_together_and_keep_their_form() {
    for seed in 0..100 {
        let synthesizer = Synthesizer::seeded(seed, 0.5);
        let iso = |text: &str| normalise(&Kind::Date, text, None, Normalization::Value);
        let number = |text: &str| {
            let form = iso(text);
            let date = parse_date(form.expose()).unwrap();
            days(i64::from(date.full_year().unwrap()), date.month.value, date.day.unwrap().value)
        };
        let move_date = |text: &str| synthesizer.surrogate(&Kind::Date, text, iso(text).expose(), |_| false);
        let moved_by = number(&move_date("1982-03-14")) - number("1982-03-14");
        assert!(moved_by != 0 && moved_by.abs() <= 1_460, "{moved_by}");
        for text in ["3/4/1982", "03/14/1982", "March 14th, 1982", "MAR 14 1982", "14 march 1982", "03141982"]
        {
            let new = move_date(text);
            assert_eq!(number(&new) - number(text), moved_by, "{text} became {new}");
            assert_eq!(new.contains(','), text.contains(','));
        }
        // 14 March 1982 was a Sunday.
        let new = move_date("Sunday, March 14, 1982");
        let weekday = WEEKDAYS[(number(&new) + 3).rem_euclid(7) as usize];
        assert!(new.to_lowercase().starts_with(weekday), "{new}");
        assert_eq!(weekday, "sunday", "whole weeks keep the days of the week");
    }
    assert_eq!(Synthesizer::seeded(1, 1e9).shift.abs(), 1, "a large epsilon stays close");
    assert!(Synthesizer::seeded(1, f64::NAN).shift.abs() <= i64::from(SHIFT_MAX));
}

#[test]
fn spoken_values_stay_spoken() {
    let synthesizer = Synthesizer::seeded(3, 0.5);
    let say = |kind, text, form| synthesizer.surrogate(&kind, text, form, |_| false);
    let phone = say(Kind::Phone, "four one five five five five oh one four two", "+14155550142");
    assert!(phone.contains("five five five oh one"), "{phone}");
    assert!(!phone.bytes().any(|b| b.is_ascii_digit()));
    let email = say(Kind::Email, "jane dot doe at example dot com", "jane.doe@example.com");
    assert!(email.ends_with(" at example dot com"), "{email}");
    for (text, form, words) in [
        ("march third eighty two", "1982-03-03", 4..=6),
        ("oh three oh nine nineteen fifty five", "1955-03-09", 3..=6),
        ("december twenty fifth", "--12-25", 2..=3),
        ("october nineteen ninety", "1990-10", 3..=4),
    ] {
        let date = say(Kind::Dob, text, form);
        assert!(
            !date.bytes().any(|b| b.is_ascii_digit()) && words.contains(&date.split(' ').count()),
            "{date}"
        );
        let has_month = |text: &str| MONTHS.iter().any(|month| text.starts_with(month));
        assert_eq!(has_month(&date), has_month(text), "{date}");
        assert_eq!(date, date.to_lowercase());
    }
    assert!(MONTHS.contains(&say(Kind::Dob, "march", "march").as_str()));
    assert!(MONTHS.iter().any(|month| say(Kind::Date, "the fifth of may", "--05-05").starts_with(month)));
    let age = say(Kind::AgeOver89, "ninety three", "93");
    assert!(age.starts_with("ninety") && age != "ninety three", "{age}");
    let address = say(Kind::Address, "twenty two oh six north pine avenue apartment four b", "");
    let words: Vec<&str> = address.split(' ').collect();
    assert_eq!(
        (words.len(), words[2], words[4], words[6], words[7]),
        (10, "oh", "north", "avenue", "apartment")
    );
}

#[test]
fn contacts_are_reserved_ones() {
    assert!(make(1, &Kind::Email, "Jane.Doe@example.org").ends_with("@example.com"));
    assert!(make(1, &Kind::Url, "https://example.org/a").starts_with("https://example.com/"));
    let ip = make(1, &Kind::IpAddress, "192.0.2.7");
    assert!(["192.0.2.", "198.51.100.", "203.0.113."].iter().any(|net| ip.starts_with(net)));
    assert!(make(1, &Kind::IpAddress, "2001:db8::1").starts_with("2001:db8::"));
    let address = make(1, &Kind::Address, "12 Elm Street, Apt 4");
    assert!(address.contains(" Street, Apt ") && !address.contains("Elm"), "{address}");
}

#[test]
fn taken_values_are_avoided_and_a_form_without_letters_gets_a_label() {
    let synthesizer = Synthesizer::seeded(9, 0.5);
    let first = synthesizer.surrogate(&Kind::Phone, "415-555-0142", "+14155550142", |_| false);
    let second = synthesizer.surrogate(&Kind::Phone, "415-555-0142", "+14155550142", |text| text == first);
    assert_ne!(first, second);
    assert_eq!(synthesizer.surrogate(&Kind::Id, "--", "--", |_| false), "id 1");
    assert_eq!(synthesizer.surrogate(&Kind::Id, "7", "7", |text| text.len() == 1), "id 1");
}

#[test]
fn seeds_matter_and_random_keys_differ() {
    let dashed = make(1, &Kind::Mrn, "mrn-4827193");
    assert_eq!(make(1, &Kind::Mrn, "MRN4827193"), dashed.replace('-', "").to_uppercase());
    assert_ne!(make(1, &Kind::Mrn, "4827193"), make(2, &Kind::Mrn, "4827193"));
    let random =
        || Synthesizer::random(0.5).unwrap().surrogate(&Kind::Mrn, "4827193482", "4827193482", |_| false);
    assert_ne!(random(), random());
}

proptest! {
    #[test]
    fn never_the_original(seed: u64, text in "\\PC{0,24}|(?s:.{0,16})|[0-9]{1,3}|[A-Z][a-z]{1,6} [A-Z][a-z]{1,6}|[a-z0-9._-]{1,12}@[a-z.]{3,12}", epsilon in 0.001f64..10.0) {
        let synthesizer = Synthesizer::seeded(seed, epsilon);
        for kind in Kind::BUILT_IN {
            let form = normalise(kind, &text, None, Normalization::Value);
            let surrogate = synthesizer.surrogate(kind, &text, form.expose(), |_| false);
            prop_assert!(!surrogate.eq_ignore_ascii_case(&text), "{}", kind);
            prop_assert_eq!(surrogate, synthesizer.surrogate(kind, &text, form.expose(), |_| false));
            let elsewhere = Synthesizer::seeded(seed, epsilon).preserve_locale(false);
            prop_assert!(elsewhere.surrogate(kind, &text, form.expose(), |_| false) != text);
        }
    }
}

#[test]
fn numbers_of_other_countries_are_kept_for_fiction_or_given_to_nobody() {
    for seed in 0..40 {
        for (number, ranges) in [
            ("+44 7700 900123", &["+44 7700 900"][..]),
            ("+61 2 5550 1234", &["+61 2 5550"]),
            ("+61 491 570 006", &["+61 491 570"]),
            ("+33 1 42 68 53 00", &["+33 1 99 00"]),
            ("+46 8 123 45 67", &["+46 8 465 0"]),
            ("+52 55 1234 5678", &["+52 00"]),
        ] {
            let new = make(seed, &Kind::Phone, number);
            assert!(ranges.iter().any(|range| new.starts_with(range)), "{new}");
            assert_eq!(shape(&new), shape(number));
        }
    }
    let here = Synthesizer::seeded(1, 0.5).preserve_locale(false);
    assert_ne!(here.surrogate(&Kind::Phone, "+61 2 5550 1234", "+61255501234", |_| false)[..6], *"+61 2 ");
}

#[test]
fn codes_keep_their_form_and_fail_their_checks() {
    use crate::kinds::{Verdict, checks};

    for seed in 0..60 {
        for (kind, text, check) in [
            (Kind::Vehicle, "1M8GDM9AXKP042788", checks::vin as fn(&str) -> Verdict),
            (Kind::License, "1234567893", checks::npi),
            (Kind::License, "AB1234563", checks::dea),
            (Kind::Account, "021000021", checks::aba_routing),
            (Kind::Account, "GB82 WEST 1234 5698 7654 32", checks::iban),
            (Kind::Device, "490154203237518", checks::imei),
            (Kind::Id, "1Z999AA10123456784", checks::ups_tracking),
        ] {
            assert_eq!(check(&text.to_lowercase()), Verdict::Valid, "{text}");
            let new = make(seed, &kind, text);
            assert_ne!(check(&new.to_lowercase()), Verdict::Valid, "{new}");
            let sign = |c: char| if c.is_ascii_alphabetic() { 'A' } else { c };
            let form = |text: &str| shape(text).chars().map(sign).collect::<String>();
            assert_eq!(form(&new), form(text));
        }
        for mac in ["00:1A:2B:3C:4D:5E", "02-c4-5b-78-e0-af", "020a.6c7d.8e9f"] {
            let new = make(seed, &Kind::Device, mac);
            let digits: String = new.chars().filter(char::is_ascii_alphanumeric).collect();
            assert!(digits.to_uppercase().starts_with("00005E0053") && new.len() == mac.len(), "{new}");
        }
        let id = make(seed, &Kind::Id, "123e4567-e89b-12d3-a456-426614174000");
        assert!(id.chars().all(|c| c == '-' || c.is_ascii_hexdigit()) && id.len() == 36, "{id}");
        let udi = make(seed, &Kind::Device, "(01)00884521062859(17)261231(10)A1234");
        assert!(udi.starts_with("(01)") && udi[18..].starts_with("(17)"), "{udi}");
        let plan = make(seed, &Kind::HealthPlan, "1EG4-TE5-MK73");
        assert!(!plan.contains(['S', 'L', 'O', 'I', 'B', 'Z']) && plan.len() == 13, "{plan}");
    }
}

#[test]
fn names_stay_in_their_script_and_language() {
    for (name, range) in [
        ("Анна Петрова", '\u{400}'..='\u{4ff}'),
        ("Ελένη Παππά", '\u{370}'..='\u{3ff}'),
        ("王小明", '\u{4e00}'..='\u{9fff}'),
        ("김 민준", '\u{ac00}'..='\u{d7a3}'),
        ("محمد علي", '\u{600}'..='\u{6ff}'),
        ("דוד כהן", '\u{590}'..='\u{5ff}'),
    ] {
        for seed in 0..20 {
            let new = make(seed, &Kind::Name, name);
            assert!(new.chars().all(|c| c == ' ' || range.contains(&c)), "{new}");
            assert_eq!(new.split(' ').count(), name.split(' ').count(), "{new}");
            assert!(name.chars().count() != 3 || new.chars().count() == 3);
        }
    }
    let spanish = |seed| make(seed, &Kind::Name, "José Gutiérrez");
    assert!((0..30).any(|seed| !spanish(seed).is_ascii()), "Spanish names are drawn for Spanish ones");
    let plain = Synthesizer::seeded(3, 0.5).preserve_locale(false);
    let new = plain.surrogate(&Kind::Name, "Анна Петрова", "анна петрова", |_| false);
    assert!(new.is_ascii(), "{new}");
}

#[test]
fn parts_of_names_keep_their_places() {
    for seed in 0..20 {
        let reed = make(seed, &Kind::Name, "Ann Reed").split(' ').nth(1).unwrap().to_owned();
        let turned = make(seed, &Kind::Name, "Reed, Ann T");
        assert!(turned.starts_with(&format!("{reed}, ")) && turned.len() > reed.len() + 4, "{turned}");
        let double = make(seed, &Kind::Name, "Linh Nguyen-Smith");
        let smith = make(seed, &Kind::Name, "Ms. Smith");
        assert!(double.ends_with(smith.strip_prefix("Ms. ").unwrap()), "{double} and {smith}");
        let particles = make(seed, &Kind::Name, "Marisol de la Cruz Jr.");
        assert!(particles.contains(" de la ") && particles.ends_with(" Jr."), "{particles}");
        let spelled = make(seed, &Kind::Name, "k o v a c s");
        assert!(spelled.split(' ').all(|letter| letter.len() == 1), "{spelled}");
        assert!(make(seed, &Kind::Name, "de la").len() > 1);
    }
}

#[test]
fn places_keep_what_they_are() {
    for seed in 0..30 {
        let address = make(seed, &Kind::Address, "77 Old Quarry Road, Unit 12, Dayton, OH 45402");
        assert!(
            address.contains(" Old ") && address.contains(" Road, Unit ") && address.contains(", OH 4"),
            "{address}"
        );
        assert!(!address.contains("Dayton") && !address.starts_with('0'), "{address}");
        let ordinal = make(seed, &Kind::Address, "640 SW 9th Ave");
        assert!(ordinal.contains(" SW ") && ordinal.ends_with(" Ave"), "{ordinal}");
        let away = Synthesizer::seeded(seed, 0.5).preserve_locale(false);
        let moved = away.surrogate(&Kind::Address, "Spokane, WA", "Spokane, WA", |_| false);
        assert_eq!(moved.len() - moved.rfind(' ').unwrap(), 3, "{moved}");
        let firm = make(seed, &Kind::Organization, "Northside Medical Center");
        assert!(firm.ends_with(" Medical Center") && !firm.contains("Northside"), "{firm}");
        assert!(make(seed, &Kind::Url, "http://www.example.org/x").starts_with("http://www.example.com/"));
        assert!(make(seed, &Kind::IpAddress, "198.51.100.7:8080").ends_with(":8080"));
    }
}

#[test]
fn a_long_value_takes_no_more_than_its_length() {
    let started = std::time::Instant::now();
    for unit in ["a", "a ", "a.", "1", "-", "ab-", "\u{301}", "one ", "s as in ", "王", "@"] {
        let text = unit.repeat(30_000 / unit.len());
        for kind in Kind::BUILT_IN {
            Synthesizer::seeded(1, 0.5).surrogate(kind, &text, &text, |_| false);
        }
    }
    // Quadratic work on one of these takes minutes.
    assert!(started.elapsed() < std::time::Duration::from_mins(1), "{:?}", started.elapsed());
}
