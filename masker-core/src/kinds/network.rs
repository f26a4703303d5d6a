use super::spec::cues;
use super::{CodeShape, Cue, CueNeed, Example, Kind, KindSpec, Letters, Pattern, checks};

pub(super) static URL: KindSpec = KindSpec {
    kind: Kind::Url,
    letter: 'N',
    title: "web addresses",
    patterns: &[
        // The last character is one that sentences do not end in, so that "(see https://example.com/a)."
        // keeps its tail.
        Pattern {
            name: "url",
            regex: concat!(
                r#"(?:https?|s?ftps?|wss?|file|smb|ldaps?|s3|gs|rtsps?|fhir|git|ssh|mongodb|postgres(?:ql)?|mysql|redis)://"#,
                r#"[^\x00-\x20"<>`]*[^\x00-\x20"<>`.,;:!?'()\[\]{}|*]/?"#,
            ),
            score: 0.95,
            check: checks::url,
            cue: CueNeed::Raises,
        },
        Pattern {
            name: "url_www",
            regex: concat!(
                r#"www[0-9]?\.[a-z0-9\-]{1,63}(?:\.[a-z0-9\-]{1,63}){1,4}(?::[0-9]{1,5})?"#,
                r#"(?:[/?#](?:[^\x00-\x20"<>`]*[^\x00-\x20"<>`.,;:!?'()\[\]{}|*])?)?"#,
            ),
            score: 0.9,
            check: checks::none,
            cue: CueNeed::Raises,
        },
        Pattern {
            name: "url_bare",
            regex: concat!(
                r#"[a-z0-9][a-z0-9\-]{0,62}(?:\.[a-z0-9][a-z0-9\-]{0,62}){0,3}\."#,
                r#"(?:com|org|net|edu|gov|mil|int|info|biz|health|care|clinic|hospital|doctor|dental|pharmacy|app|dev|cloud|online|site|"#,
                r#"website|tech|store|shop|page|link|live|blog|news|xyz|io|ai|co|me|us|uk|ca|au|nz|ie|de|fr|es|it|nl|be|ch|at|se|no|"#,
                r#"dk|fi|pl|pt|br|mx|in|jp|cn|kr|za|eu|ly|gl|gg|tv|fm)(?:\.[a-z]{2})?(?::[0-9]{1,5})?"#,
                r#"/(?:[^\x00-\x20"<>`]*[^\x00-\x20"<>`.,;:!?'()\[\]{}|*])?"#,
            ),
            score: 0.8,
            check: checks::none,
            cue: CueNeed::Raises,
        },
        Pattern {
            name: "url_domain",
            regex: concat!(
                r"[a-z0-9][a-z0-9\-]{0,62}(?:\.[a-z0-9][a-z0-9\-]{0,62}){0,3}\.",
                r"(?:com|org|net|edu|gov|mil|info|biz|health|clinic|hospital|app|dev|online|website)(?:\.[a-z]{2})?(?::[0-9]{1,5})?",
            ),
            score: 0.6,
            check: checks::none,
            cue: CueNeed::Raises,
        },
    ],
    labelled: &[],
    codes: &[],
    cues: cues! {
        label: [
            "url", "u r l", "website", "web site", "web address", "web page", "webpage", "link", "go to",
            "log in at", "log on to", "visit", "portal", "patient portal", "online at", "upload it at",
            "browse to", "homepage", "home page", "site", "video link", "meeting link",
        ],
        hint: [
            "website", "web", "link", "portal", "online", "site", "page", "click", "visit", "browser", "http",
            "https", "www", "download", "upload",
        ],
    },
    examples: &[
        Example {
            text: "see https://portal.example.com/p/12345?token=abc.",
            found: &["https://portal.example.com/p/12345?token=abc"],
        },
        Example { text: "(www.example.org/health)", found: &["www.example.org/health"] },
        Example { text: "results at portal.example.com/u/areed82", found: &["portal.example.com/u/areed82"] },
        Example { text: "go to example.org and click login", found: &["example.org"] },
        Example {
            text: "go to w w w dot example dot com slash portal",
            found: &["w w w dot example dot com slash portal"],
        },
    ],
    near_misses: &[
        "for example, rest and fluids",
        "and/or p.r.n. per protocol",
        "write to ada at the front desk",
        "e.g. 2.5 mg b.i.d.",
        "the web of support around her",
    ],
};

