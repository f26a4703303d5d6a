/* Generated from the documentation in src/ by `npm run build:native`. Change it there. */

/** What something is. Policies may bring kinds of their own. */
export type Kind =
  | 'ACCOUNT'
  | 'ADDRESS'
  | 'AGE_OVER_89'
  | 'BIOMETRIC'
  | 'CREDIT_CARD'
  | 'DATE'
  | 'DEVICE'
  | 'DOB'
  | 'EMAIL'
  | 'FAX'
  | 'HEALTH_PLAN'
  | 'ID'
  | 'IP_ADDRESS'
  | 'LICENSE'
  | 'MRN'
  | 'NAME'
  | 'ORGANIZATION'
  | 'PASSWORD'
  | 'PHONE'
  | 'SSN'
  | 'URL'
  | 'USERNAME'
  | 'VEHICLE'
  | 'ZIP'
  | (string & {})

/** A detection stage. */
export type Pass = 'regex' | 'dictionary' | 'spoken' | 'ner' | 'diarize'

/** What happened to a finding. */
export type Action = 'tokenize' | 'redact' | 'passthrough' | 'block'

/** What stands in the place of a finding. */
export type TokenKind = 'MSK1' | 'MSKV1' | 'REDACTED' | 'SYNTHETIC'

/** How tokens are made. */
export type Scheme = 'vault-deterministic' | 'reversible-aead' | 'synthetic'

/** What stands in the masked text of a conversation: durable tokens, or short aliases such as `[PHONE_1]`. */
export type Surface = 'token' | 'alias'

/** Who says something. */
export type Role = 'assistant' | 'developer' | 'function' | 'system' | 'tool' | 'user'

/** A shipped policy. */
export type PresetName = 'healthcare-default' | 'healthcare-minimum' | 'strict'

/** A key of 32 bytes, as bytes or as base64. */
export type KeyBytes = string | Uint8Array

/** The `code` of every error. */
export type ErrorCode =
  | 'blocked_by_policy'
  | 'conversation_full'
  | 'internal_error'
  | 'invalid_argument'
  | 'invalid_conversation'
  | 'invalid_key'
  | 'invalid_policy'
  | 'invalid_token'
  | 'not_a_chat'
  | 'not_json'
  | 'recognizer_failed'
  | 'reentrant_call'
  | 'too_deep'
  | 'too_long'
  | 'unknown_kid'
  | 'unknown_option'
  | 'unmaskable_content'
  | 'vault_busy'
  | 'vault_failed'
  | 'vault_full'


/**
 * Which binding artifact the generated loader actually loaded: `'native'` for
 * a native addon, otherwise the `platformArchABI` of the WASI flavor. Every
 * flavor napi-rs can build is listed, because `NAPI_RS_NATIVE_LIBRARY_PATH`
 * can point the loader at a WASI artifact this package does not build itself.
 */
export declare const __napiBindingTarget: 'native' | 'wasm32-wasi' | 'wasm32-wasip1'

/**
 * One call or chat: what earlier turns say about later ones, and which tokens and aliases stand for which values.
 *
 * Promise forms on one conversation run in the order of the calls.
 *
 * ```js
 * const call = new Masker({ surface: 'alias' }).conversation('call 17')
 * call.maskTurnSync('user', "I'm Ann Reed, call me at 415-555-0142").text // "I'm [NAME_1], call me at [PHONE_1]"
 * call.rehydrateSync('Thank you, [NAME_1].').text // 'Thank you, Ann Reed.'
 * ```
 */
