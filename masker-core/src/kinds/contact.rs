use super::spec::cues;
use super::{CodeShape, Cue, CueNeed, Example, Kind, KindSpec, Letters, Pattern, checks};

pub(super) static PHONE: KindSpec = KindSpec {
    kind: Kind::Phone,
    letter: 'D',
    title: "telephone numbers",
    patterns: &[
        Pattern {
            name: "phone_nanp",
            regex: concat!(
                r"(?:\+?1[ .\-]{0,2}|\+?[0-9]{1,3}[.\-])?",
                r"(?:\([0-9]{3}\)[ .\-]{0,2}|[0-9]{3}[ .\-/]{1,2})[0-9]{3}[ .\-]{0,2}[0-9]{4}",
                r"(?:,? ?(?:x|#|ext\.?|extension)[ :.]{0,2}[0-9]{1,6})?",
            ),
            score: 0.75,
            check: checks::prefixed_phone,
            cue: CueNeed::Raises,
        },
        Pattern {
            name: "phone_international",
            regex: r"\+[1-9][0-9]{0,2}[ .\-]?(?:\(0?[0-9]{1,4}\)[ .\-]?)?[0-9]{1,5}(?:[ .\-]?[0-9]{1,5}){1,6}",
            score: 0.75,
            check: checks::international_phone,
            cue: CueNeed::Raises,
        },
        // Seven digits in the way local numbers are set.
        Pattern {
            name: "phone_local",
            regex: r"[2-9][0-9]{2}-[0-9]{4}(?: ?(?:x|ext\.?) ?[0-9]{1,6})?",
            score: 0.45,
            check: checks::none,
            cue: CueNeed::Raises,
        },
        // With the trunk prefix 0, as most countries outside North America write theirs.
        Pattern {
            name: "phone_trunk_prefix",
            regex: r"0[1-9][0-9]{2,4} [0-9]{3} ?[0-9]{3,4}",
            score: 0.5,
            check: checks::phone_length,
            cue: CueNeed::Raises,
        },
        // Numbers set like American ones that break the plan are invented or misheard: a hint nearby is enough.
        Pattern {
            name: "phone_shape",
            regex: r"(?:\([0-9]{3}\) ?|[0-9]{3}[.\-])[0-9]{3}[.\-][0-9]{4}(?: ?(?:x|ext\.?) ?[0-9]{1,6})?",
            score: 0.35,
            check: checks::phone_length,
            cue: CueNeed::Raises,
        },
    ],
    labelled: &[Pattern {
        name: "phone_labelled",
        regex: r"[+(]{0,2}[0-9][0-9 ().\-]{5,18}[0-9](?:,? ?(?:x|#|ext\.?|extension)[ :.]{0,2}[0-9]{1,6})?",
        score: 0.6,
        check: checks::phone_length,
        cue: CueNeed::Required,
    }],
    codes: &[
        CodeShape {
            name: "phone_ten_digits",
            length: (10, 10),
            letters: Letters::None,
            score: 0.5,
            check: checks::nanp_phone,
            cue: CueNeed::Raises,
        },
        CodeShape {
            name: "phone_eleven_digits",
            length: (11, 11),
            letters: Letters::None,
            score: 0.5,
            check: checks::nanp_phone,
            cue: CueNeed::Raises,
        },
        CodeShape {
            name: "phone_given",
            length: (7, 15),
            letters: Letters::None,
            score: 0.5,
            check: checks::phone_length,
            cue: CueNeed::Required,
        },
    ],
    cues: cues! {
        label: [
            "phone", "phone number", "phone numbers", "phone no", "telephone", "telephone number",
            "telephone no", "tel", "ph", "ph number", "home phone", "home number", "home phone number",
            "work phone", "work number", "work phone number", "office phone", "office number", "office",
            "cell", "cell phone", "cell number", "cell phone number", "cellphone", "cellphone number",
            "mobile", "mobile number", "mobile phone", "mobile phone number", "landline", "landline number",
            "daytime phone", "daytime number", "evening phone", "evening number", "contact number",
            "contact phone", "contact numbers", "callback", "call back", "callback number",
            "call back number", "callback is", "best number", "best contact number", "best callback number",
            "good number", "number to reach me", "number to reach me at", "number to call",
            "number to call back", "number on file", "number where", "alternate number", "alternative number",
            "alternate phone", "secondary number", "primary number", "primary phone", "emergency number",
            "emergency contact number", "direct line", "direct number", "main number", "main line",
            "clinic number", "pharmacy number", "pharmacy phone", "his number", "her number", "their number",
            "my number", "your number", "our number", "mom's number", "dad's number", "wife's number",
            "husband's number", "daughter's number", "son's number", "whatsapp", "whatsapp number",
            "signal number", "text number", "sms", "sms number", "pager", "pager number", "beeper",
            "beeper number", "page me at", "area code", "call me at", "call me on", "call me back at",
            "call me back on", "call us at", "call us on", "call us back at", "call him at", "call her at",
            "call them at", "call you at", "call you on", "call you back at", "call you back on", "call at", "call back at", "calling from", "call from", "reach me at",
            "reach me on", "reach us at", "reach him at", "reach her at", "reach them at", "reach you at", "reach you on", "text you at", "reached at",
            "reachable at", "reached on", "reachable on", "text me at", "text me on", "text us at",
            "text her at", "text him at", "text at", "ring me on", "ring me at", "phone me on", "phone me at",
            "phoned from", "dial", "phone is", "i'm at", "get me at", "get a hold of me at",
            "get hold of me at", "contact me at", "contact us at", "contact at", "contact him at",
            "contact her at", "contact them at", "voicemail at", "voice mail at", "leave a message at",
            "try me at", "try her at", "try him at", "pick up at", "toll free", "toll free number", "hotline",
            "telehealth line", "nurse line", "t d d", "tty",
        ],
        after: [
            "is my number", "is my phone number", "is my phone", "is my cell", "is my cell phone",
            "is my cell number", "is my mobile", "is my mobile number", "is my home number",
            "is my work number", "is the best number", "is the number", "is a good number",
            "is the phone number", "is the callback", "is the callback number", "is her number",
            "is his number", "is her cell", "is his cell", "is best",
        ],
        hint: [
            "call", "called", "calling", "calls", "phone", "phones", "telephone", "tel", "number", "reach",
            "reached", "text", "texted", "dial", "dialed", "ring", "rang", "voicemail", "voice mail",
            "contact", "contacted", "cell", "mobile", "callback", "extension", "ext", "line", "area code",
            "page", "pager", "clinic", "front desk", "after hours", "sms", "message",
        ],
        against: [
            "account number", "account", "acct", "account no", "routing number", "routing", "order number",
            "order id", "order no", "confirmation number", "confirmation code", "reference number",
            "reference no", "ref", "ref number", "case number", "case id", "claim number", "claim id",
            "ticket number", "tracking number", "invoice number", "invoice", "member id", "member i d",
            "member number", "subscriber id", "subscriber number", "policy number", "group number",
            "prescription number", "rx number", "medical record number", "mrn", "m r n", "chart number",
            "npi", "n p i", "dea number", "license number", "serial number", "serial no", "imei", "device id",
            "authorization number", "auth number", "prior auth", "referral number", "encounter number",
            "visit number", "accession number", "specimen number", "employee id", "student id", "part number",
            "model number", "lot number", "ndc", "upc", "isbn", "sku", "pmid", "doi", "icd", "cpt", "snomed",
            "loinc", "timestamp", "epoch", "version", "milligrams", "mg", "population", "dollars",
            "medicaid id", "medicaid number", "medicare number",
        ],
    },
    examples: &[
        Example { text: "Call me at (212) 555-0147 after five.", found: &["(212) 555-0147"] },
        Example {
            text: "cell 312.555.0190 ext 22, home +1 415-555-0101",
            found: &["312.555.0190 ext 22", "+1 415-555-0101"],
        },
        Example { text: "From London ring +44 20 7946 0958.", found: &["+44 20 7946 0958"] },
        Example {
            text: "my number is four one five five five five oh one four two",
            found: &["four one five five five five oh one four two"],
        },
        Example { text: "local number to call: 555-0142", found: &["555-0142"] },
    ],
    near_misses: &[
        "your order number is 4155550142",
        "blood pressure 120 over 80, pulse 72",
        "dial 911 or 988 in an emergency",
        "take 500-1000 mg every 6 hours",
        "platelets 212 155 0147",
    ],
};

