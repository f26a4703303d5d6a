use crate::store::model::Role;

macro_rules! scopes {
    ($($variant:ident = $name:literal $role:ident $(+ $read:ident)?,)*) => {
        /// Something a credential opens.
        #[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
        pub(crate) enum Scope {
            $($variant,)*
        }

        impl Scope {
            pub(crate) const ALL: &[Self] = &[$(Self::$variant,)*];

            pub(crate) fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            pub(crate) fn parse(text: &str) -> Option<Self> {
                match text {
                    $($name => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// The lowest role that has it.
            pub(crate) fn least_role(self) -> Role {
                match self {
                    $(Self::$variant => Role::$role,)*
                }
            }

            /// The reading scope that it includes.
            fn includes(self) -> Option<Self> {
                match self {
                    $(Self::$variant => None $(.or(Some(Self::$read)))?,)*
                }
            }
        }
    };
}

scopes! {
    AccountRead = "account:read" Viewer,
    AccountWrite = "account:write" Admin + AccountRead,
    AgentsRead = "agents:read" Viewer,
    AgentsWrite = "agents:write" Member + AgentsRead,
    AuditRead = "audit:read" Admin,
    MembersRead = "members:read" Viewer,
    MembersWrite = "members:write" Admin + MembersRead,
    PayloadsRead = "payloads:read" Admin,
    PoliciesRead = "policies:read" Viewer,
    PoliciesWrite = "policies:write" Admin + PoliciesRead,
    ReportsRead = "reports:read" Viewer,
    SessionsRead = "sessions:read" Viewer,
    SessionsWrite = "sessions:write" Member + SessionsRead,
    TextMask = "text:mask" Member,
    TextRehydrate = "text:rehydrate" Admin,
    TokensWrite = "tokens:write" Member,
    VaultRead = "vault:read" Admin,
    VaultWrite = "vault:write" Admin + VaultRead,
    WebhooksWrite = "webhooks:write" Admin,
}

/// A set of scopes.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Scopes(u32);

impl Scopes {
    /// Scopes by name with what they include; names that are none are left out.
    pub(crate) fn parse(names: &[String]) -> Self {
        names.iter().filter_map(|name| Scope::parse(name)).fold(Self::default(), Self::with)
    }

    pub(crate) fn of_role(role: Role) -> Self {
        Scope::ALL
            .iter()
            .filter(|scope| scope.least_role() <= role)
            .fold(Self::default(), |set, s| set.with(*s))
    }

    fn with(self, scope: Scope) -> Self {
        let included = scope.includes().map_or(0, |read| 1 << read as u32);
        Self(self.0 | 1 << scope as u32 | included)
    }

    pub(crate) fn has(self, scope: Scope) -> bool {
        self.0 & 1 << scope as u32 != 0
    }

    pub(crate) fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The names in order.
    pub(crate) fn names(self) -> Vec<&'static str> {
        let mut names: Vec<&str> = Scope::ALL.iter().filter(|s| self.has(**s)).map(|s| s.as_str()).collect();
        names.sort_unstable();
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writing_includes_reading_and_roles_grow() {
        let set = Scopes::parse(&["agents:write".to_owned(), "nonsense".to_owned()]);
        assert_eq!(set.names(), ["agents:read", "agents:write"]);
        let sizes: Vec<usize> = [Role::Viewer, Role::Member, Role::Admin, Role::Owner]
            .map(|role| Scopes::of_role(role).names().len())
            .into();
        assert_eq!(sizes, [6, 10, 19, 19]);
        assert!(!Scopes::of_role(Role::Member).has(Scope::PayloadsRead));
    }
}
