// Streams: however a text is cut, what comes out is, joined, what the whole would give.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Masker } from 'masker-node'

const TEXT = 'Hi 😀 this is Ann Reed, my number is 415 555 0142 👩‍⚕️ and my e-mail is ada@example.com. \ud800 Thanks \udc00!'
const masker = new Masker({ surface: 'alias' })

/** Cuts an array or a string into pieces of so many. */
const cut = (value, size) => {
  const pieces = []
  for (let at = 0; at < value.length; at += size) pieces.push(value.slice(at, at + size))
  return pieces
}

async function through(pieces, stream) {
  const out = []
  for await (const chunk of ReadableStream.from(pieces).pipeThrough(stream)) out.push(chunk)
  return out
}

const bytesOf = (text) => new TextEncoder().encode(text)

test('mask streams of strings, at every cut', async () => {
  const wanted = masker.conversation('whole').maskTurnSync('user', TEXT)
  for (let size = 1; size < 12; size += 1) {
    const out = await through(cut(TEXT, size), masker.conversation('x').maskStream())
    assert.equal(out.join(''), wanted.text, `pieces of ${size}`)
  }
  for (let at = 0; at <= TEXT.length; at += 1) {
    const stream = masker.conversation('y').streamMasker('user')
    const before = stream.pushSync(TEXT.slice(0, at)) + stream.pushSync('') + stream.pushSync(TEXT.slice(at))
    const rest = stream.finishSync()
    assert.equal(before + rest.text, wanted.text, `cut at ${at}`)
    assert.deepEqual(rest.events, wanted.events, `cut at ${at}`)
  }
})

test('mask streams of bytes, cut inside characters', async () => {
  const text = TEXT.replaceAll(/[\ud800\udc00](?![\udc00-\udfff])/g, '')
  const wanted = masker.conversation('whole').maskTurnSync('user', text.toWellFormed?.() ?? text).text
  for (let size = 1; size < 6; size += 1) {
    const out = await through(cut(bytesOf(text), size), masker.maskStream())
    assert.ok(out.every((chunk) => chunk instanceof Uint8Array))
    assert.equal(Buffer.concat(out).toString(), wanted)
  }
})

test('long texts leave before their end, events at their place', async () => {
  const line = 'é😀 nothing in this line is anybody’s business, and the next one neither.\n'
  const text = line.repeat(200) + 'my number is 415-555-0142\n' + line.repeat(200)
  const stream = masker.conversation('long').streamMasker('user')
  let out = ''
  let most = 0
  for (const piece of cut(text, 100)) {
    out += stream.pushSync(piece)
    most = Math.max(most, stream.held)
  }
  const rest = stream.finishSync()
  assert.equal(out + rest.text, text.replace('415-555-0142', '[PHONE_1]'))
  assert.deepEqual(rest.events.map(({ start, end }) => text.slice(start, end)), ['415-555-0142'])
  assert.ok(most < 4096, `${most} bytes held`)
})

