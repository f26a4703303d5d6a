//! The command line as typed. What the values mean is decided by the commands.

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use serde::Deserialize;

/// Finds PHI in text, replaces it with reversible tokens, and restores it.
#[derive(Debug, Parser)]
#[command(
    name = "masker",
    version,
    max_term_width = 100,
    subcommand_required = true,
    arg_required_else_help = true
)]
#[command(after_help = "\
Exit codes: 0 success, 1 failure or bad input, 2 the command's own no, 3 policy or key, 4 not signed in, 5 server unreachable,
64 usage, 130 interrupted.

Examples:
  masker mask call.txt                      masked text and events as JSON
  echo \"call 415-555-0142\" | masker detect  what would be masked, and why
  masker keygen                             a key, so that tokens can be restored later")]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Flags that every command takes.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Global {
    /// Configuration file [default: $MASKER_CONFIG, ./masker.toml, or masker/config.toml in the configuration folder]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Global options")]
    pub(crate) config: Option<PathBuf>,
    /// Server to talk to, for commands that use one [default: $MASKER_SERVER, or that of the configuration file]
    #[arg(long, global = true, value_name = "URL", help_heading = "Global options")]
    pub(crate) server: Option<String>,
    /// Policy file or built-in name [default: $MASKER_POLICY_PATH, that of the configuration file,
    /// ./configs/mask_policy.yaml if it exists, else healthcare-default]
    #[arg(long, global = true, value_name = "FILE|NAME", help_heading = "Global options")]
    pub(crate) policy: Option<PathBuf>,
    /// JSON output, also on a terminal
    #[arg(long, global = true, help_heading = "Global options")]
    pub(crate) json: bool,
    /// Only errors on stderr
    #[arg(short, long, global = true, help_heading = "Global options")]
    pub(crate) quiet: bool,
    /// More on stderr, never text of the input; twice for still more
    #[arg(short, long, global = true, action = ArgAction::Count, help_heading = "Global options")]
    pub(crate) verbose: u8,
    /// Colours on a terminal [default: auto; NO_COLOR is respected]
    #[arg(long, global = true, value_enum, value_name = "WHEN", help_heading = "Global options")]
    pub(crate) color: Option<ColorChoice>,
}

/// When to colour.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ColorChoice {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Replace PHI by tokens
    Mask(Mask),
    /// Show what is PHI, and why
    Detect(Detect),
    /// Put the originals back for the tokens in a text
    Rehydrate(Rehydrate),
    /// Replace PHI by invented values that look real and cannot be restored
    Synthesize(Synthesize),
    /// Run a transcript through the pipeline turn by turn
    Replay(Replay),
    /// Measure detection against labelled text
    Eval(Eval),
    /// Work with policy files
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Look after a vault file
    #[command(subcommand)]
    Vault(VaultCommand),
    /// Check and read an audit log
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Work with agents of a server
    #[command(subcommand)]
    Agents(AgentsCommand),
    /// Look at sessions of a server
    #[command(subcommand)]
    Sessions(SessionsCommand),
    /// Fetch a report from a server, on a session, an agent or the account; or check one
    Report(Report),
    /// Work with API tokens of a server
    #[command(subcommand)]
    Tokens(TokensCommand),
    /// Run the server; every setting comes from the environment
    #[cfg(feature = "server")]
    Serve(Serve),
    /// Look after a server on its own machine
    #[cfg(feature = "server")]
    #[command(subcommand)]
    Admin(AdminCommand),
    /// Make a key for the environment
    Keygen(Keygen),
    /// Print the completion script of a shell
    Completions(Completions),
}

/// Where the text comes from and how it is read.
#[derive(Args, Debug)]
pub(crate) struct Input {
    /// File to read; `-` or nothing is stdin
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// The same as FILE
    #[arg(long, value_name = "FILE", conflicts_with = "file")]
    pub(crate) input: Option<PathBuf>,
}

/// How structured input is read.
#[derive(Args, Debug)]
pub(crate) struct Shape {
    /// How the input is read [default: chat for a name ending in .json, else text]
    #[arg(long, value_enum)]
    pub(crate) format: Option<Format>,
    /// Unit of the spans
    #[arg(long, value_enum, default_value_t = Offsets::Byte)]
    pub(crate) offsets: Offsets,
    #[command(flatten)]
    pub(crate) lines: Lines,
}

