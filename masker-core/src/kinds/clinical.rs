use super::spec::cues;
use super::{CodeShape, Cue, CueNeed, Example, Kind, KindSpec, Letters, Pattern, checks};

pub(super) static MRN: KindSpec = KindSpec {
    kind: Kind::Mrn,
    letter: 'H',
    title: "medical record numbers",
    patterns: &[
        // The prefix is its own label: "MRN-482055", "MR482913".
        Pattern {
            name: "mrn_prefixed",
            regex: r"(?:mrn|mr)-?[0-9]{5,10}(?:-[0-9]{1,2})?|mrn[a-z]{1,3}[0-9]{4,10}",
            score: 0.7,
            check: checks::none,
            cue: CueNeed::Raises,
        },
    ],
    labelled: &[
        Pattern {
            name: "mrn_labelled",
            regex: r"[a-z]{0,6}-?[0-9][0-9a-z]{0,12}(?:[\-/][a-z0-9]{1,10}){0,4}",
            score: 0.7,
            check: checks::labelled_code,
            cue: CueNeed::Required,
        },
        Pattern {
            name: "mrn_grouped",
            regex: r"(?:[a-z]{1,3} )?[0-9]{2,5}(?: [0-9]{2,5}){1,4}",
            score: 0.7,
            check: checks::labelled_code,
            cue: CueNeed::Required,
        },
    ],
    codes: &[CodeShape {
        name: "mrn_given",
        length: (4, 14),
        letters: Letters::Anywhere,
        score: 0.6,
        check: checks::labelled_code,
        cue: CueNeed::Required,
    }],
    cues: cues! {
        numbered: [
            "medical record", "medical records", "med record", "med rec", "record", "chart", "patient",
            "patient record", "hospital", "hospital record", "unit", "mr", "m r", "epic", "ehr", "emr",
            "cerner", "meditech", "clinic", "clinic record", "health record", "enterprise",
            "enterprise patient", "master patient", "corporate", "facility patient", "dental chart",
            "veterinary record", "electronic medical record", "electronic health record", "chart record",
        ],
        label: [
            "mrn", "m r n", "mrn number", "mrn is", "mrns", "m r n number", "m r n is", "medical record",
            "med rec", "medrec", "medical record is", "record number is", "chart is", "chart", "pid", "p i d", "empi",
            "e m p i", "eid", "cmrn", "umrn", "fmrn", "mpi", "mpi number", "patient identifier",
            "patient identification number", "hospital no is", "mr", "medical record num", "under record",
            "under chart", "under mrn", "same mrn", "old mrn", "duplicate mrn", "merged mrn", "upi",
        ],
        after: [
            "is my mrn", "is the mrn", "is my medical record number", "is the medical record number",
            "is my record number", "is the record number", "is my chart number", "is the chart number",
            "is my patient id", "is my patient number", "is her mrn", "is his mrn", "is my m r n",
            "is the m r n",
        ],
        hint: ["mrn", "chart", "medical record", "record", "patient id", "registration", "wristband"],
        against: ["milligrams", "mg", "phone number", "order number", "room"],
    },
    examples: &[
        Example { text: "MRN: 00123456", found: &["00123456"] },
        Example { text: "medical record number E1234567", found: &["E1234567"] },
        Example { text: "chart # 12-34-56 pulled", found: &["12-34-56"] },
        Example { text: "transferred under MR-482913", found: &["MR-482913"] },
        Example { text: "the m r n is four four oh nine one seven", found: &["four four oh nine one seven"] },
        Example { text: "MRN: 70441-B", found: &["70441-B"] },
    ],
    near_misses: &[
        "MRN: 12",
        "MRN pending",
        "no medical record was available for 3 of 12 patients",
        "the patient is 45 and takes 500 mg",
        "bare 00123456 with nothing around it",
    ],
};

