use std::str::FromStr;

/// A JSON Pointer (RFC 6901) in which `*` stands for any one key or index.
///
/// ```
/// use masker_core::payload::Pointer;
///
/// assert!("/people/*/name".parse::<Pointer>().is_ok());
/// assert!("people".parse::<Pointer>().is_err());
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Pointer {
    /// As they stand in a path, escapes kept.
    segments: Vec<String>,
}

/// Why a text is no [`Pointer`].
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ParsePointerError {
    /// `~` is followed by neither 0 nor 1.
    #[error("in a JSON pointer ~ is written ~0 and / is written ~1")]
    BadEscape,
    /// It is not empty and does not begin with a slash.
    #[error("a JSON pointer is empty or begins with /")]
    NoSlash,
}

impl FromStr for Pointer {
    type Err = ParsePointerError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some(rest) = text.strip_prefix('/') else {
            return if text.is_empty() {
                Ok(Self { segments: Vec::new() })
            } else {
                Err(ParsePointerError::NoSlash)
            };
        };
        let escapes_hold = rest.split('~').skip(1).all(|after| after.starts_with(['0', '1']));
        if !escapes_hold {
            return Err(ParsePointerError::BadEscape);
        }
        Ok(Self { segments: rest.split('/').map(str::to_owned).collect() })
    }
}

impl Pointer {
    /// Whether the value at `path` is the one meant, or lies inside it.
    fn covers(&self, path: &str) -> bool {
        let mut parts = path.split('/').skip(1);
        self.segments.iter().all(|segment| parts.next().is_some_and(|part| segment == "*" || segment == part))
    }
}

/// Which values of a JSON document are masked and which are left.
///
/// A rule holds for the value its pointer names and for everything inside it, JSON inside strings included. Of several that
/// cover a value the longest decides, of equally long ones the last.
///
/// ```
/// use masker_core::Masker;
/// use masker_core::payload::JsonRules;
///
/// let rules = JsonRules::everything().leave("/support".parse()?);
/// let json = r#"{ "phone": "415-555-0142", "support": "415-555-0100", "visits": 3.0 }"#;
/// let masked = Masker::new()?.mask_json(json, &rules)?.json;
/// assert!(masked.starts_with(r#"{ "phone": "MSKV1.PHONE."#));
/// assert!(masked.ends_with(r#"", "support": "415-555-0100", "visits": 3.0 }"#));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct JsonRules {
    otherwise: bool,
    rules: Vec<(Pointer, bool)>,
}

impl Default for JsonRules {
    fn default() -> Self {
        Self::everything()
    }
}

impl JsonRules {
    /// Masks every value that no rule leaves.
    pub fn everything() -> Self {
        Self { otherwise: true, rules: Vec::new() }
    }

    /// Leaves every value that no rule masks.
    pub fn nothing() -> Self {
        Self { otherwise: false, rules: Vec::new() }
    }

    /// Masks the value at a pointer.
    #[must_use]
    pub fn mask(mut self, pointer: Pointer) -> Self {
        self.rules.push((pointer, true));
        self
    }

    /// Leaves the value at a pointer as it is.
    #[must_use]
    pub fn leave(mut self, pointer: Pointer) -> Self {
        self.rules.push((pointer, false));
        self
    }

    pub(super) fn masks(&self, path: &str) -> bool {
        self.rules
            .iter()
            .filter(|(pointer, _)| pointer.covers(path))
            .max_by_key(|(pointer, _)| pointer.segments.len())
            .map_or(self.otherwise, |(_, masked)| *masked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pointer(text: &str) -> Pointer {
        text.parse().unwrap()
    }

    #[test]
    fn the_longest_rule_decides_and_of_equals_the_last() {
        let rules = JsonRules::everything()
            .leave(pointer("/a"))
            .mask(pointer("/a/*/name"))
            .leave(pointer("/a/0/name"))
            .mask(pointer("/b"))
            .leave(pointer("/b"));
        for (path, masked) in [
            ("", true),
            ("/c", true),
            ("/a", false),
            ("/ab", true),
            ("/a/1", false),
            ("/a/1/name", true),
            ("/a/1/name/first", true),
            ("/a/0/name", false),
            ("/b/x", false),
        ] {
            assert_eq!(rules.masks(path), masked, "{path}");
        }
        assert!(!JsonRules::nothing().mask(pointer("/x")).masks("/y"));
        assert!(JsonRules::nothing().mask(pointer("")).masks("/y"));
    }

    #[test]
    fn what_is_no_pointer_is_refused() {
        assert_eq!("a".parse::<Pointer>(), Err(ParsePointerError::NoSlash));
        assert_eq!("/a~2".parse::<Pointer>(), Err(ParsePointerError::BadEscape));
        assert_eq!("/a~".parse::<Pointer>(), Err(ParsePointerError::BadEscape));
        assert!("/a~0~1".parse::<Pointer>().is_ok());
    }
}
