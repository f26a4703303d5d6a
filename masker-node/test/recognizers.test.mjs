// Recognisers of JavaScript, plain and asynchronous; where one fails, nothing is masked.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { inspect } from 'node:util'
import { Masker, Policy } from 'masker-node'

const TEXT = '😀 the \ud800 patient Zorblax came, 415-555-0142'
const hits = (text) => [...text.matchAll(/Zorblax/g)].map(({ index }) => ({ kind: 'NAME', start: index, end: index + 7, confidence: 0.9 }))
const withOne = (recognize, options = {}) => new Masker({ recognizers: [{ name: 'mine', recognize, ...options }] })

test('a function, at once and behind a promise', async () => {
  const masker = withOne(hits)
  const masked = masker.maskSync(TEXT)
  assert.deepEqual(masked.events.map(({ kind, pass, recognizer, start, end }) => [kind, pass, recognizer, TEXT.slice(start, end)]), [
    ['NAME', 'ner', 'mine', 'Zorblax'],
    ['PHONE', 'regex', 'phone_nanp', '415-555-0142'],
  ])
  assert.equal(masker.rehydrateSync(masked.text).text, TEXT)
  assert.deepEqual(await masker.mask(TEXT), masked)
  assert.equal(masker.maskBatchSync([TEXT, TEXT])[1].text, masked.text)
  assert.equal((await masker.maskBatch([TEXT, TEXT]))[1].text, masked.text)
  assert.equal(masker.detectSync(TEXT)[0].confidence, 0.9)
  assert.equal(masker.explainSync(TEXT).filter(({ pass }) => pass === 'ner').length, 1)
  const json = masker.maskJsonSync(JSON.stringify({ note: 'Zorblax' }))
  assert.equal(json.redactionCount, 1)
})

test('a function that gives a promise', async () => {
  const masker = withOne(async (text) => {
    await new Promise((resolve) => setTimeout(resolve, 5))
    return hits(text)
  })
  assert.equal((await masker.mask(TEXT)).redactionCount, 2)
  assert.equal((await masker.maskBatch([TEXT, TEXT]))[1].redactionCount, 2)
  assert.equal((await masker.detect(TEXT)).length, 2)
  assert.throws(() => masker.maskSync(TEXT), { code: 'recognizer_failed', message: /promise form/ })
  const call = masker.conversation('call')
  const [first, second] = await Promise.all([call.maskTurn('user', 'Zorblax'), call.maskTurn('user', 'and 415-555-0142')])
  assert.deepEqual([first.redactionCount, second.redactionCount], [1, 1])
  let out = ''
  for await (const chunk of ReadableStream.from(['Zor', 'blax']).pipeThrough(call.maskStream())) out += chunk
  assert.match(out, /^MSKV1\.NAME\./)
})

test('many calls at a time whose recogniser needs the threads of Node', async () => {
  const masker = withOne(async (text) => {
    await readFile(new URL(import.meta.url))
    return hits(text)
  })
  const masked = await Promise.all(Array.from({ length: 200 }, () => masker.mask(TEXT)))
  assert.ok(masked.every(({ redactionCount }) => redactionCount === 2))
})

test('what it threw is on the error, and is not printed', async () => {
  const cause = new RangeError(TEXT)
  const check = (error) => {
    assert.equal(error.original, cause)
    assert.ok(!`${inspect(error)}${JSON.stringify(error)}${error.stack}`.includes('Zorblax'))
    return error.code === 'recognizer_failed'
  }
  const fails = () => { throw cause }
  assert.throws(() => withOne(fails).maskSync(TEXT), check)
  await assert.rejects(withOne(fails).mask(TEXT), check)
  await assert.rejects(withOne(async () => fails()).mask(TEXT), check)
  assert.throws(() => withOne(() => 7).maskSync(TEXT), (error) => !('original' in error))
})

test('a late call fails, or others stand in for it', async () => {
  const never = () => new Promise(() => {})
  await assert.rejects(withOne(never, { timeoutMs: 20 }).mask(TEXT), { code: 'recognizer_failed', message: /no answer within 20 ms/ })
  const degraded = await withOne(never, { timeoutMs: 20, onTimeout: 'degrade' }).mask('call 415-555-0142, I am Ann Reed')
  assert.deepEqual(degraded.events.map(({ kind }) => kind), ['PHONE', 'NAME'])
  const policy = new Policy(Policy.presetSource('healthcare-default').replace('gemma]', 'ner: { timeout_ms: 30 }]'))
  const slow = new Masker({ policy, recognizers: [{ name: 'mine', recognize: never, timeoutMs: 60_000 }] })
  await assert.rejects(slow.mask(TEXT), { message: /no answer within 30 ms/ })
})

