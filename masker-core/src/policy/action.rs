//! The words a policy file chooses from.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// A text is none of the names of an enumeration.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("expected one of {}", expected.join(", "))]
pub struct ParseNameError {
    /// The accepted names.
    pub expected: &'static [&'static str],
}

/// An enumeration whose members have one spelling each, the same in policies, JSON and command line.
pub(super) trait Named: Copy + 'static {
    const NAMES: &'static [&'static str];

    fn from_name(name: &str) -> Option<Self>;
}

macro_rules! named {
    (
        $(#[$meta:meta])*
        $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $text:literal,)+ }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$variant_meta])* $variant,)+
        }

        impl $name {
            /// Every member, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name in policies and JSON.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }

        impl Named for $name {
            const NAMES: &'static [&'static str] = &[$($text),+];

            fn from_name(name: &str) -> Option<Self> {
                match name {
                    $($text => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }

        impl FromStr for $name {
            type Err = ParseNameError;

            fn from_str(text: &str) -> Result<Self, ParseNameError> {
                Self::from_name(text).ok_or(ParseNameError { expected: Self::NAMES })
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
    };
}

named! {
    /// What happens to a finding of a kind.
    ///
    /// ```
    /// use masker_core::Action;
    ///
    /// assert_eq!("redact".parse(), Ok(Action::Redact));
    /// assert_eq!(Action::default().as_str(), "tokenize");
    /// ```
    #[derive(Default)]
    Action {
        /// Replaced by a token of the scheme in force; restored in the answer.
        #[default]
        Tokenize = "tokenize",
        /// Replaced by `[REDACTED:KIND]`; never restored.
        Redact = "redact",
        /// Left in place; the finding is reported.
        Passthrough = "passthrough",
        /// The whole call is refused.
        Block = "block",
    }
}

named! {
    /// How tokens are made.
    Scheme {
        /// Equal values share a token; the original is kept encrypted in the vault.
        VaultDeterministic = "vault-deterministic",
        /// The token carries the original, encrypted; nothing is stored.
        ReversibleAead = "reversible-aead",
        /// A plausible invented value; never restorable.
        Synthetic = "synthetic",
    }
}

named! {
    /// A part of a value that stays in clear while the rest follows the action.
    #[derive(Default)]
    Keep {
        /// Nothing stays.
        #[default]
        None = "none",
        /// The year of a date.
        Year = "year",
        /// The first three digits of a ZIP code, `000` for the small areas.
        Zip3 = "zip3",
        /// The last four characters of a card or account number.
        Last4 = "last4",
        /// The domain of an e-mail address.
        Domain = "domain",
        /// The state in an address.
        State = "state",
        /// `90+` for an age above 89.
        Over89 = "over_89",
    }
}

named! {
    /// How far "same value, same token" reaches.
    #[derive(Default)]
    TokenScope {
        /// Everywhere under one key.
        #[default]
        Kid = "kid",
        /// Within one agent.
        Agent = "agent",
        /// Within one session.
        Session = "session",
    }
}

named! {
    /// What happens to image, audio and file parts of a message, in which nothing can be masked.
    #[derive(Default)]
    NonText {
        /// The call is refused.
        #[default]
        Reject = "reject",
        /// The part is left out.
        Drop = "drop",
        /// The part is sent as it is.
        Pass = "pass",
    }
}

named! {
    /// What stands in the masked text.
    #[derive(Default)]
    Surface {
        /// The durable token.
        #[default]
        Token = "token",
        /// A short name that lives as long as the conversation: `[PHONE_1]`.
        Alias = "alias",
    }
}

named! {
    /// Which values count as the same.
    #[derive(Default)]
    Normalization {
        /// Equal values, whatever their spelling.
        #[default]
        Value = "value",
        /// Equal bytes only, so that restoring is byte-exact.
        Exact = "exact",
    }
}

named! {
    /// Which of two overlapping findings wins.
    #[derive(Default)]
    Overlap {
        /// The longer one.
        #[default]
        Longest = "longest",
        /// The one whose kind has the higher priority.
        Priority = "priority",
        /// The one with the higher score.
        Score = "score",
    }
}

named! {
    /// A check that drops the hits of a custom recogniser that fail it.
    #[derive(Default)]
    Check {
        /// The Luhn check digit of cards.
        Luhn = "luhn",
        /// A weighted sum modulo 11.
        Mod11 = "mod11",
        /// The check digit of vehicle identification numbers.
        Vin = "vin",
        /// The check digit of national provider identifiers.
        Npi = "npi",
        /// The check digits of international bank account numbers.
        Iban = "iban",
        /// The text is a date of the calendar.
        Date = "date",
        /// No check.
        #[default]
        None = "none",
    }
}

/// Whether encrypted payloads are kept.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum LogPayloads {
    /// Nothing is kept.
    #[default]
    Off,
    /// The masked side only.
    Masked,
    /// Both sides, encrypted.
    On,
}

impl LogPayloads {
    /// The value as a policy writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "false",
            Self::Masked => "masked",
            Self::On => "true",
        }
    }
}

impl Serialize for LogPayloads {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Off => serializer.serialize_bool(false),
            Self::Masked => serializer.serialize_str("masked"),
            Self::On => serializer.serialize_bool(true),
        }
    }
}
