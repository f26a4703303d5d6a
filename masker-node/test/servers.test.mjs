// Express and Fastify: handlers work on tokens, clients see originals.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import { Masker } from 'masker-node'
import { maskRequests as expressMiddleware } from 'masker-node/express'
import { maskRequests as fastifyPlugin } from 'masker-node/fastify'
import express from 'express'
import Fastify from 'fastify'

const BODY = { caller: { phone: '415-555-0142', name: 'Ann "Annie" Reed' }, note: 'write to ada@example.com' }
const CHAT = { model: 'm', messages: [{ role: 'user', content: 'call me at 415-555-0142' }] }

const seen = []
const chunks = (text) => {
  const data = (content) => `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content } }] })}\n\n`
  return [...text.match(/[^]{1,4}/g).map(data), 'data: [DONE]\n\n']
}

async function withExpress(source, work) {
  const app = express()
  app.use(express.json(), express.text(), expressMiddleware(source))
  app.post('/json', (req, res) => {
    seen.push(JSON.stringify(req.body))
    res.json({ got: req.body })
  })
  app.post('/text', (req, res) => {
    seen.push(req.body)
    res.type('text/plain').send(`You said: ${req.body}`)
  })
  app.post('/stream', async (req, res) => {
    const said = req.body.messages[0].content
    seen.push(said)
    res.type('text/event-stream')
    for (const event of chunks(`You said: ${said}.`)) {
      res.write(event)
      await new Promise(setImmediate)
    }
    res.end()
  })
  app.post('/binary', (_req, res) => res.type('application/octet-stream').send(Buffer.from([0, 255, 1])))
  app.post('/empty', (_req, res) => res.status(204).end())
  app.use((error, _req, res, _next) => res.status(500).json({ code: error.code }))
  const server = app.listen(0, '127.0.0.1')
  await once(server, 'listening')
  try {
    await work(`http://127.0.0.1:${server.address().port}`)
  } finally {
    server.close()
  }
}

async function withFastify(source, work) {
  const app = Fastify()
  await app.register(fastifyPlugin, { source })
  app.post('/json', async (request) => {
    seen.push(JSON.stringify(request.body))
    return { got: request.body }
  })
  app.post('/text', async (request) => {
    seen.push(request.body)
    return `You said: ${request.body}`
  })
  app.post('/stream', async (request, reply) => {
    const said = request.body.messages[0].content
    seen.push(said)
    return reply.type('text/event-stream').send(Readable.from(chunks(`You said: ${said}.`).map((event) => Buffer.from(event))))
  })
  app.post('/binary', async (_request, reply) => reply.type('application/octet-stream').send(Buffer.from([0, 255, 1])))
  app.post('/empty', async (_request, reply) => reply.status(204).send())
  app.setErrorHandler((error, _request, reply) => reply.status(500).send({ code: error.code }))
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  try {
    await work(url)
  } finally {
    await app.close()
  }
}

for (const [name, serve] of [['express', withExpress], ['fastify', withFastify]]) {
  for (const surface of ['token', 'alias']) {
    test(`${name}, ${surface}`, async () => {
      const masker = new Masker({ surface })
      await serve(masker, async (url) => {
        const post = (path, body, type = 'application/json') =>
          fetch(url + path, { method: 'POST', headers: { 'content-type': type }, body })
        seen.length = 0
        assert.deepEqual(await (await post('/json', JSON.stringify(BODY))).json(), { got: BODY })
        assert.equal(await (await post('/text', 'call 415-555-0142', 'text/plain')).text(), 'You said: call 415-555-0142')

        const stream = await (await post('/stream', JSON.stringify(CHAT))).text()
        const said = [...stream.matchAll(/"content":"([^"]*)"/g)].map((match) => match[1]).join('')
        assert.equal(said, 'You said: call me at 415-555-0142.')
        assert.match(stream, /data: \[DONE\]\n\n$/)

        assert.deepEqual(new Uint8Array(await (await post('/binary', '{}')).arrayBuffer()), new Uint8Array([0, 255, 1]))
        assert.equal((await post('/empty', '{}')).status, 204)

        assert.equal(seen.length, 3)
        for (const original of ['415-555-0142', 'Reed', 'ada@example.com']) {
          assert.ok(!seen.join('\n').includes(original), original)
        }
      })
    })
  }

  test(`${name}: where masking fails the handler is not called`, async () => {
    const masker = new Masker({ recognizers: [{ name: 'broken', recognize: () => Promise.reject(new Error('x')) }] })
    await serve(masker, async (url) => {
      seen.length = 0
      const reply = await fetch(`${url}/json`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(BODY),
      })
      assert.equal(reply.status, 500)
      assert.deepEqual(await reply.json(), { code: 'recognizer_failed' })
      assert.equal(seen.length, 0)
    })
  })

  test(`${name}: a conversation for every caller`, async () => {
    const masker = new Masker({ surface: 'alias' })
    const calls = new Map()
    const source = (request) => {
      const id = request.headers['x-call']
      if (!calls.has(id)) calls.set(id, masker.conversation(id))
      return calls.get(id)
    }
    await serve(source, async (url) => {
      const say = async (call, text) => {
        const headers = { 'content-type': 'text/plain', 'x-call': call }
        return (await fetch(`${url}/text`, { method: 'POST', headers, body: text })).text()
      }
      await say('a', 'my number is 415-555-0142')
      assert.equal(await say('b', 'what is [PHONE_1]?'), 'You said: what is [PHONE_1]?')
      assert.match(await say('a', 'and 415-555-0143'), /415-555-0143$/)
      assert.equal(calls.get('a').valueCount, 2)
    })
  })
}

test('unknown options are refused', async () => {
  assert.throws(() => expressMiddleware(new Masker(), { restor: false }), { code: 'unknown_option', message: /"restore"/ })
  await assert.rejects(async () => Fastify().register(fastifyPlugin, { source: new Masker(), restores: false }), { code: 'unknown_option' })
})
