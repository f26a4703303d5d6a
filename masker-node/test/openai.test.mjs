// The official client against a stub: nothing original reaches it, the application sees originals.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Masker } from 'masker-node'
import { maskedFetch } from 'masker-node/openai'
import OpenAI from 'openai'
import { startStub } from './stub.mjs'

const ORIGINALS = ['Ann Reed', '415-555-0142', 'ada@example.com']
const SAID = "I'm Ann Reed, call me at 415-555-0142 or write to ada@example.com"
const TOOL = {
  type: 'function',
  function: { name: 'lookup', description: 'Finds a patient', parameters: { type: 'object', properties: { phone: { type: 'string' } } } },
}

let stub
before(async () => (stub = await startStub()))
after(() => stub.close())

function client(surface, source) {
  const masker = new Masker({ surface })
  return new OpenAI({
    baseURL: stub.url,
    apiKey: 'none',
    maxRetries: 0,
    fetch: maskedFetch(source ?? masker.conversation('call 17')),
  })
}

function nothingOriginal() {
  for (const original of ORIGINALS) assert.ok(!stub.text().includes(original), original)
  assert.ok(stub.received.length > 0)
  stub.received.length = 0
}

for (const surface of ['token', 'alias']) {
  test(`chat completions, ${surface}`, async () => {
    const openai = client(surface)
    const messages = [{ role: 'user', content: SAID }]
    const reply = await openai.chat.completions.create({ model: 'm', messages })
    const text = reply.choices[0].message.content
    assert.equal(text, 'Thank you, I have Ann Reed and 415-555-0142 and ada@example.com. Is that right?')

    let streamed = ''
    for await (const chunk of await openai.chat.completions.create({ model: 'm', messages, stream: true })) {
      streamed += chunk.choices[0]?.delta?.content ?? ''
    }
    assert.equal(streamed, text)
    nothingOriginal()
  })

  test(`tool calls, ${surface}`, async () => {
    const openai = client(surface)
    const messages = [{ role: 'user', content: 'my number is 415-555-0142' }]
    const wanted = { phone: '415-555-0142', note: 'say "hi"\n', all: ['415-555-0142'] }
    const reply = await openai.chat.completions.create({ model: 'm', messages, tools: [TOOL] })
    const [call] = reply.choices[0].message.tool_calls
    assert.deepEqual(JSON.parse(call.function.arguments), wanted)
    assert.equal(call.function.name, 'lookup')

    let streamed = ''
    const stream = await openai.chat.completions.create({ model: 'm', messages, tools: [TOOL], stream: true })
    for await (const chunk of stream) {
      streamed += chunk.choices[0]?.delta?.tool_calls?.[0]?.function?.arguments ?? ''
    }
    assert.deepEqual(JSON.parse(streamed), wanted)

    const history = [
      ...messages,
      reply.choices[0].message,
      { role: 'tool', tool_call_id: call.id, content: JSON.stringify({ patient: 'Ann Reed', email: 'ada@example.com' }) },
    ]
    const final = await openai.chat.completions.create({ model: 'm', messages: history, tools: [TOOL] })
    assert.match(final.choices[0].message.content, /415-555-0142/)
    assert.match(final.choices[0].message.content, /ada@example\.com/)
    nothingOriginal()
  })

  test(`responses, ${surface}`, async () => {
    const openai = client(surface)
    const wanted = 'Thank you, I have Ann Reed and 415-555-0142 and ada@example.com. Is that right?'
    const reply = await openai.responses.create({ model: 'm', input: SAID })
    assert.equal(reply.output_text, wanted)

    let streamed = ''
    let completed
    for await (const event of await openai.responses.create({ model: 'm', input: SAID, stream: true })) {
      if (event.type === 'response.output_text.delta') streamed += event.delta
      if (event.type === 'response.completed') completed = event.response.output[0].content[0].text
    }
    assert.equal(streamed, wanted)
    assert.equal(completed, wanted)
    nothingOriginal()
  })

  test(`tool calls of responses, ${surface}`, async () => {
    const openai = client(surface)
    const tools = [{ type: 'function', name: 'lookup', parameters: { type: 'object', properties: {} }, strict: false }]
    const request = { model: 'm', input: [{ role: 'user', content: 'my number is 415-555-0142' }], tools }
    const reply = await openai.responses.create(request)
    assert.equal(JSON.parse(reply.output[0].arguments).phone, '415-555-0142')

    let streamed = ''
    let done
    for await (const event of await openai.responses.create({ ...request, stream: true })) {
      if (event.type === 'response.function_call_arguments.delta') streamed += event.delta
      if (event.type === 'response.function_call_arguments.done') done = event.arguments
    }
    assert.deepEqual(JSON.parse(streamed), { phone: '415-555-0142', note: 'say "hi"\n', all: ['415-555-0142'] })
    assert.equal(done, streamed)
    nothingOriginal()
  })
}

test('the streaming helper and JSON answers', async () => {
  const openai = client('alias')
  const messages = [{ role: 'user', content: 'I am Ann Reed, call 415-555-0142' }]
  const runner = openai.chat.completions.stream({ model: 'm', messages, response_format: { type: 'json_object' } })
  const final = await runner.finalContent()
  assert.deepEqual(JSON.parse(final), { values: ['Ann Reed', '415-555-0142'] })
  nothingOriginal()
})

test('a masker begins a conversation for every request', async () => {
  const openai = client('alias', new Masker({ surface: 'alias' }))
  for (const number of ['415-555-0142', '415-555-0143']) {
    const reply = await openai.chat.completions.create({ model: 'm', messages: [{ role: 'user', content: `call ${number}` }] })
    assert.ok(reply.choices[0].message.content.includes(number))
  }
  assert.ok(stub.received.every((body) => body.includes('[PHONE_1]')))
  nothingOriginal()
})

test('what cannot be masked is not sent', async () => {
  const image = { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } }
  const openai = client('alias')
  await assert.rejects(openai.chat.completions.create({ model: 'm', messages: [{ role: 'user', content: [image] }] }), (error) => {
    assert.equal(error.cause.code, 'unmaskable_content')
    return true
  })
  const send = maskedFetch(new Masker())
  await assert.rejects(send(`${stub.url}/files`, { method: 'POST', body: new FormData() }), { code: 'unmaskable_content' })
  await assert.rejects(send(`${stub.url}/chat/completions`, { method: 'POST', body: 'not json' }), { code: 'unmaskable_content' })
  assert.throws(() => maskedFetch(new Masker(), { fetcher: fetch }), { code: 'unknown_option', message: /did you mean "fetch"/ })
  await assert.rejects(maskedFetch({})(stub.url, {}), { code: 'invalid_argument' })
  assert.equal(stub.received.length, 0)
})
