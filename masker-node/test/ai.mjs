// The AI SDK against a stub, with models of one specification version. Run with another version of `ai` by the tests.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Masker, Policy } from 'masker-node'
import { maskerMiddleware } from 'masker-node/ai'
import { z } from 'zod'
import { startStub } from './stub.mjs'

const ORIGINALS = ['Ann Reed', '415-555-0142', 'ada@example.com']
const SAID = "I'm Ann Reed, call me at 415-555-0142 or write to ada@example.com"
const WANTED = 'Thank you, I have Ann Reed and 415-555-0142 and ada@example.com. Is that right?'

export function suite({ ai, createOpenAI, version }) {
  const { generateText, streamText, tool, wrapLanguageModel, stepCountIs, isStepCount } = ai
  const steps = stepCountIs ?? isStepCount
  let stub
  before(async () => (stub = await startStub()))
  after(() => stub.close())

  const masked = (api, surface) => {
    const conversation = new Masker({ surface }).conversation('call 17')
    const openai = createOpenAI({ baseURL: stub.url, apiKey: 'none' })
    const middleware = maskerMiddleware(conversation, { specificationVersion: version })
    return wrapLanguageModel({ model: openai[api]('m'), middleware })
  }
  const nothingOriginal = () => {
    assert.ok(stub.received.length > 0)
    for (const original of ORIGINALS) assert.ok(!stub.text().includes(original), original)
    stub.received.length = 0
  }

  for (const surface of ['token', 'alias']) {
    for (const api of ['chat', 'responses']) {
      const model = () => masked(api, surface)
      test(`${version} ${api} ${surface}: text`, async () => {
        const { text } = await generateText({ model: model(), system: 'Be kind to Ann Reed.', prompt: SAID })
        assert.equal(text, WANTED)
        nothingOriginal()
      })

      test(`${version} ${api} ${surface}: streamed text`, async () => {
        const result = streamText({ model: model(), prompt: SAID })
        let text = ''
        for await (const piece of result.textStream) text += piece
        assert.equal(text, WANTED)
        nothingOriginal()
      })

      test(`${version} ${api} ${surface}: tools run on originals`, async () => {
        const ran = []
        const lookup = tool({
          description: 'Finds a patient',
          inputSchema: z.object({ phone: z.string(), note: z.string(), all: z.array(z.string()) }),
          execute: (input) => {
            ran.push(input)
            return { patient: 'Ann Reed', email: 'ada@example.com' }
          },
        })
        const request = { tools: { lookup }, stopWhen: steps(3), prompt: 'my number is 415-555-0142' }
        const wanted = { phone: '415-555-0142', note: 'say "hi"\n', all: ['415-555-0142'] }

        const generated = await generateText({ model: model(), ...request })
        assert.deepEqual(ran, [wanted])
        assert.match(generated.text, /415-555-0142/)
        assert.match(generated.text, /ada@example\.com/)

        const streamed = streamText({ model: model(), ...request })
        const deltas = []
        let text = ''
        for await (const part of streamed.fullStream) {
          if (part.type === 'tool-input-delta') deltas.push(part.delta)
          if (part.type === 'text-delta') text += part.text
          assert.notEqual(part.type, 'error', String(part.error))
        }
        assert.deepEqual(ran, [wanted, wanted])
        assert.deepEqual(JSON.parse(deltas.join('')), wanted)
        assert.match(text, /ada@example\.com/)
        nothingOriginal()
      })
    }
  }

  test(`${version}: a part that cannot be masked is not sent`, async () => {
    const model = masked('chat', 'alias')
    const content = [{ type: 'file', data: new Uint8Array(8), mediaType: 'image/png' }]
    await assert.rejects(generateText({ model, maxRetries: 0, messages: [{ role: 'user', content }] }), { code: 'unmaskable_content' })
    assert.equal(stub.received.length, 0)
  })

  test(`${version}: what is no text in a tool result, and parts that are not known, are treated as the policy says`, async () => {
    const picture = { type: 'media', data: 'AAAA', mediaType: 'image/png' }
    const output = { type: 'content', value: [{ type: 'text', text: SAID }, picture] }
    const result = { prompt: [{ role: 'tool', content: [{ type: 'tool-result', toolCallId: '1', toolName: 'look', output }] }] }
    const unknown = { prompt: [{ role: 'assistant', content: [{ type: 'hologram', data: SAID }] }] }
    const under = (nonText) => {
      const policy = new Policy(`${Policy.presetSource('healthcare-default')}\nnon_text: ${nonText}\n`)
      const middleware = maskerMiddleware(new Masker({ policy }).conversation('call 18'), { specificationVersion: version })
      return (params) => middleware.transformParams({ type: 'generate', params })
    }
    for (const params of [result, unknown]) await assert.rejects(under('reject')(params), { code: 'unmaskable_content' })
    const types = (params) => params.prompt[0].content[0].output.value.map(({ type }) => type)
    const dropped = await under('drop')(result)
    assert.deepEqual(types(dropped), ['text'])
    for (const original of ORIGINALS) assert.ok(!JSON.stringify(dropped).includes(original), original)
    assert.deepEqual((await under('drop')(unknown)).prompt[0].content, [])
    assert.deepEqual(types(await under('pass')(result)), ['text', 'media'])
  })
}