pub(super) static IP_ADDRESS: KindSpec = KindSpec {
    kind: Kind::IpAddress,
    letter: 'O',
    title: "IPv4 and IPv6 addresses",
    patterns: &[
        Pattern {
            name: "ipv4",
            regex: r"[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}(?:/[0-9]{1,2})?",
            score: 0.75,
            check: checks::ipv4,
            cue: CueNeed::Raises,
        },
        Pattern {
            name: "ipv6",
            regex: concat!(
                r"(?:[0-9a-f]{1,4}(?::[0-9a-f]{1,4}){5}:[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}",
                r"|[0-9a-f]{1,4}(?::[0-9a-f]{1,4}){7}",
                r"|(?:[0-9a-f]{1,4}(?::[0-9a-f]{1,4}){0,6})?::",
                r"(?:[0-9a-f]{1,4}(?::[0-9a-f]{1,4}){0,6}(?:\.[0-9]{1,3}){0,3})?)",
                r"(?:%[a-z0-9]{1,16})?(?:/[0-9]{1,3})?",
            ),
            score: 0.8,
            check: checks::ipv6,
            cue: CueNeed::Raises,
        },
    ],
    labelled: &[],
    codes: &[],
    cues: cues! {
        label: [
            "ip", "i p", "ip address", "i p address", "ip addr", "ipv4", "ipv6", "ipv4 address",
            "ipv6 address", "ip is", "server ip", "client ip", "source ip", "remote ip", "host",
            "remote address", "remote addr", "client address", "from ip", "logged in from", "dns server",
            "gateway", "subnet", "x forwarded for",
        ],
        after: ["is my ip", "is my ip address", "is the ip", "is the ip address"],
        hint: [
            "ip", "server", "host", "network", "router", "gateway", "subnet", "connect", "connected", "login",
            "session", "firewall", "vpn", "ping", "route", "port", "dns",
        ],
        against: [
            "version", "ver", "release", "build", "firmware", "software", "upgrade to", "updated to",
            "section", "sections", "chapter", "paragraph", "clause", "figure", "table", "oid", "ec",
            "enzyme commission", "appendix", "v",
        ],
    },
    examples: &[
        Example { text: "connected from 192.168.1.10", found: &["192.168.1.10"] },
        Example {
            text: "IP 203.0.113.7, then 2001:db8:85a3::8a2e:370:7334",
            found: &["203.0.113.7", "2001:db8:85a3::8a2e:370:7334"],
        },
        Example { text: "[2001:db8::1]:8080", found: &["2001:db8::1"] },
        Example { text: "mapped ::ffff:192.0.2.128", found: &["::ffff:192.0.2.128"] },
    ],
    near_misses: &[
        "version 1.2.3.4 of the app",
        "256.1.1.1",
        "std::vector and dead::beef",
        "from 10:30:45 to 11:00",
        "ratio 2:3:4:5",
        "section 4.1.2.3",
    ],
};

pub(super) static USERNAME: KindSpec = KindSpec {
    kind: Kind::Username,
    letter: 'R',
    title: "user names introduced as such",
    patterns: &[Pattern {
        name: "username_handle",
        regex: r"@[a-z_][a-z0-9_.]{1,28}[a-z0-9_]",
        score: 0.35,
        check: checks::credential,
        cue: CueNeed::Raises,
    }],
    labelled: &[Pattern {
        name: "username_labelled",
        regex: r"@?[a-z0-9_][a-z0-9._@+\-]{1,62}[a-z0-9_]",
        score: 0.6,
        check: checks::credential,
        cue: CueNeed::Required,
    }],
    codes: &[CodeShape {
        name: "username_spelled",
        length: (3, 20),
        letters: Letters::Anywhere,
        score: 0.5,
        check: checks::none,
        cue: CueNeed::Required,
    }],
    cues: cues! {
        label: [
            "username", "user name", "username is", "user name is", "user names", "userid", "user id",
            "user i d", "user id is", "user i d is", "login", "log in", "login is", "log in is", "login name",
            "login id", "login i d", "logon", "logon name", "logon id", "signin name", "sign in name",
            "screen name", "screenname", "account name", "portal login", "portal username",
            "portal user name", "mychart username", "mychart login", "my chart username",
            "my chart user name", "mychart id", "my handle", "handle is", "twitter handle",
            "instagram handle", "facebook username", "skype id", "skype name", "discord name", "discord tag",
            "reddit username", "reddit user", "gamertag", "gamer tag", "wechat id", "venmo handle",
            "username on the portal", "username on the portal is", "username for the portal is",
            "login for the portal is",
            "network id", "windows login", "epic login", "uid", "usr", "logged in as", "log in as",
            "signed in as", "sign in as", "on instagram as", "on twitter as", "on facebook as",
            "on tiktok as", "on instagram at", "on twitter at", "on facebook at", "on tiktok at", "on snapchat at",
            "instagram is", "twitter is", "snapchat is", "tiktok is", "skype is", "telegram is", "discord is",
            "venmo is", "venmo is at", "instagram is at", "insta is at", "twitter is at", "tiktok is at", "ig is at",
            "username is at", "handle is at", "on venmo at", "cash app is", "social media handle",
            "insta is", "my insta", "insta handle", "on insta as", "on insta at", "ig is", "my ig", "ig handle",
            "on ig as", "on ig at", "my snap is", "on snapchat as", "snapchat handle", "tiktok handle",
            "my twitter", "my instagram", "my tiktok", "my snapchat", "my telegram", "my discord", "my skype",
        ],
        after: [
            "is my username", "is my user name", "is my login", "is my user id", "is my handle",
            "is the username", "is the user name", "is the login",
        ],
        hint: [
            "username", "handle", "twitter", "instagram", "tiktok", "snapchat", "facebook", "skype",
            "telegram", "discord", "reddit", "follow", "dm", "portal", "tagged",
        ],
        against: ["email", "twice daily", "noon", "bedtime"],
    },
    examples: &[
        Example { text: "username: jdoe1962", found: &["jdoe1962"] },
        Example { text: "my instagram handle is @ada_reed77", found: &["@ada_reed77"] },
        Example { text: "log in as areed.82", found: &["areed.82"] },
        Example { text: "my user name is a r e e d eight two", found: &["a r e e d eight two"] },
    ],
    near_misses: &[
        "the username is required",
        "2 tablets @bedtime",
        "she forgot her user name",
        "login failed 3 times",
        "users of the portal",
    ],
};

