//! What masker looks for: the kinds, and one entry of facts for each.

pub mod checks;
mod clinical;
mod contact;
mod dates;
mod finance;
mod government;
mod measured;
mod measured_rows;
mod network;
mod people;
mod places;
mod safe_harbor;
mod spec;
mod things;

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, LazyLock};

use serde::{Serialize, Serializer};

pub use self::measured::{Measured, measured};
pub use self::safe_harbor::SAFE_HARBOR;
pub use self::spec::{CodeShape, Cue, CueNeed, Example, KindSpec, Letters, Pattern, Verdict};

/// What a piece of text is: `PHONE`, `NAME`, or a kind that a policy invents.
///
/// On every surface a kind is written in upper snake case. The built-in kinds and their Safe Harbor letters
/// (45 CFR 164.514(b)(2)(i)) are in [`specs`].
///
/// ```
/// use masker_core::Kind;
///
/// assert_eq!(Kind::IpAddress.as_str(), "IP_ADDRESS");
/// assert_eq!("IP_ADDRESS".parse(), Ok(Kind::IpAddress));
/// assert_eq!("RX_NUMBER".parse::<Kind>().unwrap().as_str(), "RX_NUMBER");
/// assert!("rx number".parse::<Kind>().is_err());
/// ```
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Kind {
    /// Person names (A).
    Name,
    /// Street, unit, post office box, city, county: every place smaller than a state (B).
    Address,
    /// ZIP and ZIP+4 codes on their own (B).
    Zip,
    /// Birth dates (C).
    Dob,
    /// Dates finer than a year (C).
    Date,
    /// Ages of 90 and more (C).
    AgeOver89,
    /// Telephone numbers (D).
    Phone,
    /// Numbers introduced as fax numbers (E).
    Fax,
    /// E-mail addresses (F).
    Email,
    /// US social security numbers, their last four digits when introduced as such, and ITINs (G).
    Ssn,
    /// Medical record numbers (H).
    Mrn,
    /// Health plan member and beneficiary numbers (I).
    HealthPlan,
    /// Bank and other account numbers, routing numbers, security codes, wallet addresses (J).
    Account,
    /// Payment card numbers (J).
    CreditCard,
    /// Driver, professional and provider licences, passports (K).
    License,
    /// Vehicle identification numbers and plates (L).
    Vehicle,
    /// Device serial numbers, IMEI, MAC addresses, UDI (M).
    Device,
    /// Web addresses (N).
    Url,
    /// IPv4 and IPv6 addresses (O).
    IpAddress,
    /// Finger and voice print identifiers (P).
    Biometric,
    /// Other unique codes introduced as such (R).
    Id,
    /// User names introduced as such (R).
    Username,
    /// Passwords, PINs and passcodes introduced as such (R).
    Password,
    /// Employers and schools; off by default.
    Organization,
    /// A kind that a policy's recogniser or dictionary produces.
    Custom(CustomKind),
}

/// The name of a kind that is not built in. Made by parsing a [`Kind`].
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct CustomKind(Arc<str>);

/// The text is not a kind: kinds are `[A-Z][A-Z0-9_]{1,31}`.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a kind: kinds are 2 to 32 of A-Z, 0-9 and _, starting with a letter")]
pub struct ParseKindError;