for (const [name, recognize, message] of [
  ['throws', () => { throw new Error(TEXT) }, /^the recognizer mine failed: it threw/],
  ['throws what is no error', () => { throw TEXT }, /it threw/],
  ['gives no list', () => 7, /list of hits/],
  ['gives nothing', () => undefined, /list of hits/],
  ['gives a hit without a kind', () => [{ start: 0, end: 1 }], /list of hits/],
  ['gives a kind that is none', () => [{ kind: 'name of a person', start: 3, end: 4 }], /no kind/],
  ['gives a kind that no policy knows', () => [{ kind: 'PATIENT', start: 3, end: 4 }], /kind that is neither/],
  ['gives a hit behind the end', () => [{ kind: 'NAME', start: 0, end: 999 }], /0\.\.999/],
  ['gives a hit inside a character', () => [{ kind: 'NAME', start: 1, end: 3 }], /1\.\.3/],
  ['gives a hit that ends before it begins', () => [{ kind: 'NAME', start: 5, end: 5 }], /5\.\.5/],
  ['gives an offset that is no whole number', () => [{ kind: 'NAME', start: 0.5, end: 5 }], /0\.5\.\.5/],
  ['gives NaN', () => [{ kind: 'NAME', start: NaN, end: 5 }], /NaN\.\.5/],
  ['gives a confidence above 1', () => [{ kind: 'NAME', start: 3, end: 6, confidence: 2 }], /confidence/],
]) {
  test(`a recogniser that ${name}`, async () => {
    const expected = { code: 'recognizer_failed', message }
    const check = (error) => {
      assert.ok(!error.message.includes('Zorblax') && !error.message.includes('0142') && error.cause === undefined)
      return error.code === 'recognizer_failed'
    }
    assert.throws(() => withOne(recognize).maskSync(TEXT), expected)
    assert.throws(() => withOne(recognize).maskSync(TEXT), check)
    await assert.rejects(withOne(recognize).mask(TEXT), expected)
    await assert.rejects(withOne(async (text) => recognize(text)).mask(TEXT), check)
  })
}

test('a recogniser that takes too long', async () => {
  const never = withOne(() => new Promise(() => {}), { timeoutMs: 50 })
  const start = Date.now()
  await assert.rejects(never.mask(TEXT), { code: 'recognizer_failed', message: /no answer within 50 ms/ })
  assert.ok(Date.now() - start < 5_000)
  const busy = withOne(() => { for (const end = Date.now() + 80; Date.now() < end; ); return [] }, { timeoutMs: 20 })
  assert.throws(() => busy.maskSync(TEXT), { code: 'recognizer_failed', message: /no answer within 20 ms/ })
  assert.equal((await new Masker().mask('415-555-0142')).redactionCount, 1)
})

test('a promise that nobody waits for does not end the program', async () => {
  const masker = withOne(() => Promise.reject(new Error('late')))
  assert.throws(() => masker.maskSync(TEXT), { code: 'recognizer_failed' })
  await new Promise((resolve) => setTimeout(resolve, 20))
})

test('a recogniser that calls the masker that waits for it', async () => {
  const masker = withOne(() => { masker.maskSync(TEXT); return [] })
  assert.throws(() => masker.maskSync(TEXT), { code: 'recognizer_failed' })
  let inner
  const curious = withOne(() => { try { curious.maskSync('x') } catch (error) { inner = error.code } return [] })
  curious.maskSync(TEXT)
  assert.equal(inner, 'reentrant_call')
})

test('what is no recogniser is refused', () => {
  for (const [recognizer, expected] of [
    [{}, { code: 'invalid_argument', message: /name/ }],
    [{ name: 'Mine', recognize: hits }, { code: 'invalid_argument', message: /lower snake case/ }],
    [{ name: 'mine' }, { code: 'invalid_argument', message: /must be a function/ }],
    [{ name: 'mine', recognize: hits, timeout: 5 }, { code: 'unknown_option', message: /did you mean "timeoutMs"/ }],
    [{ name: 'mine', recognize: hits, timeoutMs: 0 }, { code: 'invalid_argument' }],
    [7, { code: 'invalid_argument' }],
  ]) {
    assert.throws(() => new Masker({ recognizers: [recognizer] }), expected)
  }
  assert.throws(() => new Masker({ recognizers: { name: 'mine', recognize: hits } }), { code: 'invalid_argument' })
})