pub(super) static HEALTH_PLAN: KindSpec = KindSpec {
    kind: Kind::HealthPlan,
    letter: 'I',
    title: "health plan member and beneficiary numbers",
    patterns: &[
        Pattern {
            name: "mbi",
            regex: concat!(
                r"[1-9][ac-hj-km-np-rt-y][0-9ac-hj-km-np-rt-y][0-9][ \-]?",
                r"[ac-hj-km-np-rt-y][0-9ac-hj-km-np-rt-y][0-9][ \-]?[ac-hj-km-np-rt-y]{2}[0-9]{2}",
            ),
            score: 0.6,
            check: checks::mbi,
            cue: CueNeed::Raises,
        },
        Pattern {
            name: "hicn",
            regex: r"[0-9]{3}-[0-9]{2}-[0-9]{4}-?[a-fhjkmtw][a-z0-9]?",
            score: 0.7,
            check: checks::hicn,
            cue: CueNeed::Raises,
        },
        Pattern {
            name: "veterans_icn",
            regex: r"[0-9]{10}v[0-9]{6}",
            score: 0.8,
            check: checks::none,
            cue: CueNeed::Raises,
        },
    ],
    labelled: &[
        Pattern {
            name: "railroad_medicare",
            regex: r"(?:wca|wcd|wch|ca|ja|ma|mh|pa|pd|ph|wa|wd|wh|a|h)-?(?:[0-9]{6}|[0-9]{3}-?[0-9]{2}-?[0-9]{4})",
            score: 0.7,
            check: checks::none,
            cue: CueNeed::Required,
        },
        Pattern {
            name: "member_number",
            regex: r"[a-z]{0,5}-?[0-9][0-9a-z]{0,15}(?:-[a-z0-9]{1,9}){0,4}|[a-z]{1,4} [0-9]{6,15}",
            score: 0.6,
            check: checks::labelled_code,
            cue: CueNeed::Required,
        },
        Pattern {
            name: "member_number_grouped",
            regex: r"(?:[a-z]{1,4} )?[0-9]{2,6}(?: [0-9]{2,6}){1,4}",
            score: 0.6,
            check: checks::labelled_code,
            cue: CueNeed::Required,
        },
        // Plan prefixes since 2018 and processor control numbers mix letters and digits freely.
        Pattern {
            name: "member_number_mixed",
            regex: r"[a-z0-9]{4,20}(?:-[a-z0-9]{1,9}){0,3}",
            score: 0.5,
            check: checks::labelled_code,
            cue: CueNeed::Required,
        },
    ],
    codes: &[
        CodeShape {
            name: "mbi_spoken",
            length: (11, 11),
            letters: Letters::Anywhere,
            score: 0.6,
            check: checks::mbi,
            cue: CueNeed::Raises,
        },
        CodeShape {
            name: "member_number_given",
            length: (4, 19),
            letters: Letters::Anywhere,
            score: 0.5,
            check: checks::labelled_code,
            cue: CueNeed::Required,
        },
    ],
    cues: cues! {
        numbered: [
            "ins", "insur", "member", "membership", "plan member", "subscriber", "policy", "policyholder",
            "policy holder", "plan", "health plan", "group", "grp", "group policy", "insurance",
            "insurance policy", "insurance member", "insurance card", "insurance group",
            "secondary insurance", "primary insurance", "supplemental insurance", "dental insurance",
            "vision insurance", "dental plan", "enrollee", "beneficiary", "recipient", "insured", "insured's",
            "dependent", "sponsor", "contract", "certificate of coverage", "medicare", "medicare advantage",
            "medicare claim", "medicare beneficiary", "medicare policy", "medicaid", "medicaid recipient",
            "medi cal", "medicaid member", "medicaid case", "masshealth", "tenncare", "ahcccs", "tricare",
            "champva", "dod", "d o d", "dod benefits", "va", "va icn", "bcbs", "blue cross",
            "blue cross blue shield", "blue shield", "aetna", "cigna", "humana", "united",
            "united healthcare", "unitedhealthcare", "uhc", "kaiser", "anthem", "molina", "centene",
            "ambetter", "oscar health", "wellcare", "healthfirst", "rx bin", "rxbin", "r x bin", "bin",
            "rx group", "rx grp", "rxgrp", "rx member", "hmo", "h m o", "ppo", "p p o", "benefits", "coverage", "payer",
            "payor", "hic", "fep", "railroad medicare", "rrb", "nhs", "health insurance", "health card",
            "cin", "bic card", "pharmacy card",
        ],
        label: [
            "grp",
            "insurance", "ins", "ins is", "insur", "health plan", "plan is", "member", "member code",
            "member is", "member identification number", "subscriber is", "subscriber", "policy", "policy is",
            "group is", "my insurance card", "insurance card says", "insurance card reads", "the card says",
            "card says it's",
            "number on the insurance card", "number on my insurance card", "number on my card is",
            "id on the card", "i d on the card", "id on my card", "i d on my card", "id number on the card",
            "i d number on the card", "identification number on the card",
            "identification number on your card", "alpha prefix", "mbi", "m b i", "mbi number",
            "m b i number", "mbi is", "medicare is", "medicare", "number on the red white and blue card",
            "number on your red white and blue card", "number on my red white and blue card",
            "medicare beneficiary identifier", "hicn", "h i c n", "hic", "health insurance claim number",
            "medicare claim", "medicaid", "medicaid is", "medical assistance number", "medical assistance id",
            "recipient identification number", "dcn", "pmi", "pmi number", "edipi", "dbn", "icn",
            "person code", "rxbin", "rx bin", "bin", "b i n", "r x bin", "pcn", "p c n", "rxpcn", "rx pcn",
            "pcn number", "rxgroup", "rx group", "rxgrp", "rx grp", "rxid", "rx id", "cin", "c i n",
            "insurance is", "policy num", "group num", "member num", "subscriber num", "enrollment id",
            "certificate holder number", "umid", "hmo id number", "nhs number is", "health card",
        ],
        after: [
            "is my member id", "is my member i d", "is the member id", "is the member i d",
            "is my member number", "is the member number", "is my subscriber id", "is the subscriber id",
            "is my policy number", "is the policy number", "is my group number", "is the group number",
            "is my insurance number", "is my medicare number", "is the medicare number",
            "is my medicaid number", "is my medicaid id", "is the medicaid number", "is my insurance id",
            "is on my insurance card", "on my insurance card", "is the group", "is the member",
        ],
        hint: [
            "member", "subscriber", "insurance", "policy", "group", "plan", "medicare", "medicaid",
            "beneficiary", "coverage", "payer", "aetna", "cigna", "humana", "blue cross", "kaiser", "anthem",
            "tricare", "eligibility",
        ],
        against: [
            "milligrams", "mg", "group of", "age group", "support group", "phone number", "order number",
            "plan of care",
        ],
    },
    examples: &[
        Example { text: "Medicare number 1EG4-TE5-MK73", found: &["1EG4-TE5-MK73"] },
        Example {
            text: "member ID: XYZ123456789, group number 0712345",
            found: &["XYZ123456789", "0712345"],
        },
        Example { text: "old card 123-45-6789A", found: &["123-45-6789A"] },
        Example { text: "RxBIN 610014", found: &["610014"] },
        Example {
            text: "my member i d is w one two three four five six seven eight nine",
            found: &["w one two three four five six seven eight nine"],
        },
        Example { text: "Medicaid ID 91234567A", found: &["91234567A"] },
    ],
    near_misses: &[
        "1SG4-TE5-MK73",
        "the support group meets at 7",
        "member of the family, 3 of 5",
        "she joined medicare at 65",
        "plan: 20 mg daily, recheck in 2 weeks",
    ],
};