pub(super) static FAX: KindSpec = KindSpec {
    kind: Kind::Fax,
    letter: 'E',
    title: "fax numbers",
    patterns: &[],
    labelled: &[Pattern {
        name: "fax_labelled",
        regex: r"[+(]{0,2}[0-9][0-9 ().\-]{5,18}[0-9](?:,? ?(?:x|#|ext\.?|extension)[ :.]{0,2}[0-9]{1,6})?",
        score: 0.6,
        check: checks::phone_length,
        cue: CueNeed::Required,
    }],
    codes: &[CodeShape {
        name: "fax_given",
        length: (7, 15),
        letters: Letters::None,
        score: 0.5,
        check: checks::phone_length,
        cue: CueNeed::Required,
    }],
    cues: cues! {
        label: [
            "fax", "fax number", "fax no", "fax line", "fax is", "facsimile", "facsimile number", "efax",
            "e fax", "efax number", "e fax number", "telefax", "office fax", "clinic fax", "pharmacy fax",
            "fax it to", "fax it over to", "fax that to", "fax them to", "fax this to", "fax to",
            "fax the form to", "fax the records to", "fax the order to", "fax the prescription to",
            "fax the results to", "fax us at", "fax me at", "fax back to", "fax over to", "faxed to",
            "faxed it to", "faxed from", "faxed over to", "send a fax to", "send the fax to", "sent a fax to",
            "fax at", "by fax to", "by fax at", "via fax to", "via fax at",
        ],
        after: ["is my fax", "is the fax", "is our fax", "is the fax number", "is our fax number", "by fax"],
        hint: ["fax", "faxed", "faxing", "facsimile"],
    },
    examples: &[
        Example { text: "Fax: (212) 555-0148", found: &["(212) 555-0148"] },
        Example { text: "please fax it to 617-555-0123", found: &["617-555-0123"] },
        Example {
            text: "the fax number is nine seven oh five five five oh one four six",
            found: &["nine seven oh five five five oh one four six"],
        },
    ],
    near_misses: &[
        "call me at 212-555-0147",
        "we faxed 12 pages on the second attempt",
        "the fax machine is out of toner",
    ],
};