export declare class Conversation {
  /**
   * Takes a conversation up again from `toBytes`, with a masker that has the keys, the scope and the vault of the one it
   * was begun with.
   *
   * @throws `invalid_conversation`
   */
  static fromBytes(masker: Masker, bytes: Uint8Array): Conversation
  /** The id it was begun with. */
  get id(): string
  /** The masker it was begun by. */
  get masker(): Masker
  /** How many values have been masked. */
  get valueCount(): number
  /** What to tell a model about the aliases, in its instructions; empty where the policy puts none in the text. */
  get systemHint(): string
  /**
   * Masks what is said next.
   *
   * @throws as `Masker.maskSync`, and `conversation_full`
   */
  maskTurnSync(role: Role, text: string): Masked
  /** `maskTurnSync` behind a promise. */
  maskTurn(role: Role, text: string): Promise<Masked>
  /**
   * Masks a history as clients of language models resend it every turn, from its first message on. Messages that were
   * masked before come back the same and cost next to nothing.
   *
   * @throws as `maskTurnSync`
   */
  maskHistorySync(history: ReadonlyArray<Turn>): Array<Masked>
  /** `maskHistorySync` behind a promise. */
  maskHistory(history: ReadonlyArray<Turn>): Promise<Array<Masked>>
  /**
   * Puts originals back in the place of the tokens and aliases that this conversation gave out. Every other token becomes
   * `[REDACTED:KIND]` and is counted.
   *
   * @throws `vault_failed`, `too_long`
   */
  rehydrateSync(text: string): Restored
  /** `rehydrateSync` behind a promise. */
  rehydrate(text: string): Promise<Restored>
  /** `rehydrateSync` for a JSON text, or a part of one: what is restored is escaped as JSON strings need it. */
  rehydrateJsonSync(json: string): Restored
  /** `rehydrateJsonSync` behind a promise. */
  rehydrateJson(json: string): Promise<Restored>
  /**
   * Masks a chat as `Masker.maskChatSync` does, in the light of this conversation. A chat that is sent again, longer, is
   * masked the same up to where it was.
   */
  maskChatSync(json: string): MaskedPayload
  /** `maskChatSync` behind a promise. */
  maskChat(json: string): Promise<MaskedPayload>
  /** Masks a JSON text as `Masker.maskJsonSync` does, in the light of this conversation. */
  maskJsonSync(json: string, rules?: JsonRules): MaskedPayload
  /** `maskJsonSync` behind a promise. */
  maskJson(json: string, rules?: JsonRules): Promise<MaskedPayload>
  /** Puts originals back into a chat, mostly a reply; the arguments of tool calls stay JSON. */
  rehydrateChatSync(json: string): RestoredPayload
  /** `rehydrateChatSync` behind a promise. */
  rehydrateChat(json: string): Promise<RestoredPayload>
  /** The conversation as encrypted bytes for `Conversation.fromBytes`, for a process that stops in the middle of a call. */
  toBytes(): Uint8Array
  /**
   * Masks what is said next while it is being said.
   *
   * @throws `invalid_argument`
   */
  streamMasker(role: Role): StreamMasker
  /**
   * Restores text that comes in parts.
   *
   * @throws `unknown_option`
   */
  streamRehydrator(options?: StreamRehydratorOptions): StreamRehydrator
  /**
   * Restores the answers in a stream of server-sent events: OpenAI chat completions and responses, Anthropic messages.
   *
   * @throws `unknown_option`
   */
  sseRehydrator(options?: SseRehydratorOptions): SseRehydrator
}
export type JsConversation = Conversation

/**
 * Keys by key id: one active key each, and any number of old ones that still open what they sealed.
 *
 * ```js
 * const keys = KeyRing.fromEnv() // MASKER_KEY_K_HEALTHCARE holds 32 bytes in base64
 * ```
 */
export declare class KeyRing {
  /**
   * Takes keys of 32 bytes by their key ids, each as bytes or as base64. Old keys open what they sealed and seal nothing.
   *
   * @throws `invalid_key`
   */
  constructor(keys: Record<string, KeyBytes | { active: KeyBytes, old?: KeyBytes[] }>)
  /** One random key under the key id `EPHEMERAL`. What it makes cannot be restored once the ring is gone. */
  static ephemeral(): KeyRing
  /**
   * Reads `MASKER_KEY_<KID>` (the active key, base64 of 32 bytes), `MASKER_KEY_<KID>_OLD` (old ones, comma-separated)
   * and their forms ending in `_FILE`, from the environment of the process or from `variables`.
   *
   * @throws `invalid_key`
   */
  static fromEnv(variables?: Record<string, string | undefined>): KeyRing
  /**
   * Reads a file of such variables, one `NAME=value` a line; empty lines and lines that begin with `#` do not count.
   *
   * @throws `invalid_key`
   */
  static fromPath(path: string): KeyRing
  /** The key ids, in order. */
  get kids(): Array<string>
  /** Whether the only key is random and gone with the ring. */
  get isEphemeral(): boolean
  /** Whether there is a key under a key id. */
  has(kid: string): boolean
  /** The old keys, by key id and then as they were given. */
  get oldKeys(): Array<OldKey>
  /** For how many days after a rotation an old key is expected to be needed: 30 unless set. */
  get graceDays(): number
  /**
   * The old keys with a date whose grace period is over at `now`, milliseconds since 1970. They still open what they sealed: a
   * warning is due, not a refusal.
   */
  overdue(now: number): Array<OldKey>
  /**
   * A `MSK1` token that carries a text, encrypted and authenticated; nothing where it is longer than 5,087 bytes.
   *
   * @throws `unknown_kid`, `invalid_argument`, `unknown_option`
   */
  seal(kid: string, kind: Kind, text: string, options?: SealOptions): string | undefined
  /**
   * The text of a token that `seal` made.
   *
   * @throws `invalid_token` where it does not open: forged, damaged, or of another key or scope; `invalid_argument` where it is
   * no token
   */
  unseal(token: string, options?: { scope?: string }): string
  /**
   * A name for a person or thing that says nothing about it, for `reference.subject`: a keyed hash of `id`.
   *
   * @throws `unknown_kid`
   */
  pseudonym(kid: string, id: string): string
}
export type JsKeyRing = KeyRing