pub(super) static BIOMETRIC: KindSpec = KindSpec {
    kind: Kind::Biometric,
    letter: 'P',
    title: "finger and voice print identifiers",
    patterns: &[Pattern {
        name: "biometric_prefixed",
        regex: concat!(
            r"(?:fingerprint|voiceprint|faceprint|palmprint|iris|retina|biometric|bio|fp|vp)[_\-](?:id[_\-])?",
            r"(?:[a-z]{1,8}[_\-])?[0-9a-f]{0,8}[0-9][0-9a-f]{3,56}",
        ),
        score: 0.75,
        check: checks::labelled_code,
        cue: CueNeed::Raises,
    }],
    labelled: &[
        Pattern {
            name: "biometric_labelled",
            regex: r"[a-z0-9]{1,32}(?:[\-_:][a-z0-9]{1,32}){0,8}",
            score: 0.7,
            check: checks::labelled_code,
            cue: CueNeed::Required,
        },
        // Templates travel as base64 or hexadecimal text.
        Pattern {
            name: "biometric_template",
            regex: r"[a-z0-9+/]{24,512}={0,2}",
            score: 0.8,
            check: checks::none,
            cue: CueNeed::Required,
        },
    ],
    codes: &[CodeShape {
        name: "biometric_given",
        length: (4, 32),
        letters: Letters::Anywhere,
        score: 0.6,
        check: checks::labelled_code,
        cue: CueNeed::Required,
    }],
    cues: cues! {
        numbered: [
            "fingerprint", "finger print", "thumbprint", "thumb print", "voiceprint", "voice print",
            "voice profile", "voice biometric", "voice signature", "faceprint", "face print", "face template",
            "facial recognition", "retina scan", "retinal scan", "iris scan", "iris", "palm print",
            "palm scan", "palm vein", "biometric", "biometrics", "biometric template", "biometric enrollment",
            "dna profile", "gait profile", "fingerprint card", "livescan", "hand geometry",
        ],
        label: [
            "fingerprint", "finger print", "voiceprint", "voice print", "fingerprint template",
            "fingerprint hash", "voiceprint hash", "voiceprint template", "biometric hash", "biometric",
            "biometric identifier", "biometric key", "biometric token", "biometric code", "face id template",
            "faceprint", "iris scan", "iris code", "retina scan", "retinal scan", "palm print", "palm scan",
            "palm vein scan", "dna profile", "voice enrollment id", "fingerprint is stored as",
            "voiceprint is stored as",
        ],
        after: [
            "is my voiceprint id", "is the voiceprint id", "is the fingerprint id", "is my fingerprint id",
            "is the biometric id",
        ],
        hint: [
            "fingerprint", "voiceprint", "biometric", "biometrics", "iris", "retina", "template", "enrolled",
        ],
        against: ["peptide fingerprint", "mass fingerprint", "genetic fingerprinting"],
    },
    examples: &[
        Example { text: "voiceprint ID VP-88213-07 enrolled", found: &["VP-88213-07"] },
        Example {
            text: "fingerprint template: a3f9c2d47e01b6a85f3c9d20",
            found: &["a3f9c2d47e01b6a85f3c9d20"],
        },
        Example { text: "stored as fingerprint_id_7f3a9c21", found: &["fingerprint_id_7f3a9c21"] },
        Example {
            text: "the biometric i d is four four seven one nine",
            found: &["four four seven one nine"],
        },
    ],
    near_misses: &[
        "fingerprints were taken at booking",
        "retina scan shows 2 small drusen",
        "face id does not work on my phone",
        "fingerstick glucose 142",
    ],
};
