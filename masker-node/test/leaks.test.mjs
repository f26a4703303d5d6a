// What the addon says of its work holds no text, no original and no token body.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inspect } from 'node:util'
import * as addon from 'masker-node'

const { Conversation, KeyRing, Masker, Policy, Vault, isMaskerError } = addon

const TEXT = 'This is Zebediah Quixworth, call 415-555-0187, mail zeb.quixworth@example.com, ssn 219-09-9999'
const MARKS = ['zebediah', 'quixworth', '0187', '219-09-9999']

/** Everything that a value says of itself. */
function said(value) {
  const shown = [inspect(value, { depth: 9, showHidden: true, getters: true }), JSON.stringify(value) ?? '']
  if (typeof value === 'object') shown.push(String(value), Object.values(value).map(String).join())
  if (value instanceof Error) shown.push(value.message, value.stack, said(value.cause ?? ''))
  return shown.join('\n').toLowerCase()
}

function clean(value, tokens = []) {
  const shown = said(value)
  for (const mark of [...MARKS, ...tokens.map((token) => token.split('.').at(-1).toLowerCase())])
    assert.ok(!shown.includes(mark), `${mark} in ${shown}`)
}

const masker = new Masker()
const masked = masker.maskSync(TEXT)
const tokens = masked.text.match(/MSKV1\.[A-Z_.]+[A-Z2-7]{26}/g)
const conversation = masker.conversation('call')
conversation.maskTurnSync('user', TEXT)
const stream = conversation.streamMasker('user')
stream.push(TEXT)
const restoring = conversation.streamRehydrator()
restoring.push(masked.text)
restoring.push(tokens[0].slice(0, 20))
const sse = conversation.sseRehydrator()
sse.push(Buffer.from(`data: ${TEXT}`))
const samples = [
  masker,
  conversation,
  stream,
  restoring,
  sse,
  Vault.memory(),
  new KeyRing({ K_A: new Uint8Array(32).fill(7) }),
  Policy.preset('healthcare-default'),
]

test('no object prints what was said', () => {
  assert.equal(tokens.length, 4)
  for (const sample of samples) clean(sample, tokens)
  const payload = masker.maskJsonSync(JSON.stringify({ a: TEXT, [TEXT]: [TEXT] }))
  for (const part of [masked.events, masker.detectSync(TEXT), masker.explainSync(TEXT), payload.events]) clean(part, tokens)
})

test('a class that is new has its sample', () => {
  const classes = Object.entries(addon).filter(([name, value]) => typeof value === 'function' && /^[A-Z]/.test(name) && !name.startsWith('Js'))
  const known = new Set([...samples, new Error()].map((sample) => sample.constructor))
  assert.ok(classes.length >= 8, classes.map(([name]) => name).join())
  assert.deepEqual(classes.filter(([, type]) => !known.has(type)).map(([name]) => name), [])
})

test('no error prints what was given', async () => {
  const blocking = new Policy(
    'name: a\nversion: 1\nkid: K_A\ntokenization: vault-deterministic\npasses: [regex]\nentities: { PHONE: { action: block } }\n',
  )
  const attempts = [
    () => masker.maskChatSync(TEXT),
    () => masker.maskChatSync([TEXT]),
    () => new Policy(TEXT),
    () => new Policy(`name: a\nkid: "${TEXT}"`),
    () => new Masker({ policy: blocking }).maskSync(TEXT),
    () => new Masker({ policy: blocking }).mask(TEXT),
    () => new KeyRing({ K_A: TEXT }),
    () => new KeyRing({ [TEXT]: new Uint8Array(32) }),
    () => Conversation.fromBytes(masker, Buffer.from(TEXT)),
  ]
  for (const attempt of attempts)
    await assert.rejects(async () => attempt(), (error) => {
      clean(error)
      return isMaskerError(error) || error instanceof TypeError || error instanceof RangeError
    })
})