/**
 * Detects, masks and rehydrates under one policy, with one key ring and one vault.
 *
 * Every call stands for itself; only the vault remembers. Each has a form that works at once, with `Sync` in its name, and
 * one behind a promise that works in another thread.
 *
 * ```js
 * const masker = new Masker()
 * const { text } = masker.maskSync('please call 415-555-0142')
 * masker.rehydrateSync(text).text // 'please call 415-555-0142'
 * ```
 */
export declare class Masker {
  /**
   * Makes a masker that works at once, with what is given in the place of what it would choose.
   *
   * @throws `unknown_option`, `invalid_argument`, `unknown_kid`, `invalid_policy`
   */
  constructor(options?: MaskerOptions)
  /** The policy in force. */
  get policy(): Policy
  /** Whether the keys are gone with this value. */
  get isEphemeral(): boolean
  /** The scope in which tokens are made and restored. */
  get scope(): string
  /**
   * Finds PHI: disjoint findings in order, whatever the policy does with them.
   *
   * @throws `too_long`, `recognizer_failed`
   */
  detectSync(text: string): Array<Finding>
  /** `detectSync` behind a promise. */
  detect(text: string): Promise<Array<Finding>>
  /** Finds PHI in many texts, on all cores; the answers keep the order. */
  detectBatchSync(texts: ReadonlyArray<string>): Array<Array<Finding>>
  /** `detectBatchSync` behind a promise. */
  detectBatch(texts: ReadonlyArray<string>): Promise<Array<Array<Finding>>>
  /** Finds PHI in the value of a named field: the name is read as a label of the value. */
  detectFieldSync(name: string, text: string): Array<Finding>
  /** `detectFieldSync` behind a promise. */
  detectField(name: string, text: string): Promise<Array<Finding>>
  /**
   * Replaces PHI as the policy says. Vault rows are stored before this returns.
   *
   * @throws `blocked_by_policy`, `unknown_kid`, `vault_failed`, `recognizer_failed`, `too_long`, and then there is no text
   */
  maskSync(text: string): Masked
  /** `maskSync` behind a promise. */
  mask(text: string): Promise<Masked>
  /** Masks many texts on all cores; the answers keep the order. */
  maskBatchSync(texts: ReadonlyArray<string>): Array<Masked>
  /** `maskBatchSync` behind a promise. */
  maskBatch(texts: ReadonlyArray<string>): Promise<Array<Masked>>
  /** Masks the value of a named field: the name is read as a label of the value. */
  maskFieldSync(name: string, text: string): Masked
  /** `maskFieldSync` behind a promise. */
  maskField(name: string, text: string): Promise<Masked>
  /** Masks many values of one field, such as a column of a table, on all cores; the answers keep the order. */
  maskFieldBatchSync(name: string, texts: ReadonlyArray<string>): Array<Masked>
  /** `maskFieldBatchSync` behind a promise. */
  maskFieldBatch(name: string, texts: ReadonlyArray<string>): Promise<Array<Masked>>
  /**
   * Puts originals back in the place of tokens. A token that cannot be restored becomes `[REDACTED:KIND]` and is counted.
   *
   * @throws `vault_failed`, `too_long`
   */
  rehydrateSync(text: string): Restored
  /** `rehydrateSync` behind a promise. */
  rehydrate(text: string): Promise<Restored>
  /** Restores many texts on all cores; the answers keep the order. */
  rehydrateBatchSync(texts: ReadonlyArray<string>): Array<Restored>
  /** `rehydrateBatchSync` behind a promise. */
  rehydrateBatch(texts: ReadonlyArray<string>): Promise<Array<Restored>>
  /** Tells what every pass found, and which of it was acted on: for tuning a policy. */
  explainSync(text: string): Array<Explanation>
  /** `explainSync` behind a promise. */
  explain(text: string): Promise<Array<Explanation>>
  /**
   * Masks the strings of a JSON text, its long whole numbers, and keys that are no plain identifiers. What is not
   * replaced keeps its bytes.
   *
   * @throws `not_json`, `too_deep`, and as `maskSync`
   */
  maskJsonSync(json: string, rules?: JsonRules): MaskedPayload
  /** `maskJsonSync` behind a promise. */
  maskJson(json: string, rules?: JsonRules): Promise<MaskedPayload>
  /**
   * Puts originals back into a JSON text, escaped so that it stays JSON.
   *
   * @throws `not_json`, `too_deep`, `vault_failed`
   */
  rehydrateJsonSync(json: string): RestoredPayload
  /** `rehydrateJsonSync` behind a promise. */
  rehydrateJson(json: string): Promise<RestoredPayload>
  /**
   * Masks a chat: a request or reply of OpenAI chat completions, OpenAI responses or Anthropic messages, or a list of
   * messages, as JSON text.
   *
   * @throws `not_json`, `not_a_chat`, `unmaskable_content`, `too_deep`, and as `maskSync`
   */
  maskChatSync(json: string): MaskedPayload
  /** `maskChatSync` behind a promise. */
  maskChat(json: string): Promise<MaskedPayload>
  /**
   * Puts originals back into a chat, mostly a reply; the arguments of tool calls stay JSON.
   *
   * @throws `not_json`, `not_a_chat`, `too_deep`, `vault_failed`
   */
  rehydrateChatSync(json: string): RestoredPayload
  /** `rehydrateChatSync` behind a promise. */
  rehydrateChat(json: string): Promise<RestoredPayload>
  /**
   * Begins a conversation: turns that share context, tokens and aliases. Under `token_scope: session` the id is the scope of
   * its tokens; without one it is random.
   */
  conversation(id?: string): Conversation
  /**
   * How many nanoseconds one call of `maskSync` takes in Rust alone, without the border; the mean of `count` calls.
   *
   * @internal
   */
  timeOfMask(text: string, count: number): number
}
export type JsMasker = Masker

