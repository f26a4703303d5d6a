// The addon: what it takes, what it gives, what it throws.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { Worker } from 'node:worker_threads'
import * as addon from 'masker-node'

const { Conversation, KeyRing, Masker, Policy, Vault, isMaskerError, kinds } = addon

const folder = mkdtempSync(join(tmpdir(), 'masker-node-'))
after(() => rmSync(folder, { recursive: true }))

const TEXT = 'Hi, this is Sarah Chen, call me at 415-555-0142.'
const KEY = Uint8Array.from({ length: 32 }, (_, at) => at)
const keys = new KeyRing({ K_HEALTHCARE: KEY })

test('masks and restores with nothing given', async () => {
  const masker = new Masker()
  assert.equal(masker.isEphemeral, true)
  assert.equal(masker.policy.name, 'healthcare-default')
  const masked = masker.maskSync(TEXT)
  assert.equal(masked.redactionCount, 2)
  assert.deepEqual(masked.events.map(({ kind, start, end }) => [kind, TEXT.slice(start, end)]), [['NAME', 'Sarah Chen'], ['PHONE', '415-555-0142']])
  assert.deepEqual(Object.keys(masked.events[0]), ['kind', 'start', 'end', 'confidence', 'pass', 'recognizer', 'action', 'tokenKind', 'kid'])
  assert.deepEqual(masker.rehydrateSync(masked.text), { text: TEXT, restored: 2, unknown: 0, foreign: 0, ambiguous: 0, lost: [] })
  assert.deepEqual(await masker.mask(TEXT), masked)
  assert.deepEqual(await masker.detect(TEXT), masker.detectSync(TEXT))
  assert.deepEqual(await masker.explain(TEXT), masker.explainSync(TEXT))
  assert.equal((await masker.rehydrate(masked.text)).text, TEXT)
  assert.deepEqual(await masker.maskBatch([TEXT, '']), masker.maskBatchSync([TEXT, '']))
  assert.deepEqual(await masker.detectBatch([TEXT]), [masker.detectSync(TEXT)])
  assert.deepEqual(masker.detectBatchSync([]), [])
  assert.deepEqual((await masker.rehydrateBatch([masked.text])).concat(masker.rehydrateBatchSync([''])).map(({ text }) => text), [TEXT, ''])
  assert.deepEqual(await masker.maskField('patientMrn', '7734215'), masker.maskFieldSync('patientMrn', '7734215'))
  assert.equal(masker.maskFieldSync('patientMrn', '7734215').redactionCount, 1)
})

test('works with require as with import', () => {
  const required = createRequire(import.meta.url)('masker-node')
  assert.equal(required.Masker, Masker)
})

test('a lone surrogate neither stops nor changes anything', () => {
  const masker = new Masker()
  const conversation = new Masker({ surface: 'alias' }).conversation('surrogates')
  for (const text of [
    '\ud83d', '\ude00', '\ud83d\ud83d\ude00', 'a\ud800', '\udfffb', '\ude00\ud83d', '\u{10f000}', '\u{10f7ff}x', 'x\u{10f800}\udc00', '\u{10ffff}', '\ufffd',
    'a \ud800 call 415-555-0142 \udc00 now', '415-555-0142\ud83d', '\ud83d415-555-0142', 'http://example.com/\ud800?q', 'ada@example.com\udc00\udbff',
    'x'.repeat(5000) + '\ud83d 415-555-0142 \ude00', '\u{10f123} call 415-555-0142', 'my name is Ann\ud800 Reed',
  ]) {
    const { text: masked, events } = masker.maskSync(text)
    const isReversible = events.every(({ action }) => action === 'tokenize')
    if (isReversible) assert.equal(masker.rehydrateSync(masked).text, text, JSON.stringify(text))
    // Outside the events the text is what it was.
    let at = 0
    let rest = masked
    for (const { start, end } of events) {
      assert.ok(rest.startsWith(text.slice(at, start)), JSON.stringify(text))
      rest = rest.slice(start - at).replace(/^(MSKV1\.[A-Z_]+\.[A-Z0-9_]+\.[A-Z2-7]+|\[REDACTED:\w+\])/, '')
      at = end
    }
    assert.equal(rest, text.slice(at), JSON.stringify(text))
    const turn = conversation.maskTurnSync('user', text).text
    if (isReversible) assert.equal(conversation.rehydrateSync(turn).text, text)
    const json = JSON.stringify({ note: text })
    const note = JSON.parse(masker.rehydrateJsonSync(masker.maskJsonSync(json).json).json).note
    if (isReversible) assert.equal(note.length, text.length)
    if (events.length === 0) assert.equal(note, text)
  }
})

