//! How large a policy and its parts may be. Beyond each the policy is refused, and nothing is left out without a word.

/// The longest policy, in bytes: 256 KiB.
pub const MAX_POLICY_BYTES: usize = 256 << 10;

/// How deep lists and mappings may nest. A policy is five levels deep; what is ignored inside it may be somewhat deeper.
pub const MAX_POLICY_DEPTH: usize = 64;

/// How many nodes all YAML aliases together may stand for. Their text may be as long as a policy.
pub const MAX_ALIAS_NODES: usize = 1_000;

/// The longest description, in characters.
pub const MAX_DESCRIPTION_CHARS: usize = 4_000;

/// The largest dictionary file, in bytes: 64 MiB.
pub const MAX_DICTIONARY_BYTES: usize = 64 << 20;

/// The most entries of one dictionary, in the policy or in a file.
pub const MAX_DICTIONARY_WORDS: usize = 1_000_000;

/// The longest pattern, in characters.
pub const MAX_PATTERN_CHARS: usize = 1_024;

/// How large a pattern may become when it is compiled, in bytes: 1 MiB.
pub const MAX_PATTERN_BYTES: usize = 1 << 20;

/// The most patterns of one recogniser.
pub const MAX_RECOGNIZER_PATTERNS: usize = 50;

/// The most patterns of a policy. Each may compile to [`MAX_PATTERN_BYTES`], so their number bounds what one file can make us
/// hold.
pub const MAX_PATTERNS: usize = 500;