/**
 * What is looked for and what happens to it. Immutable.
 *
 * ```js
 * const policy = Policy.preset('healthcare-default').withSurface('alias')
 * ```
 */
export declare class Policy {
  /**
   * Checks a policy written in YAML. No file is read.
   *
   * @throws `invalid_policy`, with every mistake in `problems`
   */
  constructor(yaml: string)
  /**
   * Reads and checks a policy file and the dictionary files beside it.
   *
   * @throws `invalid_policy`
   */
  static fromPathSync(path: string): Policy
  /** `fromPathSync` behind a promise. */
  static fromPath(path: string): Promise<Policy>
  /**
   * A shipped policy.
   *
   * @throws `invalid_argument`
   */
  static preset(name: PresetName): Policy
  /** The names of the shipped policies. */
  static presetNames(): Array<PresetName>
  /**
   * The commented YAML of a shipped policy, to begin one's own with.
   *
   * @throws `invalid_argument`
   */
  static presetSource(name: PresetName): string
  /** The JSON Schema (draft 7) of the policy file, for editors. Loading finds what needs two places at once, too. */
  static schema(): string
  /** Every mistake of a policy written in YAML, at most 100; none where it is valid. */
  static check(yaml: string): Array<PolicyProblem>
  /** The name in the file. */
  get name(): string
  /** The version of the format. */
  get version(): number
  /** The description in the file. */
  get description(): string
  /** How tokens are made, where a kind says nothing else. */
  get scheme(): Scheme
  /** What stands in a masked text of a conversation: durable tokens or short aliases. */
  get surface(): Surface
  /** What becomes of images, sound and files in chats. */
  get nonText(): 'reject' | 'drop' | 'pass'
  /** The key ids that a masker with this policy needs. */
  get kids(): Array<string>
  /** The kinds that are looked for. */
  get kinds(): Array<Kind>
  /** The key id of its tokens, where a kind says nothing else. */
  get kid(): string
  /** Within what equal values get equal tokens. */
  get tokenScope(): 'kid' | 'agent' | 'session'
  /** Which spellings of a value count as equal. */
  get normalization(): 'value' | 'exact'
  /** Warnings and notes that do not stop it from loading. */
  get notices(): Array<PolicyProblem>
  /**
   * What happens to a kind; nothing where it is off.
   *
   * @throws `invalid_argument`
   */
  action(kind: Kind): Action | undefined
  /** What changes from this policy to `next`: defaults, order of fields and comments do not count. */
  diff(next: Policy): Array<PolicyChange>
  /**
   * The policy with another scheme, for kinds that have their own too.
   *
   * @throws `invalid_argument`
   */
  withScheme(scheme: Scheme): Policy
  /**
   * The policy with durable tokens or with aliases in the text of conversations.
   *
   * @throws `invalid_argument`
   */
  withSurface(surface: Surface): Policy
  /**
   * The policy with other passes, as a comma list: `regex,dictionary`.
   *
   * @throws `invalid_policy`
   */
  withPasses(passes: string): Policy
  /**
   * The policy with one threshold, 0 to 1, for every kind and pass.
   *
   * @throws `invalid_policy`
   */
  withThreshold(threshold: number): Policy
  /**
   * The policy with a fixed seed for synthetic values, or with none.
   *
   * @throws `invalid_argument`
   */
  withSeed(seed?: number | undefined): Policy
  /**
   * The policy with another epsilon for synthetic values, above 0 and at most 10.
   *
   * @throws `invalid_policy`
   */
  withEpsilon(epsilon: number): Policy
}
export type JsPolicy = Policy

