// What the adapters do where the model fails, stops in the middle, or is not wanted any more.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { inspect } from 'node:util'
import { createOpenAI } from '@ai-sdk/openai'
import { generateText, streamText, wrapLanguageModel } from 'ai'
import { ChatOpenAI } from '@langchain/openai'
import { createAgent } from 'langchain'
import OpenAI from 'openai'
import { Masker } from 'masker-node'
import { maskerMiddleware } from 'masker-node/ai'
import { maskerMiddleware as langchainMiddleware } from 'masker-node/langchain'
import { maskedFetch } from 'masker-node/openai'
import { startStub } from './stub.mjs'

const SAID = "I'm Ann Reed, call me at 415-555-0142 or write to ada@example.com"
const WANTED = 'Thank you, I have Ann Reed and 415-555-0142 and ada@example.com. Is that right?'
// As far as it is certain when the stream ends.
const CERTAIN = 'Thank you, I have Ann Reed and 415-555-0142 and '
const messages = [{ role: 'user', content: SAID }]
const clean = (value) => {
  const shown = `${inspect(value, { depth: 9, showHidden: false })}${value?.message}${value?.stack}`
  for (const original of ['Ann Reed', '415-555-0142', 'ada@example.com']) assert.ok(!shown.includes(original), shown)
}

let stub
before(async () => (stub = await startStub()))
after(() => stub.close())

/** Runs with a fault, and asserts that nothing original left. */
async function withFault(fault, work) {
  stub.fault = fault
  try {
    return await work()
  } finally {
    stub.fault = undefined
    for (const original of ['Ann Reed', '415-555-0142', 'ada@example.com']) assert.ok(!stub.text().includes(original))
    assert.ok(stub.received.length > 0)
    stub.received.length = 0
  }
}

function openai() {
  const conversation = new Masker({ surface: 'alias' }).conversation()
  return new OpenAI({ baseURL: stub.url, apiKey: 'none', maxRetries: 0, fetch: maskedFetch(conversation) })
}

const goesOn = async (client) => {
  const reply = await client.chat.completions.create({ model: 'm', messages })
  assert.equal(reply.choices[0].message.content, WANTED)
  stub.received.length = 0
}

for (const stream of [false, true]) {
  test(`openai: an error of the server, ${stream ? 'streamed' : 'whole'}`, async () => {
    const client = openai()
    const request = client.chat.completions.create({ model: 'm', messages, stream })
    await withFault('refuse', () => assert.rejects(request, (error) => {
      clean(error)
      return error instanceof OpenAI.InternalServerError && error.status === 503
    }))
    await goesOn(client)
  })
}

test('openai: a stream that is cut gives what is certain, and an error', async () => {
  const client = openai()
  await withFault('cut', async () => {
    let said = ''
    await assert.rejects(async () => {
      for await (const chunk of await client.chat.completions.create({ model: 'm', messages, stream: true })) {
        said += chunk.choices[0].delta.content ?? ''
      }
    }, (error) => {
      clean(error)
      return true
    })
    assert.ok(CERTAIN.startsWith(said) && !said.includes('['), said)
  })
  await goesOn(client)
})

test('openai: a stream that is not wanted any more ends at the server', async () => {
  for (const leave of ['abort', 'break']) {
    const client = openai()
    await withFault('hang', async () => {
      const left = stub.left()
      const controller = new AbortController()
      const stream = await client.chat.completions.create({ model: 'm', messages, stream: true }, { signal: controller.signal })
      let said = ''
      for await (const chunk of stream) {
        said += chunk.choices[0].delta.content ?? ''
        if (said !== CERTAIN) continue
        if (leave === 'break') break
        controller.abort()
      }
      assert.equal(said, CERTAIN)
      await left
    })
    await goesOn(client)
  }
})

const model = () => {
  const middleware = maskerMiddleware(new Masker({ surface: 'alias' }).conversation(), { specificationVersion: 'v3' })
  return wrapLanguageModel({ model: createOpenAI({ baseURL: stub.url, apiKey: 'none' }).chat('m'), middleware })
}

test('ai: an error of the server', async () => {
  await withFault('refuse', () => assert.rejects(generateText({ model: model(), prompt: SAID, maxRetries: 0 }), (error) => {
    clean(error)
    return error.statusCode === 503
  }))
})

test('ai: a stream that is cut gives what is certain, and an error', async () => {
  await withFault('cut', async () => {
    let said = ''
    const errors = []
    const { fullStream } = streamText({ model: model(), prompt: SAID, maxRetries: 0, onError: () => {} })
    try {
      for await (const part of fullStream) {
        if (part.type === 'text-delta') said += part.text
        if (part.type === 'error') errors.push(part.error)
      }
    } catch (error) {
      errors.push(error)
    }
    assert.ok(CERTAIN.startsWith(said) && !said.includes('['), said)
    assert.ok(errors.length > 0)
    for (const error of errors) clean(error)
  })
})

test('ai: a stream that is aborted ends at the server', async () => {
  await withFault('hang', async () => {
    const left = stub.left()
    const controller = new AbortController()
    let said = ''
    const { fullStream } = streamText({ model: model(), prompt: SAID, abortSignal: controller.signal, onError: () => {} })
    for await (const part of fullStream) {
      if (part.type === 'text-delta') said += part.text
      if (said === CERTAIN) controller.abort()
    }
    assert.equal(said, CERTAIN)
    await left
  })
})

test('langchain: an error of the server, and then an answer', async () => {
  const chat = new ChatOpenAI({ model: 'm', apiKey: 'none', maxRetries: 0, configuration: { baseURL: stub.url } })
  const middleware = [langchainMiddleware(new Masker({ surface: 'alias' }).conversation())]
  const agent = createAgent({ model: chat, tools: [], middleware })
  await withFault('refuse', () => assert.rejects(agent.invoke({ messages }), (error) => {
    clean(error)
    return true
  }))
  const { messages: said } = await agent.invoke({ messages })
  assert.equal(said.at(-1).text, WANTED)
})