test('odd texts', () => {
  const masker = new Masker()
  for (const text of ['', '\0', '\0'.repeat(10_000), '😀'.repeat(10_000), '\u202e0142-555-514', 'e\u0301'.repeat(5_000), 'x'.repeat(1 << 20), '((((', '1-'.repeat(50_000)]) {
    const masked = masker.maskSync(text)
    assert.equal(masker.rehydrateSync(masked.text).text, text)
    assert.equal(masker.maskSync(masked.text).text, masked.text)
  }
  const long = `${'é'.repeat(1_020)} call 415-555-0142`
  for (let cut = 0; cut < 8; cut += 1) {
    const text = long.slice(cut)
    assert.equal(masker.rehydrateSync(masker.maskSync(text).text).text, text)
  }
})

test('other instances restore with the same keys and vault, and no others', async () => {
  const vault = await Vault.sqlite(join(folder, 'vault.db'))
  const masked = new Masker({ keys, vault }).maskSync(TEXT)
  const again = Vault.sqliteSync(join(folder, 'vault.db'), { durability: 'power' })
  assert.equal(new Masker({ keys, vault: again }).rehydrateSync(masked.text).text, TEXT)
  const { text, unknown } = new Masker({ keys }).rehydrateSync(masked.text)
  assert.deepEqual([text, unknown], ['Hi, this is [REDACTED:NAME], call me at [REDACTED:PHONE].', 2])
  assert.equal(new Masker().rehydrateSync(masked.text).foreign, 2)
  assert.deepEqual(new Masker({ keys, vault, scope: 'other' }).rehydrateSync(masked.text).lost, ['NAME', 'PHONE'])

  assert.equal((await vault.stats()).rows, 2)
  assert.deepEqual(vault.statsSync().byKind, [{ name: 'NAME', rows: 1 }, { name: 'PHONE', rows: 1 }])
  assert.deepEqual(await vault.verify(keys), { readable: 2, unreadable: 0, orphans: 0, damaged: 0, keyless: [] })
  const stranger = new KeyRing({ K_OTHER: KEY })
  assert.deepEqual((await vault.verify(stranger)).keyless, [{ name: 'K_HEALTHCARE', rows: 2 }])
  assert.equal(await vault.exportTo(join(folder, 'export'), keys, 'K_HEALTHCARE'), 2)
  const copy = Vault.memory({ maxRows: 2 })
  assert.equal(await copy.importFrom(join(folder, 'export'), keys), 2)
  assert.equal(new Masker({ keys, vault: copy }).rehydrateSync(masked.text).text, TEXT)
  assert.throws(() => new Masker({ keys, vault: copy }).maskSync('mail ada@example.com'), { code: 'vault_full' })
  const rotated = new KeyRing({ K_HEALTHCARE: { active: Buffer.alloc(32, 9).toString('base64'), old: [KEY] } })
  assert.deepEqual(await copy.rewrap(rotated, 'K_HEALTHCARE'), { rewrapped: 2, current: 0, unreadable: 0 })
  const both = new KeyRing({ K_HEALTHCARE: Buffer.alloc(32, 9), K_NEW: KEY })
  assert.equal((await copy.rewrap(both, 'K_NEW', 'K_OTHER')).rewrapped, 0)
  assert.deepEqual(await copy.rewrap(both, 'K_NEW', 'K_HEALTHCARE'), { rewrapped: 2, current: 0, unreadable: 0 })
  assert.equal(vault.countSync({ kid: 'K_HEALTHCARE' }), 2)
  assert.equal(await vault.delete({ scope: '' }), 2)
  assert.equal(new Masker({ keys, vault }).rehydrateSync(masked.text).unknown, 2)
})

test('rows are deleted by agent and subject', async () => {
  const vault = Vault.memory()
  const subject = keys.pseudonym('K_HEALTHCARE', 'patient 12')
  assert.match(subject, /^[0-9a-f]{32}$/)
  new Masker({ keys, vault, reference: { agent: 'front-desk', subject } }).maskSync(TEXT)
  assert.equal(await vault.count({ subject }), 2)
  assert.equal(vault.deleteSync({ agent: 'front-desk' }), 2)
  assert.throws(() => vault.countSync({}), { code: 'invalid_argument' })
  assert.throws(() => vault.countSync({ agent: 'a', subject: 'b' }), { code: 'invalid_argument' })
})