/**
 * Restores the answers in a stream of server-sent events, cut anywhere: every choice, tool call and block is a text of its
 * own, and what one holds back is sent before it ends.
 */
export declare class SseRehydrator {
  /**
   * Takes bytes from the server and gives the bytes to send on.
   *
   * @throws `too_long`, `vault_failed`
   */
  pushSync(chunk: Uint8Array): Uint8Array
  /** `pushSync` behind a promise. */
  push(chunk: Uint8Array): Promise<Uint8Array>
  /** What was restored so far and what was not; its text and its list of lost kinds are empty. */
  get totals(): Restored
  /** Ends the stream and gives the bytes that are left. */
  finishSync(): Uint8Array
  /** `finishSync` behind a promise. */
  finish(): Promise<Uint8Array>
}
export type JsSseRehydrator = SseRehydrator

/**
 * Masks a message that comes in parts of any size: what it gives is, joined, what the whole message would give.
 *
 * ```js
 * const stream = conversation.streamMasker('user')
 * let text = stream.pushSync('my number is 415 55') + stream.pushSync('5 0142 thanks')
 * text += stream.finishSync().text
 * ```
 */
export declare class StreamMasker {
  /**
   * Takes the next part; gives what has become certain, masked.
   *
   * @throws as `Conversation.maskTurnSync`
   */
  pushSync(text: string): string
  /** `pushSync` behind a promise. */
  push(text: string): Promise<string>
  /**
   * How the message would go on if `text` came next and were its end, with what is held back before it. Nothing is
   * remembered. For the partial results of speech recognisers, which are taken back.
   */
  interimSync(text: string): string
  /** `interimSync` behind a promise. */
  interim(text: string): Promise<string>
  /** Ends the message: gives the rest of its text, and the events of all of it. What is pushed then is the next message. */
  finishSync(): Masked
  /** `finishSync` behind a promise. */
  finish(): Promise<Masked>
  /** How many bytes of UTF-8 are held back. */
  get held(): number
}
export type JsStreamMasker = StreamMasker

/**
 * Restores text that comes in parts of any size: what it gives is, joined, what the whole text would give. It holds back
 * only an end that may still become a token or an alias that is alive in the conversation.
 */
export declare class StreamRehydrator {
  /**
   * Takes the next part; gives what has become certain, restored.
   *
   * @throws `vault_failed`; nothing is lost, the next call tries again
   */
  pushSync(text: string): string
  /** `pushSync` behind a promise. */
  push(text: string): Promise<string>
  /** Ends the text: gives what was held back, and tells whether it ended in the middle of something. */
  flushSync(): Flushed
  /** `flushSync` behind a promise. */
  flush(): Promise<Flushed>
  /** What was restored so far and what was not; its text is empty. */
  get totals(): Restored
  /** How many bytes of UTF-8 are held back. */
  get held(): number
}
export type JsStreamRehydrator = StreamRehydrator

/**
 * Remembers the originals behind vault tokens, encrypted.
 *
 * ```js
 * const vault = await Vault.sqlite('vault.db')
 * ```
 */