/// How lines of JSON are read and answered.
#[derive(Args, Debug)]
pub(crate) struct Lines {
    /// jsonl: member that holds the text [default: text]
    #[arg(long, value_name = "NAME")]
    pub(crate) field: Option<String>,
    /// jsonl: pass the other members through, as they are
    #[arg(long)]
    pub(crate) keep: bool,
    /// jsonl: threads [default: 1]
    #[arg(long, value_name = "N", value_parser = thread_count)]
    pub(crate) jobs: Option<u16>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Format {
    /// The input is one text
    Text,
    /// A chat completion request, or a list of messages
    Chat,
    /// One JSON string or object a line
    Jsonl,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Offsets {
    /// UTF-8 bytes
    Byte,
    /// Unicode code points
    Codepoint,
    /// UTF-16 code units
    Utf16,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Scheme {
    /// Short tokens, originals in the vault
    VaultDeterministic,
    /// Long tokens that hold the original, encrypted
    ReversibleAead,
    /// Invented values, never restored
    Synthetic,
}

#[derive(Args, Debug)]
pub(crate) struct Mask {
    #[command(flatten)]
    pub(crate) input: Input,
    #[command(flatten)]
    pub(crate) shape: Shape,
    /// What replaces PHI [default: as the policy says]
    #[arg(long, value_enum)]
    pub(crate) scheme: Option<Scheme>,
    /// Detection passes, in order, instead of the policy's
    #[arg(long, value_delimiter = ',', value_name = "LIST")]
    pub(crate) passes: Vec<String>,
    /// Exit 2 if nothing was replaced
    #[arg(long)]
    pub(crate) require_match: bool,
    /// Keep vault rows in this file [default: in memory]
    #[arg(long, value_name = "FILE")]
    pub(crate) vault: Option<PathBuf>,
    /// Use a random key for this run, whatever the environment holds
    #[arg(long, conflicts_with_all = ["vault", "strict_keys"])]
    pub(crate) ephemeral_key: bool,
    /// A missing key is an error (exit 3)
    #[arg(long)]
    pub(crate) strict_keys: bool,
    /// Print just the masked text
    #[arg(long)]
    pub(crate) text_only: bool,
    /// Seed for the scheme synthetic
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
}

#[derive(Args, Debug)]
pub(crate) struct Detect {
    #[command(flatten)]
    pub(crate) input: Input,
    #[command(flatten)]
    pub(crate) shape: Shape,
    /// Detection passes, in order, instead of the policy's
    #[arg(long, value_delimiter = ',', value_name = "LIST")]
    pub(crate) passes: Vec<String>,
    /// Least confidence, for every kind
    #[arg(long, value_name = "0..1", value_parser = unit_interval)]
    pub(crate) threshold: Option<f32>,
    /// Exit 2 if nothing was found
    #[arg(long)]
    pub(crate) require_match: bool,
    /// Leave the found text out
    #[arg(long)]
    pub(crate) no_text: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Rehydrate {
    #[command(flatten)]
    pub(crate) input: Input,
    /// The vault file that `mask` wrote
    #[arg(long, value_name = "FILE")]
    pub(crate) vault: Option<PathBuf>,
    /// Exit 2 if a token could not be restored
    #[arg(long)]
    pub(crate) strict: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Synthesize {
    #[command(flatten)]
    pub(crate) input: Input,
    /// Same seed, same output; a fixed seed lets others test guesses about the input
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Closeness to the originals: above 0, up to 10; larger is closer
    #[arg(long, value_name = "X")]
    pub(crate) epsilon: Option<f64>,
    /// Print just the text
    #[arg(long)]
    pub(crate) text_only: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Replay {
    /// Transcript: .json with messages, .vtt, .srt, or `Speaker: text` lines
    #[arg(long, value_name = "FILE", required = true)]
    pub(crate) input: PathBuf,
    /// Take speakers from roles and prefixes
    #[arg(long, value_name = "BOOL", default_value_t = true, action = ArgAction::Set)]
    pub(crate) diarize: bool,
    /// Write the result here instead of stdout
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// One JSON line a turn, as it is done
    #[arg(long)]
    pub(crate) stream: bool,
    /// Accepted and refused: speech recognition is out of scope
    #[arg(long, value_name = "NAME", hide = true)]
    pub(crate) asr_provider: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct Eval {
    /// Labelled text, one JSON object a line: text, spans, and optionally ignore
    #[arg(long, value_name = "FILE", required = true)]
    pub(crate) data: PathBuf,
    /// When a finding counts as right
    #[arg(long = "match", value_enum, default_value_t = Match::Exact)]
    pub(crate) matching: Match,
    /// Exit 2 if overall recall is lower
    #[arg(long, value_name = "0..1", value_parser = unit_interval)]
    pub(crate) min_recall: Option<f32>,
    /// A row for each kind in the table; JSON always has them
    #[arg(long)]
    pub(crate) by_kind: bool,
    /// Unit of the labelled spans
    #[arg(long, value_enum, default_value_t = Offsets::Byte)]
    pub(crate) offsets: Offsets,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Match {
    /// Same kind, same ends
    Exact,
    /// Some overlap, whatever the kind
    Partial,
    /// Some overlap and the same kind
    Type,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Check policy files and report every mistake with its place
    Validate(PolicyValidate),
    /// What changes between two policies
    Diff(PolicyDiff),
    /// The policy in force, defaults filled in
    Show(PolicyShow),
    /// Print a policy file to start from
    Init(PolicyInit),
    /// Print the JSON Schema of policy files, for editors
    Schema,
    /// Which Safe Harbor categories the policy covers, and how
    Coverage,
    /// Make a server read its policy files again
    Reload(Auth),
}

#[derive(Args, Debug)]
pub(crate) struct PolicyValidate {
    /// Policy files
    #[arg(required = true, value_name = "FILE")]
    pub(crate) paths: Vec<PathBuf>,
    /// Do not look for keys in the environment
    #[arg(long)]
    pub(crate) no_env: bool,
    /// Warnings are exit 3 too
    #[arg(long)]
    pub(crate) deny_warnings: bool,
}

#[derive(Args, Debug)]
pub(crate) struct PolicyDiff {
    /// File or built-in name before
    #[arg(value_name = "A")]
    pub(crate) a: PathBuf,
    /// File or built-in name after
    #[arg(value_name = "B")]
    pub(crate) b: PathBuf,
    /// Exit 2 if the second detects or replaces less
    #[arg(long)]
    pub(crate) fail_if_weaker: bool,
}

#[derive(Args, Debug)]
pub(crate) struct PolicyShow {
    /// File or built-in name, instead of the policy in force
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct PolicyInit {
    /// Built-in policy to start from
    #[arg(long, value_enum, default_value_t = Preset::HealthcareDefault)]
    pub(crate) from: Preset,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Preset {
    HealthcareDefault,
    HealthcareMinimum,
    Strict,
}

#[derive(Debug, Subcommand)]
pub(crate) enum VaultCommand {
    /// Rows, size, age, by kind and key
    Stats(VaultAt),
    /// Write the rows, encrypted
    Export(VaultExport),
    /// Take over the rows of an export
    Import(VaultImport),
    /// Delete rows for good
    Purge(VaultPurge),
    /// Encrypt the rows under another key; old tokens still restore
    RotateKey(VaultRotate),
    /// Open every row with the keys of the environment, and look for what belongs to nothing
    Verify(VaultAt),
}

#[derive(Args, Debug)]
pub(crate) struct VaultAt {
    /// The vault file [default: $MASKER_VAULT_PATH, else data/vault.db]
    #[arg(long, value_name = "FILE")]
    pub(crate) vault: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct VaultExport {
    #[command(flatten)]
    pub(crate) at: VaultAt,
    /// Write here instead of stdout
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct VaultImport {
    #[command(flatten)]
    pub(crate) at: VaultAt,
    /// What `export` wrote; `-` is stdin
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
}

#[derive(Args, Debug)]
pub(crate) struct VaultPurge {
    #[command(flatten)]
    pub(crate) at: VaultAt,
    #[command(flatten)]
    pub(crate) which: PurgeWhich,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
    /// Only say how many rows would go
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Which rows go: exactly one of these.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
pub(crate) struct PurgeWhich {
    /// Rows last used before this day (2026-01-31) or instant (2026-01-31T12:00:00Z)
    #[arg(long, value_name = "DATE")]
    pub(crate) before: Option<String>,
    /// Rows of this subject
    #[arg(long, value_name = "ID")]
    pub(crate) subject: Option<String>,
    /// Rows of this agent
    #[arg(long, value_name = "ID")]
    pub(crate) agent: Option<String>,
    /// Rows under this key
    #[arg(long, value_name = "KID")]
    pub(crate) kid: Option<String>,
    /// Rows of this scope
    #[arg(long, value_name = "ID")]
    pub(crate) scope: Option<String>,
    /// Rows whose time is over
    #[arg(long)]
    pub(crate) expired: bool,
}

#[derive(Args, Debug)]
pub(crate) struct VaultRotate {
    #[command(flatten)]
    pub(crate) at: VaultAt,
    /// The key to encrypt under; it must be in the environment
    #[arg(long, value_name = "KID")]
    pub(crate) new_kid: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Check the chain: nothing changed, left out or cut off
    Verify(AuditVerify),
    /// Print the last events
    Tail(AuditTail),
    /// Prove that one event is in the log
    Prove(AuditProve),
}

#[derive(Args, Debug)]
pub(crate) struct AuditAt {
    /// The audit log [default: $MASKER_AUDIT_LOG_PATH, else data/audit.log]
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}

/// Which events are meant.
#[derive(Args, Debug)]
pub(crate) struct AuditRange {
    /// From this event on
    #[arg(long, value_name = "N")]
    pub(crate) from_seq: Option<u64>,
    /// Up to this event
    #[arg(long, value_name = "N")]
    pub(crate) to_seq: Option<u64>,
    /// Only events of this session
    #[arg(long, value_name = "ID")]
    pub(crate) session: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct AuditVerify {
    #[command(flatten)]
    pub(crate) at: AuditAt,
    #[command(flatten)]
    pub(crate) range: AuditRange,
    /// The hash that the last event must have
    #[arg(long, value_name = "HEX")]
    pub(crate) expected_root: Option<String>,
    /// The head kept beside the log [default: the log's name with .head, if it exists]
    #[arg(long, value_name = "FILE")]
    pub(crate) head: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct AuditTail {
    #[command(flatten)]
    pub(crate) at: AuditAt,
    /// Only events of these kinds
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    pub(crate) kind: Vec<String>,
    /// How many
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20)]
    pub(crate) lines: usize,
}

#[derive(Args, Debug)]
pub(crate) struct AuditProve {
    #[command(flatten)]
    pub(crate) at: AuditAt,
    #[command(flatten)]
    pub(crate) range: AuditRange,
    /// The event
    #[arg(long, value_name = "ID")]
    pub(crate) event: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ReportCommand {
    /// Check the signature and the hashes of a report in JSON
    Verify(ReportVerify),
}

#[derive(Args, Debug)]
pub(crate) struct ReportVerify {
    /// The report
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The key it must be signed by, base64 [default: that of $MASKER_REPORT_SIGNING_KEY]
    #[arg(long, value_name = "KEY")]
    pub(crate) public_key: Option<String>,
    /// Look the hashes up in this audit log too, which takes its key
    #[arg(long, value_name = "FILE")]
    pub(crate) log: Option<PathBuf>,
    /// Another program may have written the JSON anew: check what it says and not its layout
    #[arg(long)]
    pub(crate) reformatted: bool,
}

impl Command {
    /// Whether it does what a signal asks by itself.
    pub(crate) fn handles_signals(&self) -> bool {
        #[cfg(feature = "server")]
        if let Self::Serve(_) = self {
            return true;
        }
        false
    }
}

/// How to prove oneself to the server: MASKER_TOKEN, MASKER_SESSION, or a file.
#[derive(Args, Debug)]
pub(crate) struct Auth {
    /// File with an API token [default: $MASKER_TOKEN, else $MASKER_SESSION]
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
}

/// One thing of a server.
#[derive(Args, Debug)]
pub(crate) struct AgentsId {
    /// Its id
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) auth: Auth,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AgentsCommand {
    /// List agents
    List(AgentsList),
    /// Make an agent
    Create(AgentsCreate),
    /// Show one agent
    Show(AgentsId),
    /// Delete an agent
    Delete(AgentsDelete),
    /// Take no new sessions
    Pause(AgentsId),
    /// Take new sessions again
    Resume(AgentsId),
    /// Put an agent away, with everything kept
    Archive(AgentsId),
    /// Bring an archived agent back
    Activate(AgentsId),
    /// End an agent
    End(AgentsId),
    /// Begin again with an agent that has ended
    Relaunch(AgentsId),
    /// Bring a softly deleted agent back
    Restore(AgentsId),
    /// Cut off every call of an agent
    TerminateCalls(AgentsId),
    /// Delete many agents by their state
    Cleanup(AgentsCleanup),
}

#[derive(Args, Debug)]
pub(crate) struct AgentsList {
    /// States, with commas
    #[arg(long, value_name = "LIST")]
    pub(crate) status: Option<String>,
    /// A part of the name
    #[arg(long, value_name = "TEXT")]
    pub(crate) name_contains: Option<String>,
    /// Stop after this many
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub(crate) limit: Option<usize>,
    /// One JSON object a line
    #[arg(long)]
    pub(crate) jsonl: bool,
    #[command(flatten)]
    pub(crate) auth: Auth,
}

#[derive(Args, Debug)]
pub(crate) struct AgentsCreate {
    /// Its name
    #[arg(long, value_name = "NAME")]
    pub(crate) name: String,
    /// Where its requests go: `stub`, or `openai:<model>`
    #[arg(long, value_name = "MODEL")]
    pub(crate) upstream: String,
    /// What replaces PHI [default: as the policy says]
    #[arg(long, value_name = "SCHEME")]
    pub(crate) tokenization: Option<String>,
    /// A policy of the server
    #[arg(long, value_name = "NAME", conflicts_with = "policy_file")]
    pub(crate) policy_name: Option<String>,
    /// A policy of its own
    #[arg(long, value_name = "FILE")]
    pub(crate) policy_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) auth: Auth,
}

#[derive(Args, Debug)]
pub(crate) struct AgentsDelete {
    /// Its id
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    /// Whose way of deleting is followed [default: the account's]
    #[arg(long, value_enum)]
    pub(crate) profile: Option<DeleteProfile>,
    /// What is removed
    #[arg(long, value_enum)]
    pub(crate) mode: Option<DeleteMode>,
    /// What happens to active calls
    #[arg(long, value_enum)]
    pub(crate) on_active: Option<DeleteOnActive>,
    /// Refuse unless it is in one of these states
    #[arg(long, value_name = "LIST")]
    pub(crate) require_status: Option<String>,
    /// Only say what would happen
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) auth: Auth,
}

#[derive(Args, Debug)]
pub(crate) struct AgentsCleanup {
    /// States, with commas
    #[arg(long, value_name = "LIST")]
    pub(crate) status: String,
    /// Whose way of deleting is followed [default: the account's]
    #[arg(long, value_enum)]
    pub(crate) profile: Option<DeleteProfile>,
    /// Only say what would happen
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) auth: Auth,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum DeleteProfile {
    /// At once; requests in flight finish, history is kept
    Masker,
    /// Only without active calls
    Ayra,
    /// Only when ended, and with everything
    Kakiyo,
}

impl DeleteProfile {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Masker => "masker",
            Self::Ayra => "ayra",
            Self::Kakiyo => "kakiyo",
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum DeleteMode {
    /// For good; history is kept
    Hard,
    /// Can be undone for a while
    Soft,
    /// With everything that belongs to it
    Purge,
}

impl DeleteMode {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Hard => "hard",
            Self::Soft => "soft",
            Self::Purge => "purge",
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum DeleteOnActive {
    /// Requests in flight finish
    Drain,
    /// Refuse
    Reject,
    /// Cut them off
    Terminate,
}

impl DeleteOnActive {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Drain => "drain",
            Self::Reject => "reject",
            Self::Terminate => "terminate",
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum SessionsCommand {
    /// List sessions
    List(SessionsList),
    /// Show one session
    Show(AgentsId),
    /// One line for each session as it ends
    Tail(SessionsTail),
    /// Cut a session off
    Terminate(AgentsId),
}

#[derive(Args, Debug)]
pub(crate) struct SessionsList {
    /// Only sessions of this agent
    #[arg(long, value_name = "ID")]
    pub(crate) agent: Option<String>,
    /// A duration such as 24h, a timestamp, a day, or all [default: 24h]
    #[arg(long, value_name = "WHEN")]
    pub(crate) since: Option<String>,
    /// States, with commas
    #[arg(long, value_name = "LIST")]
    pub(crate) status: Option<String>,
    /// The fewest redactions
    #[arg(long, value_name = "N")]
    pub(crate) min_redactions: Option<u32>,
    /// Stop after this many
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub(crate) limit: Option<usize>,
    /// One JSON object a line
    #[arg(long)]
    pub(crate) jsonl: bool,
    #[command(flatten)]
    pub(crate) auth: Auth,
}

#[derive(Args, Debug)]
pub(crate) struct SessionsTail {
    /// Only sessions of this agent
    #[arg(long, value_name = "ID")]
    pub(crate) agent: Option<String>,
    #[command(flatten)]
    pub(crate) auth: Auth,
}

#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Report {
    #[command(subcommand)]
    pub(crate) command: Option<ReportCommand>,
    #[command(flatten)]
    pub(crate) fetch: ReportFetch,
}

#[derive(Args, Debug)]
pub(crate) struct ReportFetch {
    /// On this session
    #[arg(long, value_name = "ID", conflicts_with_all = ["agent_id", "since"])]
    pub(crate) session_id: Option<String>,
    /// On this agent
    #[arg(long, value_name = "ID")]
    pub(crate) agent_id: Option<String>,
    /// A duration such as 7d, a timestamp, a day, or all [default: 30d]
    #[arg(long, value_name = "WHEN")]
    pub(crate) since: Option<String>,
    /// Where to write it [default: stdout]
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Its form [default: by the ending of the file, else json]
    #[arg(long, value_name = "FORM")]
    pub(crate) format: Option<ReportForm>,
    #[command(flatten)]
    pub(crate) auth: Auth,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum ReportForm {
    /// For programs, signed
    Json,
    /// For people
    Pdf,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokensCommand {
    /// Make a token; its secret is printed once
    Create(TokensCreate),
    /// List tokens
    List(Auth),
    /// Revoke a token
    Revoke(AgentsId),
}

#[derive(Args, Debug)]
pub(crate) struct TokensCreate {
    /// What it is for
    #[arg(long, value_name = "NAME")]
    pub(crate) name: String,
    /// What it opens, with commas
    #[arg(long, value_name = "LIST", value_delimiter = ',', required = true)]
    pub(crate) scopes: Vec<String>,
    /// When it ends [default: never]
    #[arg(long, value_name = "N")]
    pub(crate) expires_in_days: Option<u32>,
    #[command(flatten)]
    pub(crate) auth: Auth,
}

#[cfg(feature = "server")]
#[derive(Args, Debug)]
pub(crate) struct Serve {
    /// Check environment, keys, policies, database and audit chain, and do not listen
    #[arg(long)]
    pub(crate) check: bool,
}

#[cfg(feature = "server")]
#[derive(Debug, Subcommand)]
pub(crate) enum AdminCommand {
    /// Make the first owner, also beside a running server
    Bootstrap(AdminBootstrap),
    /// Print a link that signs a user in once
    LoginLink {
        /// Whom
        #[arg(long, value_name = "NAME")]
        login: String,
    },
    /// Let go what is older than it may be
    #[command(subcommand)]
    Retention(RetentionCommand),
}

#[cfg(feature = "server")]
#[derive(Debug, Subcommand)]
pub(crate) enum RetentionCommand {
    /// Run the daily sweep now; the server must not be running
    Run,
}

#[cfg(feature = "server")]
#[derive(Args, Debug)]
pub(crate) struct AdminBootstrap {
    /// Login of the owner
    #[arg(long, value_name = "NAME", default_value = "admin")]
    pub(crate) login: String,
    /// Print an API token with every scope instead of a link
    #[arg(long)]
    pub(crate) token: bool,
    /// Add another owner though a user exists
    #[arg(long)]
    pub(crate) force: bool,
}

fn thread_count(text: &str) -> Result<u16, String> {
    match text.parse::<u16>() {
        Ok(value) if (1..=512).contains(&value) => Ok(value),
        _ => Err("a whole number from 1 to 512 is needed".to_owned()),
    }
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(value) if value > 0 => Ok(value),
        _ => Err("a whole number of at least 1 is needed".to_owned()),
    }
}

#[derive(Args, Debug)]
pub(crate) struct Keygen {
    /// Key id
    #[arg(long, default_value = "K_HEALTHCARE")]
    pub(crate) kid: String,
    /// Every secret a new server needs, as an env file
    #[arg(long)]
    pub(crate) all: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Completions {
    /// Shell
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}

fn unit_interval(text: &str) -> Result<f32, String> {
    match text.parse::<f32>() {
        Ok(value) if (0.0..=1.0).contains(&value) => Ok(value),
        _ => Err("a number from 0 to 1 is needed".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn purge_takes_exactly_one_selection() {
        let parse = |rest: &[&str]| Cli::try_parse_from(["masker", "vault", "purge"].iter().chain(rest));
        assert!(parse(&["--kid", "K_A"]).is_ok() && parse(&["--expired"]).is_ok());
        assert!(parse(&[]).is_err());
        assert!(parse(&["--kid", "K_A", "--before", "2026-01-01"]).is_err());
        assert!(parse(&["--scope", "acc_1", "--expired"]).is_err());
    }
}
