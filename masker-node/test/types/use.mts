// A program that uses every export; `tsc --strict` reads it, and the tests run it.
import assert from 'node:assert/strict'
import {
  Conversation,
  KeyRing,
  Masker,
  Policy,
  SseRehydrator,
  StreamMasker,
  StreamRehydrator,
  Vault,
  isMaskerError,
  kinds,
} from 'masker-node'
import type {
  Action,
  Chunk,
  ErrorCode,
  Event,
  Explanation,
  Finding,
  Flushed,
  Hit,
  JsonRules,
  KeyBytes,
  Kind,
  KindInfo,
  Masked,
  MaskedPayload,
  MaskerError,
  MaskerOptions,
  MaskStreamOptions,
  MemoryVaultOptions,
  OldKey,
  Pass,
  PayloadEvent,
  PolicyChange,
  PolicyProblem,
  PresetName,
  Recognizer,
  Restored,
  RestoredPayload,
  Role,
  Scheme,
  SealOptions,
  SqliteVaultOptions,
  SseRehydratorOptions,
  StreamRehydratorOptions,
  Surface,
  TokenKind,
  Turn,
  VaultCheck,
  VaultCount,
  VaultReference,
  VaultRewrap,
  VaultSelection,
  VaultStats,
} from 'masker-node'
import { maskerMiddleware } from 'masker-node/ai'
import type { MaskerMiddlewareOptions, ModelCall } from 'masker-node/ai'
import { maskRequests } from 'masker-node/express'
import type { MaskedRequest, MaskRequestsOptions } from 'masker-node/express'
import { maskRequests as fastifyPlugin } from 'masker-node/fastify'
import { maskerMiddleware as langchainMiddleware, restoreStream } from 'masker-node/langchain'
import { maskedFetch } from 'masker-node/openai'
import type { FetchCall, MaskedFetchOptions } from 'masker-node/openai'
import { scrubbed } from 'masker-node/pino'
import type { ScrubbedLogging, ScrubOptions } from 'masker-node/pino'
import { scrub } from 'masker-node/winston'
import { wrapLanguageModel } from 'ai'
import { wrapLanguageModel as wrapVersion2 } from 'ai-5'
import { createOpenAI } from '@ai-sdk/openai'
import { createOpenAI as createVersion2 } from 'ai-openai-2'
import express from 'express'
import Fastify from 'fastify'
import { createAgent } from 'langchain'
import OpenAI from 'openai'
import pino from 'pino'
import winston from 'winston'

const key: KeyBytes = new Uint8Array(32)
const keys: KeyRing = new KeyRing({ K_HEALTHCARE: { active: key, old: ['AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8='] } })
const memory: MemoryVaultOptions = { maxRows: 1_000 }
const durability: SqliteVaultOptions = { durability: 'power' }
const reference: VaultReference = { agent: 'desk', subject: keys.pseudonym('K_HEALTHCARE', '12') }
const hit = (text: string): Hit[] => (text.includes('Zorblax') ? [{ kind: 'NAME', start: text.indexOf('Zorblax'), end: text.indexOf('Zorblax') + 7 }] : [])
const recognizers: Recognizer[] = [{ name: 'names', recognize: hit, timeoutMs: 500, onTimeout: 'degrade' }]
const preset: PresetName = 'healthcare-default'
const surface: Surface = 'alias'
const scheme: Scheme = 'vault-deterministic'
const policy: Policy = Policy.preset(preset).withScheme(scheme).withSurface(surface)
const options: MaskerOptions = { policy, keys, vault: Vault.memory(memory), scope: 'clinic', reference, recognizers, seed: 7, threads: 2, rowLifetimeMs: 60_000, wipeBuffers: true }
const masker: Masker = new Masker(options)
const aliased: string = policy.surface
const problems: PolicyProblem[] = Policy.check('name: x')
const changes: PolicyChange[] = policy.diff(policy.withSurface('token').withSeed(7).withEpsilon(2))
const forPhones: Action | undefined = policy.action('PHONE')
const old: OldKey[] = keys.oldKeys
const sealing: SealOptions = { scope: 'clinic', deterministic: true }
const sealed: string | undefined = keys.seal('K_HEALTHCARE', 'PHONE', '415-555-0142', sealing)
const unsealed: string = keys.unseal(sealed ?? '', { scope: 'clinic' })
const due: OldKey[] = keys.overdue(0)
const source: string = Policy.presetSource('strict')
const schema: string = Policy.schema()
const known: KindInfo[] = kinds()

const masked: Masked = masker.maskSync('my name is Zorblax, call 415-555-0142')
const event: Event | undefined = masked.events[0]
const action: Action | undefined = event?.action
const tokenKind: TokenKind | undefined = event?.tokenKind
const kind: Kind | undefined = event?.kind
const pass: Pass | undefined = event?.pass
const found: Finding[] = await masker.detect('415-555-0142')
const explained: Explanation[] = await masker.explain('415-555-0142')
const restored: Restored = await masker.rehydrate(masked.text)
const rules: JsonRules = { otherwise: 'leave', mask: ['/phone'] }
const payload: MaskedPayload = await masker.maskJson('{"phone":"415-555-0142"}', rules)
const payloadEvent: PayloadEvent | undefined = payload.events[0]
const back: RestoredPayload = await masker.rehydrateJson(payload.json)