export declare class Vault {
  /**
   * A vault in memory, gone when the process ends.
   *
   * @throws `unknown_option`
   */
  static memory(options?: MemoryVaultOptions): Vault
  /**
   * Opens a vault in an SQLite file, making it where there is none. Several processes may use it at once.
   *
   * @throws `vault_failed`, `vault_busy`
   */
  static sqliteSync(path: string, options?: SqliteVaultOptions): Vault
  /** `sqliteSync` behind a promise. */
  static sqlite(path: string, options?: SqliteVaultOptions): Promise<Vault>
  /** What the vault holds: counts, sizes and times only. */
  statsSync(): VaultStats
  /** `statsSync` behind a promise. */
  stats(): Promise<VaultStats>
  /** Counts the rows that `delete` would remove. */
  countSync(which: VaultSelection): number
  /** `countSync` behind a promise. */
  count(which: VaultSelection): Promise<number>
  /** Removes rows for good and returns how many went. Their tokens are never minted again. */
  deleteSync(which: VaultSelection): number
  /** `deleteSync` behind a promise. */
  delete(which: VaultSelection): Promise<number>
  /**
   * Seals rows anew under the active key `to`, those of `from` or all; tokens stay valid. Can be begun again after an
   * interruption.
   *
   * @throws `unknown_kid`
   */
  rewrap(keys: KeyRing, to: string, from?: string): Promise<VaultRewrap>
  /** Opens every row, without showing any. */
  verify(keys: KeyRing): Promise<VaultCheck>
  /**
   * Writes an encrypted copy to a new file, authenticated under the key `kid`, and returns how many rows it has.
   *
   * @throws `unknown_kid`, `vault_failed`
   */
  exportTo(path: string, keys: KeyRing, kid: string): Promise<number>
  /**
   * Takes over the rows of a file that `exportTo` wrote, and returns how many are new.
   *
   * @throws `vault_failed`
   */
  importFrom(path: string, keys: KeyRing): Promise<number>
}
export type JsVault = Vault

/** A finding that was acted on. It holds no text, original or token. */
export interface Event {
  /** What it is. */
  kind: Kind
  /** Where it stood: `text.slice(start, end)` of the original text. */
  start: number
  /** Where it ended. */
  end: number
  /** How sure the pass was, 0 to 1. */
  confidence: number
  /** The stage that found it. */
  pass: Pass
  /** The pattern, list or plug-in that found it. */
  recognizer: string
  /** What was done. */
  action: Action
  /** What stands in its place; nothing where it passed through. */
  tokenKind?: TokenKind
  /** The key id of the token, where it has one. */
  kid?: string
}

/** One candidate, and whether it was chosen. */
export interface Explanation {
  /** What it is. */
  kind: Kind
  /** Where it begins. */
  start: number
  /** Where it ends. */
  end: number
  /** How sure the pass is, 0 to 1. */
  confidence: number
  /** The stage that found it. */
  pass: Pass
  /** The pattern, list or plug-in that found it. */
  recognizer: string
  /** Whether it decided the kind of the finding that covers it. */
  chosen: boolean
  /** The finding that covers it, as start and end. */
  within?: [start: number, end: number]
}

/** Something found: its kind and where it stands, never the text itself. */
export interface Finding {
  /** What it is. */
  kind: Kind
  /** Where it begins: `text.slice(start, end)` is the finding. */
  start: number
  /** Where it ends. */
  end: number
  /** How sure the pass is, 0 to 1. */
  confidence: number
  /** The stage that found it. */
  pass: Pass
  /** The pattern, list or plug-in that found it. */
  recognizer: string
}

/** What a stream rehydrator ended with. */
export interface Flushed {
  /** What was held back. */
  text: string
  /** Code units at the end that might have become a token or an alias, had more come. They were given out as they are. */
  dangling: number
}

/** One hit of a recogniser. */
export interface Hit {
  /** What it is. */
  kind: Kind
  /** Where it begins: `text.slice(start, end)` is the hit. */
  start: number
  /** Where it ends. */
  end: number
  /** 0 to 1, compared with the kind's threshold; 1 if left out. */
  confidence?: number
}

/**
 * Which values of a JSON document are masked. A pointer holds for the value it names and everything inside it; `*` stands
 * for any key or index, the longest pointer decides.
 */
export interface JsonRules {
  /** What is masked where no pointer says otherwise; everything if left out. */
  otherwise?: 'mask' | 'leave'
  /** JSON Pointers of values to mask. */
  mask?: ReadonlyArray<string>
  /** JSON Pointers of values to leave as they are. */
  leave?: ReadonlyArray<string>
}

/** A kind of PHI. */
export interface KindInfo {
  /** Its name. */
  kind: Kind
  /** Its letter in the Safe Harbor list, 45 CFR 164.514(b)(2)(i); `-` where it has none. */
  letter: string
  /** What it is, in words. */
  title: string
}

/** The built-in kinds. */
export declare function kinds(): Array<KindInfo>

/** A masked text with the events of its making. */
export interface Masked {
  /** The text with every acted-on finding replaced. */
  text: string
  /** What was found and done, in order. */
  events: Array<Event>
  /** How many findings were replaced; those that pass through do not count. */
  redactionCount: number
}

/** A masked payload with the events of its making. */
export interface MaskedPayload {
  /** The JSON text. */
  json: string
  /** What was found and done, in order of the text. */
  events: Array<PayloadEvent>
  /** How many findings were replaced; those that pass through do not count. */
  redactionCount: number
}

