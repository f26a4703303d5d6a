// LangChain agents against a stub: nothing original reaches the model, tools and state see originals.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { ChatOpenAI } from '@langchain/openai'
import { HumanMessage } from '@langchain/core/messages'
import { createAgent, tool } from 'langchain'
import { Masker } from 'masker-node'
import { maskerMiddleware, restoreStream } from 'masker-node/langchain'
import { z } from 'zod'
import { startStub } from './stub.mjs'

const ORIGINALS = ['Ann Reed', '415-555-0142', 'ada@example.com']
const SAID = "I'm Ann Reed, call me at 415-555-0142 or write to ada@example.com"
const WANTED = 'Thank you, I have Ann Reed and 415-555-0142 and ada@example.com. Is that right?'

let stub
before(async () => (stub = await startStub()))
after(() => stub.close())

const model = (streaming = false) =>
  new ChatOpenAI({ model: 'm', apiKey: 'none', maxRetries: 0, streaming, configuration: { baseURL: stub.url } })

function nothingOriginal() {
  assert.ok(stub.received.length > 0)
  for (const original of ORIGINALS) assert.ok(!stub.text().includes(original), original)
  stub.received.length = 0
}

for (const surface of ['token', 'alias']) {
  test(`answers, ${surface}`, async () => {
    const call = new Masker({ surface }).conversation('call 17')
    const agent = createAgent({
      model: model(),
      tools: [],
      systemPrompt: 'Be kind to Ann Reed.',
      middleware: [maskerMiddleware(call)],
    })
    const { messages } = await agent.invoke({ messages: [new HumanMessage(SAID)] })
    assert.equal(messages.at(-1).content, WANTED)
    assert.equal(messages[0].content, SAID)
    nothingOriginal()
  })

  test(`tools, ${surface}`, async () => {
    const ran = []
    const lookup = tool(
      (input) => {
        ran.push(input)
        return JSON.stringify({ patient: 'Ann Reed', email: 'ada@example.com' })
      },
      {
        name: 'lookup',
        description: 'Finds a patient',
        schema: z.object({ phone: z.string(), note: z.string(), all: z.array(z.string()) }),
      },
    )
    const call = new Masker({ surface }).conversation('call 18')
    const agent = createAgent({ model: model(), tools: [lookup], middleware: [maskerMiddleware(call)] })
    const { messages } = await agent.invoke({ messages: [new HumanMessage('my number is 415-555-0142')] })
    assert.deepEqual(ran, [{ phone: '415-555-0142', note: 'say "hi"\n', all: ['415-555-0142'] }])
    assert.match(messages.at(-1).content, /ada@example\.com/)
    nothingOriginal()
  })

  test(`streams, ${surface}`, async () => {
    const call = new Masker({ surface }).conversation('call 19')
    const agent = createAgent({ model: model(true), tools: [], middleware: [maskerMiddleware(call)] })
    const stream = await agent.stream({ messages: [new HumanMessage(SAID)] }, { streamMode: 'messages' })
    let text = ''
    for await (const [chunk] of restoreStream(call, stream)) {
      if (chunk.constructor.name === 'AIMessageChunk') text += chunk.content
    }
    assert.equal(text, WANTED)
    nothingOriginal()
  })
}

test('a conversation for every request, and failures that send nothing', async () => {
  const masker = new Masker({ surface: 'alias' })
  const agent = createAgent({ model: model(), tools: [], middleware: [maskerMiddleware(masker)] })
  const { messages } = await agent.invoke({ messages: [new HumanMessage(SAID)] })
  assert.equal(messages.at(-1).content, WANTED)
  nothingOriginal()

  const broken = new Masker({ recognizers: [{ name: 'broken', recognize: () => Promise.reject(new Error('x')) }] })
  const failing = createAgent({ model: model(), tools: [], middleware: [maskerMiddleware(broken)] })
  await assert.rejects(failing.invoke({ messages: [new HumanMessage(SAID)] }), /recognizer|broken/)
  assert.equal(stub.received.length, 0)
})