pub(super) static EMAIL: KindSpec = KindSpec {
    kind: Kind::Email,
    letter: 'F',
    title: "e-mail addresses",
    patterns: &[
        Pattern {
            name: "email",
            regex: concat!(
                r"[a-z0-9_\x{c0}-\x{24f}][a-z0-9._%+&'~!#$\-\x{c0}-\x{24f}]{0,63}@",
                r"[a-z0-9\x{c0}-\x{24f}][a-z0-9\-\x{c0}-\x{24f}]*(?:\.[a-z0-9\-\x{c0}-\x{24f}]+)*\.[a-z]{2,24}",
            ),
            score: 0.95,
            check: checks::email,
            cue: CueNeed::Raises,
        },
        // Recognisers and shy writers put blanks or brackets around the signs.
        Pattern {
            name: "email_spaced",
            regex: concat!(
                r"[a-z0-9_][a-z0-9._%+\-]{0,63}(?: ?@ ?| ?[(\[{] ?at ?[)\]}] ?)",
                r"[a-z0-9][a-z0-9\-]{0,62}(?:(?: ?\. ?| ?[(\[{] ?dot ?[)\]}] ?)[a-z0-9][a-z0-9\-]{0,62}){0,3}",
                r"(?: ?\. ?| ?[(\[{] ?dot ?[)\]}] ?)(?:com|org|net|edu|gov|mil|us|uk|ca|io|co|info|health)",
            ),
            score: 0.8,
            check: checks::none,
            cue: CueNeed::Raises,
        },
    ],
    labelled: &[Pattern {
        name: "email_labelled",
        regex: r"[a-z0-9_][a-z0-9._%+\-]{0,63}@[a-z0-9][a-z0-9.\-]{0,253}[a-z0-9]",
        score: 0.7,
        check: checks::none,
        cue: CueNeed::Required,
    }],
    codes: &[],
    cues: cues! {
        label: [
            "email", "e mail", "email address", "e mail address", "email is", "e mail is", "email me at",
            "e mail me at", "email us at", "email them at", "email her at", "email him at", "email it to",
            "e mail it to", "email to", "emailed to", "send it to", "sent to", "send an email to", "mailto",
            "write to", "write me at", "gmail", "work email", "personal email", "email on file",
            "contact email", "preferred email", "alternate email", "primary email", "portal email",
        ],
        after: [
            "is my email", "is my e mail", "is my email address", "is my e mail address", "is the email",
            "is the email address",
        ],
        hint: [
            "email", "e mail", "emailed", "mail", "inbox", "send", "sent", "write", "address", "gmail",
            "outlook", "contact",
        ],
    },
    examples: &[
        Example {
            text: "write to jane.doe+clinic@example.com today",
            found: &["jane.doe+clinic@example.com"],
        },
        Example { text: "<o'neil_77@mail.example.org>", found: &["o'neil_77@mail.example.org"] },
        Example { text: "ada [at] example [dot] com works too", found: &["ada [at] example [dot] com"] },
        Example {
            text: "my email is ada dot reed at example dot com",
            found: &["ada dot reed at example dot com"],
        },
    ],
    near_misses: &[
        "meet @ noon",
        "she was seen at the clinic, dot phrases used",
        "2 tablets @ bedtime",
        "he looked at example after example",
    ],
};