/** What every function here throws, or rejects with. No text that was to be masked is in it. */
export interface MaskerError {
  name: 'MaskerError'
  /** A stable word for programs. */
  code: ErrorCode
  /** One sentence for people. */
  message: string
  /** Every mistake of a policy, with `invalid_policy`. */
  problems?: Array<PolicyProblem>
  /** What was found, with `blocked_by_policy`. */
  kind?: Kind
  /** Where it begins, with `blocked_by_policy` for one text. */
  start?: number
  /** Where it ends. */
  end?: number
  /** What a recogniser threw, with `recognizer_failed`. It may hold the text, so nothing prints it that prints an error. */
  original?: unknown
}

/** What a masker is made of. Everything may be left out. */
export interface MaskerOptions {
  /** What is looked for and what happens to it; `healthcare-default` if left out. */
  policy?: Policy | PresetName
  /** What stands in the masked text of conversations, over the policy's own choice. */
  surface?: Surface
  /** The keys; if left out, a random key under `EPHEMERAL` that is gone with the masker. */
  keys?: KeyRing
  /** The vault; one in memory if left out. */
  vault?: Vault
  /** Where tokens are made and restored. */
  scope?: string
  /** On whose behalf vault rows are written. */
  reference?: VaultReference
  /** Models for the pass `ner`. */
  recognizers?: ReadonlyArray<Recognizer>
  /** Fixes the draw of scheme `synthetic`. */
  seed?: number
  /** The most threads that the calls for many texts use; all cores if left out. */
  threads?: number
  /**
   * After how many milliseconds a row of the vault ends, counted from when its value was last masked; if left out, rows stay
   * until they are deleted. The token of a row that ended is as dead as a deleted one.
   */
  rowLifetimeMs?: number
  /**
   * Whether the folded copies of a text that detection works on are overwritten once they are no longer needed. Originals on
   * their way to and from the vault always are; strings of JavaScript never are.
   */
  wipeBuffers?: boolean
}

/** What a memory vault may hold. */
export interface MemoryVaultOptions {
  /** The most rows; one more is `vault_full`, and none is dropped for it. Without it there is no bound. */
  maxRows?: number
}

/** An old key of a ring, without the key. */
export interface OldKey {
  /** The key id it belongs to. */
  kid: string
  /** Names the key and tells nothing of it. */
  fingerprint: string
  /** Since when it is not the active key, milliseconds since 1970, where that is known (`KEY@2026-01-31`). */
  retired?: number
}

/** An event and where in the payload it happened. */
export interface PayloadEvent {
  /** JSON Pointer of the value, through JSON inside strings. */
  path: string
  /** What it is. */
  kind: Kind
  /** Where it stood in the value's own text, unescaped. */
  start: number
  /** Where it ended. */
  end: number
  /** How sure the pass was, 0 to 1. */
  confidence: number
  /** The stage that found it. */
  pass: Pass
  /** The pattern, list or plug-in that found it. */
  recognizer: string
  /** What was done. */
  action: Action
  /** What stands in its place; nothing where it passed through. */
  tokenKind?: TokenKind
  /** The key id of the token, where it has one. */
  kid?: string
}

/** One difference between two policies. */
export interface PolicyChange {
  /** The field: `entities.PHONE.action`. */
  path: string
  /** How it was; `absent` for what was added. Words of lists are counted, not shown. */
  before: string
  /** How it is; `absent` for what was removed. */
  after: string
  /** `weaker` where more is let through, kept or linkable, `stronger` where less is. */
  effect: 'weaker' | 'stronger' | 'neutral'
}

/** One mistake, warning or note of a policy. */
export interface PolicyProblem {
  /** What kind of mistake, such as `unknown_field`. */
  code: string
  /** The field: `entities.PHONE.action`; empty for the file as a whole. */
  path: string
  /** Line in the file, from 1. */
  line: number
  /** Column in characters, from 1. */
  column: number
  /** One sentence for people. */
  message: string
  /** What was probably meant. */
  suggestion?: string
}

/** A model of the user's, for the pass `ner`. Masking fails where it does. */
export interface Recognizer {
  /** Name used in events: lower snake case. */
  name: string
  /** Finds hits in a text, in any order; they may overlap. A function that returns a promise works in promise forms only. */
  recognize: (text: string) => Array<Hit> | Promise<Array<Hit>>
  /** After how many milliseconds the call is late; 5,000 if left out. A `timeout_ms` of the policy's pass `ner` comes first. */
  timeoutMs?: number
  /**
   * What a late call does: it fails (`reject`, if left out), or the other passes stand in for it (`degrade`), as if no model
   * were loaded.
   */
  onTimeout?: 'reject' | 'degrade'
}