test('keys', () => {
  assert.deepEqual(keys.kids, ['K_HEALTHCARE'])
  assert.equal(keys.has('K_HEALTHCARE'), true)
  assert.equal(keys.has('nothing'), false)
  assert.equal(KeyRing.ephemeral().isEphemeral, true)
  const base64 = Buffer.from(KEY).toString('base64')
  assert.deepEqual(KeyRing.fromEnv({ MASKER_KEY_K1: base64, PATH: '/bin', MASKER_KEY_K2: undefined }).kids, ['K1'])
  process.env.MASKER_KEY_K9 = base64
  assert.ok(KeyRing.fromEnv().has('K9'))
  delete process.env.MASKER_KEY_K9
  assert.throws(() => new KeyRing({ K1: 'short' }), { code: 'invalid_key' })
  assert.throws(() => new KeyRing({ K1: new Uint8Array(31) }), { code: 'invalid_key' })
  assert.throws(() => new KeyRing({ k1: KEY }), { code: 'invalid_argument' })
  assert.throws(() => new KeyRing({ K1: { active: KEY, odl: [] } }), { code: 'unknown_option', message: /did you mean "old"/ })
  assert.throws(() => new Masker({ keys: new KeyRing({ K1: KEY }) }), { code: 'unknown_kid' })
  assert.ok(!`${JSON.stringify(keys)}${Object.values(keys)}`.includes(base64))
})

test('old keys are told of and fall due', () => {
  const [active, old] = [2, 1].map((byte) => Buffer.alloc(32, byte).toString('base64'))
  const file = join(folder, 'keys')
  writeFileSync(file, `# keys\nMASKER_KEY_K_A=${active}\nMASKER_KEY_K_A_OLD=${old}@2026-01-01\nMASKER_KEY_ROTATION_GRACE_DAYS=7\n`)
  const ring = KeyRing.fromPath(file)
  assert.deepEqual([ring.kids, ring.graceDays], [['K_A'], 7])
  const [key] = ring.oldKeys
  assert.equal(key.kid, 'K_A')
  assert.ok(!old.includes(key.fingerprint) && !JSON.stringify(key).includes(old))
  const week = 7 * 86_400_000
  assert.deepEqual(ring.overdue(key.retired + week), [])
  assert.deepEqual(ring.overdue(key.retired + week + 1), [key])
  assert.equal(new KeyRing({ K_A: { active, old: [old] } }).oldKeys[0].retired, undefined)
  assert.throws(() => KeyRing.fromPath(join(folder, 'none')), (error) => isMaskerError(error) && !error.message.includes(old))
})

test('a ring seals and opens by itself', () => {
  const text = '😀 415-555-0142 \ud800'
  const token = keys.seal('K_HEALTHCARE', 'PHONE', text, { scope: 'one', deterministic: true })
  assert.match(token, /^MSK1\.PHONE\.K_HEALTHCARE\./)
  assert.equal(keys.seal('K_HEALTHCARE', 'PHONE', text, { scope: 'one', deterministic: true }), token)
  assert.notEqual(keys.seal('K_HEALTHCARE', 'PHONE', text), keys.seal('K_HEALTHCARE', 'PHONE', text))
  assert.equal(keys.unseal(token, { scope: 'one' }), text)
  assert.equal(keys.seal('K_HEALTHCARE', 'PHONE', 'x'.repeat(6_000)), undefined)
  assert.throws(() => keys.unseal(token), { code: 'invalid_token' })
  assert.throws(() => keys.unseal('415-555-0142'), (error) => error.code === 'invalid_argument' && !error.message.includes('0142'))
  assert.throws(() => keys.seal('K_OTHER', 'PHONE', text), { code: 'unknown_kid' })
  assert.throws(() => keys.seal('K_HEALTHCARE', 'phone', text), { code: 'invalid_argument' })
  assert.throws(() => keys.seal('K_HEALTHCARE', 'PHONE', text, { scop: 'x' }), { code: 'unknown_option' })
})