test('rehydrate streams', async () => {
  const conversation = masker.conversation('call')
  conversation.maskTurnSync('user', TEXT)
  const answer = 'Hello 😀 [NAME_1], I have [PHONE_1] and \\[EMAIL\\_1\\]. [PHON \ud83d'
  const wanted = conversation.rehydrateSync(answer).text
  assert.match(wanted, /Hello 😀 Ann Reed, I have 415 555 0142 and ada@example\.com\. \[PHON \ud83d/)
  for (let size = 1; size < 12; size += 1) {
    assert.equal((await through(cut(answer, size), conversation.rehydrateStream())).join(''), wanted)
    const out = await through(cut(bytesOf(answer), size), conversation.rehydrateStream())
    assert.equal(Buffer.concat(out).toString(), wanted.replace(/\ud83d$/, '\ufffd'))
  }
  const stream = conversation.streamRehydrator()
  assert.equal(await stream.push('Dear '), 'Dear ')
  assert.equal(await stream.push('[NAM'), '')
  assert.equal(stream.held, 4)
  assert.deepEqual(await stream.flush(), { text: '[NAM', dangling: 4 })
  assert.equal(stream.totals.restored, 0)
  const json = conversation.streamRehydrator({ json: true })
  conversation.maskTurnSync('user', 'my name is Ann "Annie" Reed')
  assert.doesNotThrow(() => JSON.parse(json.pushSync('{"a":"[NAME_1] [NAME_2]"') + json.pushSync('}') + json.flushSync().text))
})

test('promises of one stream keep the order of the calls', async () => {
  const stream = masker.conversation('order').streamMasker('user')
  const pieces = cut(TEXT.repeat(40), 7).map((piece) => stream.push(piece))
  const out = (await Promise.all(pieces)).join('') + (await stream.finish()).text
  assert.equal(out, masker.conversation('whole').maskTurnSync('user', TEXT.repeat(40)).text)
})

test('partial results are shown and taken back', async () => {
  const stream = masker.conversation('asr').streamMasker('user')
  assert.equal(stream.interimSync('my number is 415 555 0142'), 'my number is [REDACTED:PHONE]')
  assert.equal(await stream.interim('my number is \ud83d'), 'my number is \ud83d')
  assert.equal((await stream.push('my number is 415 555 0142')) + (await stream.finish()).text, 'my number is [PHONE_1]')
  assert.equal(stream.interimSync('415 555 0142 again'), '[PHONE_1] again')
})

test('server-sent events, at every cut', async () => {
  const conversation = masker.conversation('sse')
  conversation.maskTurnSync('user', TEXT)
  const event = (content) => `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content } }] })}\r\n\r\n`
  const bytes = bytesOf(cut([...'I have [PHONE_1] of [NAME_1] 😀'], 3).map((part) => event(part.join(''))).join('') + ': ping\n\ndata: [DONE]\n\n')
  for (const size of [1, 2, 3, 5, 50, 5000]) {
    const out = Buffer.concat(await through(cut(bytes, size), conversation.rehydrateSse())).toString()
    const said = [...out.matchAll(/^data: (\{.*\})$/gm)].map((match) => JSON.parse(match[1]).choices[0].delta.content ?? '').join('')
    assert.equal(said, 'I have 415 555 0142 of Ann Reed 😀')
    assert.match(out, /: ping\n\n[^]*data: \[DONE\]\n\n$/)
  }
  const counted = conversation.sseRehydrator()
  counted.pushSync(bytes)
  counted.finishSync()
  assert.deepEqual(counted.totals, { text: '', restored: 2, unknown: 0, foreign: 0, ambiguous: 0, lost: [] })
  const sse = conversation.sseRehydrator({ jsonAnswer: true })
  assert.equal(Buffer.from(await sse.push(bytesOf('data: x\n\n'))).toString(), 'data: x\n\n')
  assert.equal((await sse.finish()).length + sse.finishSync().length, 0)
  assert.throws(() => sse.pushSync('data: x'), { code: 'invalid_argument' })
})

test('what is wrong is refused', async () => {
  const conversation = masker.conversation('wrong')
  assert.throws(() => conversation.maskStream({ rloe: 'user' }), { code: 'unknown_option', message: /did you mean "role"/ })
  assert.throws(() => masker.maskStream({ role: 'usr' }), { code: 'invalid_argument' })
  assert.throws(() => conversation.rehydrateSse({ json: true }), { code: 'unknown_option' })
  await assert.rejects(through(['a', bytesOf('b')], conversation.maskStream()), { code: 'invalid_argument' })
  await assert.rejects(through([7], conversation.maskStream()), { code: 'invalid_argument' })
  const broken = new Masker({ recognizers: [{ name: 'broken', recognize: () => { throw new Error('x') } }] })
  await assert.rejects(through(['call 415-555-0142'], broken.maskStream()), { code: 'recognizer_failed' })
})
