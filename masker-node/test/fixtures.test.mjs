// The shared fixtures: the same findings and tokens as in Rust.
import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { test } from 'node:test'
import { KeyRing, Masker, Policy } from 'masker-node'
import { parse } from 'smol-toml'

const fixtures = new URL('../../fixtures/', import.meta.url)
const toml = (path) => parse(readFileSync(new URL(path, fixtures), 'utf8'))
const files = (folder) => readdirSync(new URL(folder, fixtures)).filter((name) => name.endsWith('.toml'))

/** The key of the fixtures: bytes 00 to 1f under every key id of the policy. */
function masker(policy, options = {}) {
  const key = Uint8Array.from({ length: 32 }, (_, at) => at)
  const keys = new KeyRing(Object.fromEntries(policy.kids.map((kid) => [kid, key])))
  return new Masker({ policy, keys, ...options })
}

/** Compared as one table, so that a run shows all that is wrong. */
function compare(rows) {
  assert.ok(rows.length > 0)
  const wrong = rows.filter(({ got, wanted }) => got !== wanted)
  assert.equal(wrong.length, 0, wrong.map(({ name, got, wanted }) => `${name}\n  wanted ${wanted}\n  got    ${got}`).join('\n'))
}

test('detect: the findings, and each is text.slice(start, end)', () => {
  const maskers = new Map()
  const rows = []
  for (const file of files('detect')) {
    for (const { name, text, policy = 'healthcare-default', findings } of toml(`detect/${file}`).case) {
      if (!maskers.has(policy)) maskers.set(policy, new Masker({ policy }))
      // What is not ASCII must not move what stands behind it.
      for (const prefix of ['', '😀 ', 'é\u0301 😀👩‍⚕️ ']) {
        const said = prefix === '' ? text : `${prefix}\n${text}`
        const found = maskers.get(policy).detectSync(said)
        if (prefix === '') {
          const show = (list) => JSON.stringify(list.map(({ kind, text }) => [kind, text]))
          const got = show(found.map(({ kind, start, end }) => ({ kind, text: text.slice(start, end) })))
          rows.push({ name: `${file} ${name}`, got, wanted: show(findings) })
        }
        for (const { start, end } of found) assert.ok(start < end && end <= said.length)
      }
    }
  }
  assert.ok(rows.length > 500, `only ${rows.length} cases`)
  compare(rows)
})

test('detect: offsets behind emoji are those without, moved', () => {
  const masker = new Masker()
  const text = 'call 415-555-0142 or write to ada@example.com'
  const plain = masker.detectSync(text)
  for (const prefix of ['😀\n', '👩‍⚕️ é\u0301\n', '\ud800\n', '\udc00\ud800\n', '\u{10f123}\n']) {
    const moved = masker.detectSync(prefix + text)
    assert.deepEqual(moved.map(({ start, end }) => [start - prefix.length, end - prefix.length]), plain.map(({ start, end }) => [start, end]))
    for (const { start, end } of moved) assert.ok(text.includes((prefix + text).slice(start, end)))
  }
})

test('mask: the exact tokens', () => {
  const rows = []
  for (const file of files('mask')) {
    for (const one of toml(`mask/${file}`).case) {
      const aead = one.deterministic ? '\naead: { deterministic: true }\n' : ''
      let policy = new Policy(Policy.presetSource(one.policy) + aead)
      if (one.scheme) policy = policy.withScheme(one.scheme)
      const of = masker(policy)
      const masked = of.maskSync(one.text)
      const restored = of.rehydrateSync(masked.text).text
      const wanted = JSON.stringify([one.masked, one.redaction_count, one.restored ?? one.text, one.masked])
      const got = JSON.stringify([masked.text, masked.redactionCount, restored, of.maskSync(masked.text).text])
      rows.push({ name: one.name, got, wanted })
    }
  }
  compare(rows)
})

test('turns: the findings of every turn', () => {
  const rows = []
  const of = new Masker()
  for (const file of files('turns')) {
    for (const { name, turns, findings } of toml(`turns/${file}`).case) {
      const conversation = of.conversation(name)
      const got = turns.map((turn) => {
        const [, speaker, text] = /^(\w+): (.*)$/s.exec(turn)
        const { events } = conversation.maskTurnSync(speaker === 'Agent' ? 'assistant' : 'user', text)
        return events.map(({ kind, start, end }) => [kind, text.slice(start, end)])
      })
      const wanted = JSON.stringify(findings.map((list) => list.map(({ kind, text }) => [kind, text])))
      rows.push({ name: `${file} ${name}`, got: JSON.stringify(got), wanted })
    }
  }
  compare(rows)
})

test('stream: garbled aliases are restored, what only looks like one is not', () => {
  const { turns, garble, lookalike } = toml('stream/garbles.toml')
  const conversation = new Masker({ surface: 'alias' }).conversation('garbles')
  for (const turn of turns) conversation.maskTurnSync('user', turn)
  compare(garble.map(({ text, restored }) => ({ name: text, got: conversation.rehydrateSync(text).text, wanted: restored })))
  compare(lookalike.map(({ text }) => ({ name: text, got: conversation.rehydrateSync(text).text, wanted: text })))
  compare(
    garble.map(({ text, restored }) => {
      const stream = conversation.streamRehydrator()
      const got = [...text].map((c) => stream.pushSync(c)).join('') + stream.flushSync().text
      return { name: text, got, wanted: restored }
    }),
  )
})

test('chat: whole requests, and the position of every text', () => {
  const of = masker(Policy.preset('healthcare-default'))
  const folder = readdirSync(new URL('chat', fixtures)).filter((name) => name.endsWith('.masked.json'))
  assert.ok(folder.length >= 3)
  for (const name of folder) {
    const read = (name) => readFileSync(new URL(`chat/${name}`, fixtures), 'utf8')
    assert.equal(of.maskChatSync(read(name.replace('.masked', ''))).json, read(name), name)
  }
})