test('rows end', async () => {
  const vault = Vault.memory()
  const masker = new Masker({ vault, keys, rowLifetimeMs: 40 })
  const { text } = masker.maskSync('call 415-555-0142')
  assert.equal(masker.rehydrateSync(text).restored, 1)
  await new Promise((resolve) => setTimeout(resolve, 60))
  assert.equal(masker.rehydrateSync(text).text, 'call [REDACTED:PHONE]')
  assert.equal(vault.deleteSync({ expired: Date.now() }), 1)
})

test('many texts on any number of threads, and values of a field', async () => {
  const texts = Array.from({ length: 200 }, (_, at) => `write to person${at}@example.com 😀`)
  for (const threads of [1, 2, 5]) {
    const masker = new Masker({ threads, wipeBuffers: true })
    const masked = masker.maskBatchSync(texts)
    assert.deepEqual(masker.rehydrateBatchSync(masked.map(({ text }) => text)).map(({ text }) => text), texts)
  }
  const masker = new Masker({ policy: 'strict' })
  const values = ['7734215', '', '😀 7734216']
  const masked = masker.maskFieldBatchSync('patientMrn', values)
  assert.deepEqual(masked.map(({ text }) => text), ['[REDACTED:MRN]', '', '😀 [REDACTED:MRN]'])
  assert.deepEqual(await masker.maskFieldBatch('patientMrn', values), masked)
  const [found] = masker.detectFieldSync('patientMrn', values[2])
  assert.equal(values[2].slice(found.start, found.end), '7734216')
  assert.deepEqual(await masker.detectField('patientMrn', values[2]), [found])
  assert.deepEqual(masker.detectSync(values[2]), [])
})

test('policies', async () => {
  assert.deepEqual(Policy.presetNames(), ['healthcare-default', 'healthcare-minimum', 'strict'])
  const source = Policy.presetSource('healthcare-minimum')
  assert.deepEqual(Policy.check(source), [])
  assert.equal(JSON.parse(Policy.schema()).properties.version.const, 1)
  writeFileSync(join(folder, 'policy.yaml'), source)
  assert.equal(Policy.fromPathSync(join(folder, 'policy.yaml')).name, 'healthcare-minimum')
  assert.equal((await Policy.fromPath(join(folder, 'policy.yaml'))).version, 1)
  const policy = Policy.preset('healthcare-default').withSurface('alias').withScheme('reversible-aead').withThreshold(0.5)
  assert.deepEqual([policy.surface, policy.scheme, policy.nonText], ['alias', 'reversible-aead', 'reject'])
  assert.ok(policy.kinds.includes('PHONE') && policy.kids.includes('K_HEALTHCARE') && policy.description.length > 0)
  const [notice] = new Policy(`${source}\nsynthetic: { seed: 7 }\n`).notices
  assert.ok(typeof notice.code === 'string' && notice.line >= 1 && notice.message.length > 5, JSON.stringify(notice))
  assert.deepEqual([policy.kid, policy.tokenScope, policy.normalization], ['K_HEALTHCARE', 'kid', 'value'])
  assert.deepEqual([policy.action('PHONE'), policy.action('URL'), policy.action('ORGANIZATION')], ['tokenize', 'redact', undefined])
  assert.throws(() => policy.action('phone'), { code: 'invalid_argument' })
  const plain = Policy.preset('healthcare-default')
  assert.deepEqual(plain.diff(plain), [])
  assert.deepEqual(plain.diff(plain.withSurface('alias')), [{ path: 'surface', before: 'token', after: 'alias', effect: 'neutral' }])
  assert.ok(plain.diff(plain.withThreshold(0.99)).every(({ effect }) => effect === 'weaker'))
  const synthetic = plain.withScheme('synthetic').withSeed(7).withEpsilon(2)
  const [one, two] = [1, 2].map(() => new Masker({ policy: synthetic }).maskSync('call 415-555-0142').text)
  assert.ok(one === two && !one.includes('0142'))
  assert.deepEqual(synthetic.diff(synthetic.withSeed(undefined)).length, 1)
  assert.throws(() => plain.withEpsilon(0), { code: 'invalid_policy' })
  assert.throws(() => plain.withSeed(-1), { code: 'invalid_argument' })
  assert.equal(new Masker({ policy }).policy.surface, 'alias')
  const problems = Policy.check('name: x\nversion: 2\n')
  assert.ok(problems.some(({ code, line }) => code === 'unsupported_version' && line === 2))
  assert.throws(() => new Policy('name: x\nversion: 2\n'), (error) => {
    assert.deepEqual(error.problems, problems)
    return isMaskerError(error) && error.code === 'invalid_policy'
  })
  await assert.rejects(Policy.fromPath(join(folder, 'nothing.yaml')), { code: 'invalid_policy' })
  assert.throws(() => Policy.preset('healthcare-defualt'), { code: 'invalid_argument', message: /did you mean "healthcare-default"/ })
  assert.throws(() => policy.withSurface('tokens'), { code: 'invalid_argument' })
  assert.throws(() => policy.withThreshold(2), { code: 'invalid_policy' })
})