const conversation: Conversation = masker.conversation('call 17')
const role: Role = 'user'
const turn: Turn = { role, text: 'my number is 415-555-0142' }
const history: Masked[] = await conversation.maskHistory([turn])
const streamOptions: MaskStreamOptions = { role }
const rehydratorOptions: StreamRehydratorOptions = { json: false }
const sseOptions: SseRehydratorOptions = { jsonAnswer: false }
const streamMasker: StreamMasker = conversation.streamMasker(role)
const streamRehydrator: StreamRehydrator = conversation.streamRehydrator(rehydratorOptions)
const spoken: Finding[] = await masker.detectField('mrn', '7734215')
const column: Masked[] = masker.maskFieldBatchSync('mrn', ['7734215'])
const sse: SseRehydrator = conversation.sseRehydrator(sseOptions)
const flushed: Flushed = await streamRehydrator.flush()
const strings: TransformStream<string, string> = conversation.maskStream(streamOptions)
const bytes: TransformStream<Uint8Array, Uint8Array> = conversation.rehydrateStream<Uint8Array>()
const events: TransformStream<Uint8Array, Uint8Array> = conversation.rehydrateSse()
const anything: TransformStream<Chunk, Chunk> = masker.maskStream<Chunk>()
const again: Conversation = Conversation.fromBytes(masker, conversation.toBytes())

const vault: Vault = Vault.memory()
const which: VaultSelection = { subject: 'x' }
const stats: VaultStats = vault.statsSync()
const counts: VaultCount[] = stats.byKind
const checked: VaultCheck = await vault.verify(keys)
const rewrapped: VaultRewrap = await vault.rewrap(keys, 'K_HEALTHCARE')
const gone: number = vault.deleteSync(which)

try {
  // @ts-expect-error no such option
  new Masker({ polcy: 'strict' })
} catch (error) {
  if (!isMaskerError(error)) throw error
  const code: ErrorCode = error.code
  const wrong: MaskerError = error
  assert.equal(code, 'unknown_option')
  assert.equal(wrong.name, 'MaskerError')
}
// @ts-expect-error no such role
assert.throws(() => conversation.maskTurnSync('caller', ''))
// @ts-expect-error a number is no text
assert.throws(() => masker.maskSync(7))
// @ts-expect-error it cannot be changed
assert.throws(() => { masker.scope = 'other' })

const fetchOptions: MaskedFetchOptions = { fetch: globalThis.fetch }
const openai = new OpenAI({ apiKey: 'none', fetch: maskedFetch((call: FetchCall) => masker.conversation(call.url), fetchOptions) })
const version3: MaskerMiddlewareOptions<'v3'> = { specificationVersion: 'v3' }
const model = wrapLanguageModel({ model: createOpenAI({ apiKey: 'none' }).chat('m'), middleware: maskerMiddleware(conversation, version3) })
const model2 = wrapVersion2({
  model: createVersion2({ apiKey: 'none' }).chat('m'),
  middleware: maskerMiddleware((call: ModelCall) => masker.conversation(call.type), { specificationVersion: 'v2' }),
})
const agent = createAgent({ model: 'openai:m', tools: [], middleware: [langchainMiddleware(conversation)] })
const scrubbing: ScrubOptions = { masker, leave: ['/support'] }
const logging: ScrubbedLogging = scrubbed(scrubbing)
const logger = pino({ ...logging, enabled: false })
const winstonLogger = winston.createLogger({ silent: true, format: winston.format.combine(scrub(scrubbing), winston.format.json()) })
const requests: MaskRequestsOptions = { restore: true }
const app = express().use(express.json(), maskRequests((request: MaskedRequest) => masker.conversation(request.url ?? ''), requests))
const fastify = Fastify()
await fastify.register(fastifyPlugin, { source: masker })
await fastify.close()
async function* nothing(): AsyncGenerator<string> {}
for await (const piece of restoreStream(conversation, nothing())) assert.equal(typeof piece, 'string')

// What the types promise is there.
for (const value of [
  aliased, problems[0]?.message, source, schema, known[0]?.letter, action, tokenKind, kind, pass, found[0]?.recognizer,
  explained[0]?.chosen, restored.lost, payloadEvent?.path, back.json, history[0]?.redactionCount, streamMasker.held,
  changes[0]?.effect, forPhones, old[0]?.fingerprint, unsealed, due, spoken[0]?.kind, column[0]?.text, masker.conversation().id,
  sse.totals.restored, flushed.dangling, strings, bytes, events, anything, again.id, counts, checked.orphans, rewrapped.current, gone,
  openai, model.modelId, model2.modelId, agent, logger, winstonLogger, app, durability,
]) {
  assert.notEqual(value, undefined)
}