impl Kind {
    /// Every built-in kind, in the order of the Safe Harbor letters.
    pub const BUILT_IN: &'static [Self; 24] = &[
        Self::Name,
        Self::Address,
        Self::Zip,
        Self::Dob,
        Self::Date,
        Self::AgeOver89,
        Self::Phone,
        Self::Fax,
        Self::Email,
        Self::Ssn,
        Self::Mrn,
        Self::HealthPlan,
        Self::Account,
        Self::CreditCard,
        Self::License,
        Self::Vehicle,
        Self::Device,
        Self::Url,
        Self::IpAddress,
        Self::Biometric,
        Self::Id,
        Self::Username,
        Self::Password,
        Self::Organization,
    ];

    /// The upper snake case name.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Name => "NAME",
            Self::Address => "ADDRESS",
            Self::Zip => "ZIP",
            Self::Dob => "DOB",
            Self::Date => "DATE",
            Self::AgeOver89 => "AGE_OVER_89",
            Self::Phone => "PHONE",
            Self::Fax => "FAX",
            Self::Email => "EMAIL",
            Self::Ssn => "SSN",
            Self::Mrn => "MRN",
            Self::HealthPlan => "HEALTH_PLAN",
            Self::Account => "ACCOUNT",
            Self::CreditCard => "CREDIT_CARD",
            Self::License => "LICENSE",
            Self::Vehicle => "VEHICLE",
            Self::Device => "DEVICE",
            Self::Url => "URL",
            Self::IpAddress => "IP_ADDRESS",
            Self::Biometric => "BIOMETRIC",
            Self::Id => "ID",
            Self::Username => "USERNAME",
            Self::Password => "PASSWORD",
            Self::Organization => "ORGANIZATION",
            Self::Custom(name) => &name.0,
        }
    }

    /// The built-in kind of this name.
    pub(crate) fn built_in(name: &str) -> Option<&'static Self> {
        static NAMES: LazyLock<[&str; Kind::BUILT_IN.len()]> =
            LazyLock::new(|| std::array::from_fn(|index| Kind::BUILT_IN[index].as_str()));
        NAMES.iter().position(|known| *known == name).map(|index| &Self::BUILT_IN[index])
    }

    /// Whether masker itself finds this kind.
    pub fn is_built_in(&self) -> bool {
        !matches!(self, Self::Custom(_))
    }

    /// The kind that covers this one's text where this one is switched off: `ZIP` by `ADDRESS`, `FAX` by `PHONE`, `DOB`
    /// by `DATE`.
    pub fn neighbour(&self) -> Option<Self> {
        match self {
            Self::Zip => Some(Self::Address),
            Self::Fax => Some(Self::Phone),
            Self::Dob => Some(Self::Date),
            _ => None,
        }
    }
}

impl FromStr for Kind {
    type Err = ParseKindError;

    fn from_str(text: &str) -> Result<Self, ParseKindError> {
        if let Some(kind) = Self::built_in(text) {
            return Ok(kind.clone());
        }
        let mut bytes = text.bytes();
        let well_formed = (2..=32).contains(&text.len())
            && bytes.next().is_some_and(|b| b.is_ascii_uppercase())
            && bytes.all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
        if well_formed { Ok(Self::Custom(CustomKind(text.into()))) } else { Err(ParseKindError) }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// The facts about every built-in kind, in the order of [`Kind::BUILT_IN`].
pub fn specs() -> impl Iterator<Item = &'static KindSpec> {
    Kind::BUILT_IN.iter().map(spec)
}

/// The facts about one built-in kind.
///
/// # Panics
///
/// For a [`Kind::Custom`], which has no entry.
pub fn spec(kind: &Kind) -> &'static KindSpec {
    match kind {
        Kind::Name => &people::NAME,
        Kind::Address => &places::ADDRESS,
        Kind::Zip => &places::ZIP,
        Kind::Dob => &dates::DOB,
        Kind::Date => &dates::DATE,
        Kind::AgeOver89 => &dates::AGE_OVER_89,
        Kind::Phone => &contact::PHONE,
        Kind::Fax => &contact::FAX,
        Kind::Email => &contact::EMAIL,
        Kind::Ssn => &government::SSN,
        Kind::Mrn => &clinical::MRN,
        Kind::HealthPlan => &clinical::HEALTH_PLAN,
        Kind::Account => &finance::ACCOUNT,
        Kind::CreditCard => &finance::CREDIT_CARD,
        Kind::License => &government::LICENSE,
        Kind::Vehicle => &things::VEHICLE,
        Kind::Device => &things::DEVICE,
        Kind::Url => &network::URL,
        Kind::IpAddress => &network::IP_ADDRESS,
        Kind::Biometric => &clinical::BIOMETRIC,
        Kind::Id => &government::ID,
        Kind::Username => &network::USERNAME,
        Kind::Password => &network::PASSWORD,
        Kind::Organization => &people::ORGANIZATION,
        Kind::Custom(_) => panic!("a custom kind has no built-in entry"),
    }
}