test('a policy may block', async () => {
  const source = Policy.presetSource('healthcare-minimum').replace(/(SSN:[^]*?action: *)\w+/, '$1block')
  const masker = new Masker({ policy: new Policy(source) })
  const text = '😀 my social is 987-65-4321'
  assert.throws(() => masker.maskSync(text), { code: 'blocked_by_policy', message: `blocked by policy: SSN at ${text.indexOf('987')}..${text.length}`, kind: 'SSN', start: text.indexOf('987'), end: text.length })
  await assert.rejects(masker.mask(text), { code: 'blocked_by_policy' })
})

test('what is wrong is refused', async () => {
  const masker = new Masker()
  const conversation = masker.conversation('x')
  for (const [work, expected] of [
    [() => new Masker({ polcy: 1 }), { code: 'unknown_option', message: /"polcy"; did you mean "policy"/ }],
    [() => new Masker({ recognisers: [] }), { code: 'unknown_option', message: /did you mean "recognizers"/ }],
    [() => new Masker({ zzzzzzzz: 1 }), { code: 'unknown_option', message: /^(?!.*did you mean)/ }],
    [() => new Masker(7), { code: 'invalid_argument' }],
    [() => new Masker({ policy: {} }), { code: 'invalid_argument' }],
    [() => new Masker({ keys: {} }), { code: 'invalid_argument' }],
    [() => new Masker({ vault: keys }), { code: 'invalid_argument' }],
    [() => new Masker({ surface: 'token ' }), { code: 'invalid_argument', message: /did you mean "token"/ }],
    [() => new Masker({ seed: -1 }), { code: 'invalid_argument' }],
    [() => new Masker({ seed: 0.5 }), { code: 'invalid_argument' }],
    [() => new Masker({ threads: 0 }), { code: 'invalid_argument' }],
    [() => new Masker({ rowLifetimeMs: 0 }), { code: 'invalid_argument' }],
    [() => new Masker({ wipeBuffers: 1 }), { code: 'invalid_argument' }],
    [() => new Masker({ recognizers: [{ name: 'a', recognize: () => [], onTimeout: 'ignore' }] }), { code: 'invalid_argument' }],
    [() => new Masker({ scope: '\n' }), { code: 'invalid_argument' }],
    [() => new Masker({ reference: { agnet: 'x' } }), { code: 'unknown_option' }],
    [() => masker.maskSync(7), { code: 'invalid_argument' }],
    [() => masker.maskSync(), { code: 'invalid_argument' }],
    [() => masker.maskBatchSync(['', 7]), { code: 'invalid_argument' }],
    [() => masker.maskJsonSync('{'), { code: 'not_json' }],
    [() => masker.maskJsonSync('{}', { mask: ['x'] }), { code: 'invalid_argument' }],
    [() => masker.maskJsonSync('{}', { maks: ['/x'] }), { code: 'unknown_option' }],
    [() => masker.maskJsonSync('['.repeat(1000)), { code: 'too_deep' }],
    [() => masker.maskChatSync('{}'), { code: 'not_a_chat' }],
    [() => conversation.maskTurnSync('caller', ''), { code: 'invalid_argument' }],
    [() => conversation.maskHistorySync([{ role: 'user' }]), { code: 'invalid_argument' }],
    [() => conversation.streamRehydrator({ jsn: true }), { code: 'unknown_option', message: /did you mean "json"/ }],
    [() => conversation.streamRehydrator({ json: 'yes' }), { code: 'invalid_argument' }],
    [() => Conversation.fromBytes(masker, new Uint8Array(9)), { code: 'invalid_conversation' }],
    [() => Conversation.fromBytes(masker, 'bytes'), { code: 'invalid_argument' }],
    [() => Vault.memory({ maxRow: 1 }), { code: 'unknown_option' }],
    [() => Vault.memory({ maxRows: 0 }), { code: 'invalid_argument' }],
    [() => Vault.sqliteSync(join(folder, 'no', 'such', 'vault.db')), { code: 'vault_failed' }],
    [() => Vault.sqliteSync('x', { durability: 'none' }), { code: 'invalid_argument' }],
  ]) {
    assert.throws(work, { name: 'MaskerError', ...expected }, String(work))
  }
  assert.throws(() => masker.maskSync(7), TypeError)
  assert.throws(() => masker.mask(7), { code: 'invalid_argument' })
  await assert.rejects(masker.maskJson('{'), { name: 'MaskerError', code: 'not_json' })
  await assert.rejects(Vault.sqlite(join(folder, 'no', 'such', 'vault.db')), { code: 'vault_failed' })
  assert.equal(isMaskerError(new Error('x')), false)
})

