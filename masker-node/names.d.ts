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

