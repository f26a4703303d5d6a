// The examples run, and the lines of the documentation do what it says.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { test } from 'node:test'
import { startChatServer } from '../examples/chat-server.mjs'

const home = fileURLToPath(new URL('..', import.meta.url))
const run = (file) => execFileSync(process.execPath, [file], { cwd: home, encoding: 'utf8' })
const clean = (text) => assert.ok(!/Ann Reed|415-555-0142|ada@example/.test(text), text)

test('the chat server', async () => {
  const server = await startChatServer()
  try {
    const say = async (id, text) => {
      const headers = { 'content-type': 'application/json' }
      const reply = await fetch(`${server.url}/chat/${id}`, { method: 'POST', headers, body: JSON.stringify({ text }) })
      return reply.text()
    }
    assert.equal(await say('ann', 'I am Ann Reed, call 415-555-0142'), 'You said: I am Ann Reed, call 415-555-0142\n')
    assert.equal(await say('ann', 'again, 415-555-0142'), 'You said: again, 415-555-0142\n')
    assert.deepEqual(server.received, ['I am [NAME_1], call [PHONE_1]', 'again, [PHONE_1]'])
  } finally {
    server.close()
  }
})

test('the route for the AI SDK', () => {
  const [read, saw] = run('examples/ai-route.mjs').trim().split('\n')
  assert.equal(read, 'the caller reads: You said: I am Ann Reed, call 415-555-0142')
  assert.equal(saw, 'the model saw:    I am [NAME_1], call [PHONE_1]')
})

test('log scrubbing', () => {
  const lines = run('examples/log-scrubbing.mjs').trim().split('\n')
  assert.equal(lines.length, 4)
  clean(lines.join('\n'))
  assert.match(lines[1], /"phone":"\[REDACTED:PHONE\]".*"support":"415-555-0100"/)
  assert.match(lines[3], /"email":"\[REDACTED:EMAIL\]"/)
})

const pages = readdirSync(new URL('../../docs', import.meta.url), { recursive: true }).filter((name) => name.endsWith('.md'))
for (const page of [...pages.map((name) => `../docs/${name}`), 'README.md']) {
  const blocks = [...readFileSync(new URL(page, new URL('..', import.meta.url)), 'utf8').matchAll(/^```js(?:[ ,][^\n]*)?\n([^]*?)^```$/gm)]
  if (blocks.length === 0) continue
  test(`the programs in ${page}`, () => {
    for (const [, code] of blocks) {
      // In the package, so that its name is known.
      const file = fileURLToPath(new URL('../page.test-block.mjs', import.meta.url))
      writeFileSync(file, code)
      try {
        const out = run(file).trim()
        const wanted = [...code.matchAll(/console\.log\(.*\) \/\/ (.*)$/gm)].map((match) => match[1])
        if (wanted.length > 0) assert.equal(out, wanted.join('\n'))
      } finally {
        rmSync(file)
      }
    }
  })
}