test('JSON and chats', async () => {
  const masker = new Masker()
  const json = '{ "phone": "415-555-0142", "support": "415-555-0100", "visits": 3.0 }'
  const masked = masker.maskJsonSync(json, { leave: ['/support'] })
  assert.match(masked.json, /^\{ "phone": "MSKV1\.PHONE\.[^"]+", "support": "415-555-0100", "visits": 3\.0 \}$/)
  assert.deepEqual(masked.events.map(({ path, kind, start, end }) => [path, kind, start, end]), [['/phone', 'PHONE', 0, 12]])
  assert.deepEqual(await masker.maskJson(json, { leave: ['/support'] }), masked)
  assert.equal(masker.rehydrateJsonSync(masked.json).json, json)
  assert.equal((await masker.rehydrateJson(masked.json)).restored, 1)
  assert.equal(masker.maskJsonSync(json, { otherwise: 'leave' }).json, json)
  const chat = JSON.stringify({ model: 'm', messages: [{ role: 'user', content: '😀 call 415-555-0142' }] })
  const request = masker.maskChatSync(chat)
  assert.deepEqual([request.events[0].path, request.events[0].start, request.redactionCount], ['/messages/0/content', 8, 1])
  assert.equal((await masker.rehydrateChat((await masker.maskChat(chat)).json)).json, chat)
  assert.equal(masker.rehydrateChatSync(request.json).json, chat)
})

test('conversations', async () => {
  const masker = new Masker({ surface: 'alias', keys })
  const call = masker.conversation('call 17')
  assert.equal(call.id, 'call 17')
  assert.match(call.systemHint, /\[PHONE_n\]/)
  assert.equal(call.masker.scope, '')
  assert.equal((await call.maskTurn('user', "I'm Ann Reed, call me at 415-555-0142")).text, "I'm [NAME_1], call me at [PHONE_1]")
  assert.equal(call.valueCount, 2)
  const restored = await call.rehydrate('Thank you, [name 1]. I have **PHONE_1**.')
  assert.deepEqual([restored.text, restored.restored], ['Thank you, Ann Reed. I have **415-555-0142**.', 2])
  assert.equal(call.rehydrateJsonSync('{"n":"[NAME_1]"}').text, '{"n":"Ann Reed"}')
  assert.equal((await call.rehydrateJson('"[PHONE_1]"')).text, '"415-555-0142"')
  const again = Conversation.fromBytes(masker, call.toBytes())
  assert.equal(again.rehydrateSync('[NAME_1]').text, 'Ann Reed')
  assert.throws(() => Conversation.fromBytes(new Masker(), call.toBytes()), { code: 'invalid_conversation' })
  assert.notEqual(masker.conversation().id, masker.conversation().id)
  assert.equal(masker.conversation().maskTurnSync('developer', 'call 415-555-0142').text, 'call [PHONE_1]')
  const history = [{ role: 'assistant', text: 'What is your phone number?' }, { role: 'user', text: '415 555 0142' }]
  const first = masker.conversation('call 18').maskHistorySync(history)
  assert.deepEqual(await masker.conversation('call 19').maskHistory(history), first)
  assert.equal(first[1].text, '[PHONE_1]')
  const chat = JSON.stringify([{ role: 'user', content: 'call 415-555-0142' }])
  const other = masker.conversation('call 20')
  assert.equal(other.maskChatSync(chat).json, '[{"role":"user","content":"call [PHONE_1]"}]')
  assert.equal((await other.rehydrateChat((await other.maskChat(chat)).json)).json, chat)
  assert.equal(other.rehydrateChatSync((await other.maskJson(chat)).json).json, chat)
  assert.equal(other.maskJsonSync('{"a":"415-555-0142"}').json, '{"a":"[PHONE_1]"}')
})

test('promises on one conversation keep the order of the calls', async () => {
  const call = new Masker({ surface: 'alias' }).conversation('order')
  const numbers = Array.from({ length: 100 }, (_, at) => `415-555-01${String(at).padStart(2, '0')}`)
  const masked = await Promise.all(numbers.map((number) => call.maskTurn('user', `call ${number}`)))
  assert.deepEqual(masked.map(({ text }) => text), numbers.map((_, at) => `call [PHONE_${at + 1}]`))
})

test('the table of names', () => {
  const page = readFileSync(new URL('../../docs/bindings.md', import.meta.url), 'utf8')
  const cells = [...page.matchAll(/^\| `[^|]*\|[^|]*\|([^|]*)\|$/gm)].map(([, cell]) => cell)
  const names = cells.flatMap((cell) => [...cell.matchAll(/`([A-Z]\w+)\.(\w+)`/g)].map(([, owner, member]) => [owner, member]))
  assert.ok(names.length > 50)
  for (const [owner, member] of names) {
    const made = addon[owner]
    assert.ok(member in made || member in made.prototype, `${owner}.${member}`)
  }
})

test('kinds, and the types that name them', () => {
  const names = kinds().map(({ kind }) => kind).sort()
  assert.equal(names.length, 24)
  assert.ok(kinds().every(({ letter, title }) => /^[A-R-]$/.test(letter) && title.length > 2))
  const types = readFileSync(new URL('../names.d.ts', import.meta.url), 'utf8')
  const typed = [.../export type Kind =([^]*?)\n\n/.exec(types)[1].matchAll(/'([A-Z_0-9]+)'/g)].map((match) => match[1])
  assert.deepEqual(typed, names)
})

test('works in several threads, and where one is stopped', async () => {
  const code = `
    const { Masker } = require('masker-node')
    const { parentPort } = require('node:worker_threads')
    const masker = new Masker({ recognizers: [{ name: 'none', recognize: async () => [] }] })
    masker.mask('call 415-555-0142').then(({ redactionCount }) => {
      parentPort.postMessage(redactionCount)
      for (let i = 0; i < 100; i += 1) masker.mask('call 415-555-0142')
    })`
  const run = async () => {
    const worker = new Worker(code, { eval: true, filename: new URL('worker.cjs', import.meta.url) })
    const count = await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
    await worker.terminate()
    return count
  }
  assert.deepEqual(await Promise.all([run(), run(), run(), run()]), [1, 1, 1, 1])
})

test('no socket is opened', { skip: process.platform !== 'linux' }, () => {
  const code = `
    import { readdirSync, readlinkSync } from 'node:fs'
    import { Masker } from 'masker-node'
    const target = (fd) => { try { return readlinkSync('/proc/self/fd/' + fd) } catch { return '' } }
    const sockets = () => readdirSync('/proc/self/fd').map(target).filter((name) => name.startsWith('socket:')).join()
    const before = sockets()
    const masker = new Masker()
    const { text } = masker.maskSync('call 415-555-0142')
    const seen = [sockets()]
    await masker.mask('call 415-555-0142')
    seen.push(sockets(), masker.rehydrateSync(text).restored, sockets())
    console.log(JSON.stringify(seen) === JSON.stringify([before, before, 1, before]))`
  const options = { cwd: new URL('..', import.meta.url), encoding: 'utf8', timeout: 10_000 }
  assert.equal(execFileSync(process.execPath, ['--input-type=module', '-e', code], options), 'true\n')
})

test('a process ends when its work is done', () => {
  const code = `
    import { Masker } from 'masker-node'
    const masker = new Masker({ recognizers: [{ name: 'none', recognize: async () => [] }] })
    const { redactionCount } = await masker.mask('call 415-555-0142')
    console.log(redactionCount)`
  const options = { cwd: new URL('..', import.meta.url), encoding: 'utf8', timeout: 10_000 }
  assert.equal(execFileSync(process.execPath, ['--input-type=module', '-e', code], options), '1\n')
})