/**
 * Refuses options with a name that is not among the `known`, for the parts of this package that are written in TypeScript.
 *
 * @internal
 */
export declare function refuseUnknown(of: string, options: object | undefined, known: ReadonlyArray<string>): void

/** A text with originals put back, and what became of its tokens. */
export interface Restored {
  /** The text. */
  text: string
  /** Tokens replaced by their originals. */
  restored: number
  /** Tokens of a known key that do not open: purged, damaged, or of another scope. Now `[REDACTED:KIND]`. */
  unknown: number
  /** Tokens of another instance, whose key is not here. Now `[REDACTED:KIND]`. */
  foreign: number
  /** Aliases that more than one value could stand for; left as they are. */
  ambiguous: number
  /** Kinds of the tokens that were not restored, in order. */
  lost: Array<Kind>
}

/** A payload with originals put back, and what became of its tokens; see `Restored`. */
export interface RestoredPayload {
  /** The JSON text. */
  json: string
  /** Tokens replaced by their originals. */
  restored: number
  /** Tokens of a known key that do not open. */
  unknown: number
  /** Tokens of another instance. */
  foreign: number
  /** Aliases that more than one value could stand for. */
  ambiguous: number
  /** Kinds of the tokens that were not restored, in order. */
  lost: Array<Kind>
}

/** How a text is sealed into a token. */
export interface SealOptions {
  /** Where the token opens. */
  scope?: string
  /** Whether equal texts give equal tokens. */
  deterministic?: boolean
}

/** How an SQLite vault is opened. */
export interface SqliteVaultOptions {
  /** What a row survives once a call has returned: the end of the process (default), or a loss of power too. */
  durability?: 'process' | 'power'
}

/** How a rehydrator of server-sent events writes. */
export interface SseRehydratorOptions {
  /** The words of the answer are JSON themselves, because the request asked for it. */
  jsonAnswer?: boolean
}

/** How a stream rehydrator writes. */
export interface StreamRehydratorOptions {
  /** The parts make one JSON text, such as the arguments of a tool call: originals are escaped. */
  json?: boolean
}

/** One message of a history. */
export interface Turn {
  /** Who says it. */
  role: Role
  /** What is said. */
  text: string
}

/** What `verify` found. */
export interface VaultCheck {
  /** Rows that open. */
  readable: number
  /** Rows that no key opens. */
  unreadable: number
  /** What belongs to nothing. */
  orphans: number
  /** Of the unreadable rows those that the store knows to be damaged. */
  damaged: number
  /** Of the unreadable rows those whose key is not in the ring, by key id. */
  keyless: Array<VaultCount>
}

/** How many rows of a kind, or under a key, there are. */
export interface VaultCount {
  /** The kind or the key id. */
  name: string
  /** How many. */
  rows: number
}

/** On whose behalf vault rows are written, so that they can be deleted by agent or subject. */
export interface VaultReference {
  /** The agent's id. */
  agent?: string
  /** The subject's pseudonym, never a name: `KeyRing.pseudonym` makes one. */
  subject?: string
}

/** What `rewrap` did. */
export interface VaultRewrap {
  /** Rows sealed anew. */
  rewrapped: number
  /** Rows that were under the key already. */
  current: number
  /** Rows that no key opens. */
  unreadable: number
}

/** Which rows; exactly one member. */
export interface VaultSelection {
  /** Rows issued for this agent and for no other. */
  agent?: string
  /** Rows issued for this subject and for no other. */
  subject?: string
  /** Rows of this scope. */
  scope?: string
  /** Rows sealed by this key. */
  kid?: string
  /** Rows last minted before this time, milliseconds since 1970. */
  unusedSince?: number
  /** Rows that end at or before this time, milliseconds since 1970. */
  expired?: number
}

/** What a vault holds. */
export interface VaultStats {
  /** Rows. */
  rows: number
  /** Tokens that are gone for good. */
  tombstones: number
  /** Size of the file, or of the ciphertexts of a vault without one. */
  bytes: number
  /** When the oldest row was first minted, milliseconds since 1970. */
  oldest?: number
  /** When the newest row was first minted, milliseconds since 1970. */
  newest?: number
  /** Rows by kind, in order. */
  byKind: Array<VaultCount>
  /** Rows by the key that sealed them, in order. */
  byKid: Array<VaultCount>
  /** Whether removed rows may still stand in the file as free space. */
  erasurePending: boolean
}