pub(super) static PASSWORD: KindSpec = KindSpec {
    kind: Kind::Password,
    letter: 'R',
    title: "passwords, PINs and passcodes introduced as such",
    patterns: &[],
    labelled: &[Pattern {
        name: "password_labelled",
        regex: r#"[^\x00-\x20,;"'<>]{3,63}[^\x00-\x20,;"'<>.:)\]}]"#,
        score: 0.6,
        check: checks::password,
        cue: CueNeed::Required,
    }],
    codes: &[CodeShape {
        name: "passcode_given",
        length: (3, 10),
        letters: Letters::Anywhere,
        score: 0.5,
        check: checks::passcode,
        cue: CueNeed::Required,
    }],
    cues: cues! {
        label: [
            "password", "pass word", "password is", "password was", "pass word is", "my password",
            "her password", "his password", "temporary password", "temp password", "default password",
            "portal password", "wifi password", "wi fi password", "new password", "old password", "passwd",
            "pwd", "passphrase", "pass phrase", "passkey", "pass key", "passcode", "pass code", "passcode is",
            "pass code is", "phone passcode", "door code", "gate code", "lockbox", "garage code", "alarm code",
            "lock code", "lockbox code", "key code", "keypad code", "entry code", "access code", "access pin",
            "unlock code", "building code", "security pin", "pin", "p i n", "pin number", "p i n number",
            "pin no", "pin code", "pin is", "p i n is", "my pin", "your pin", "account pin", "portal pin",
            "debit pin", "voicemail pin", "card pin", "four digit pin", "six digit pin", "4 digit pin",
            "6 digit pin", "otp", "o t p", "one time code", "one time password", "one time passcode",
            "one time pin", "verification code", "verification pin", "verification number",
            "authentication code", "two factor code", "2fa code", "two step code", "mfa code", "login code",
            "log in code", "sign in code", "confirmation pin", "six digit code", "four digit code",
            "6 digit code", "4 digit code", "code you texted me", "code we texted you", "code we sent you",
            "code i got", "code i received", "code you sent me", "code that was texted",
            "code sent to your phone", "activation code", "recovery code", "backup code", "reset code",
            "secret word", "security answer", "security word", "code word", "verbal password", "api key",
            "secret key", "access token", "bearer token", "auth token", "private key",
        ],
        after: [
            "is my password", "is the password", "is my pin", "is my pin number", "is the pin",
            "is my passcode", "is the passcode", "is the code you sent", "is the code you texted me",
            "is the code i got", "is the verification code", "is my access code", "is the access code",
            "is the gate code", "is the door code",
        ],
        hint: ["password", "pin", "passcode", "verification", "login", "log in", "one time"],
        against: [
            "pin site", "pin tract", "pins and needles", "procedure code", "diagnosis code", "cpt", "icd",
            "zip",
        ],
    },
    examples: &[
        Example { text: "password: Hunter2!", found: &["Hunter2!"] },
        Example { text: "my pin is 4821", found: &["4821"] },
        Example {
            text: "the verification code is seven three nine two oh four",
            found: &["seven three nine two oh four"],
        },
        Example { text: "the gate code is 7392", found: &["7392"] },
    ],
    near_misses: &[
        "my password is not working",
        "password reset link",
        "pins and needles for 3 weeks",
        "pin site care twice a day",
        "the procedure code is 99213",
        "he changed his password yesterday",
    ],
};
