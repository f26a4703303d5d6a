// A chat server: callers say PHI, the model sees aliases, callers read their own words again. `node examples/chat-server.mjs`,
// then: curl -N localhost:3000/chat/ann -H 'content-type: application/json' -d '{"text":"I am Ann Reed, call 415-555-0142"}'
import express from 'express'
import { Masker } from 'masker-node'
import { maskedFetch } from 'masker-node/openai'
import OpenAI from 'openai'
import { startStubModel } from './stub-model.mjs'

export async function startChatServer(port = 0) {
  const model = await startStubModel()
  const masker = new Masker({ surface: 'alias' })
  const chats = new Map()
  const chatOf = (id) => {
    if (!chats.has(id)) {
      const conversation = masker.conversation(id)
      const client = new OpenAI({ baseURL: model.url, apiKey: 'none', fetch: maskedFetch(conversation) })
      chats.set(id, { client, messages: [{ role: 'system', content: `You are a clinic's assistant. ${conversation.systemHint}` }] })
    }
    return chats.get(id)
  }

  const app = express()
  app.use(express.json())
  app.post('/chat/:id', async (req, res) => {
    const { client, messages } = chatOf(req.params.id)
    messages.push({ role: 'user', content: String(req.body.text) })
    res.type('text/plain')
    let answer = ''
    for await (const chunk of await client.chat.completions.create({ model: 'stub', messages, stream: true })) {
      const piece = chunk.choices[0]?.delta?.content ?? ''
      answer += piece
      res.write(piece)
    }
    messages.push({ role: 'assistant', content: answer })
    res.end('\n')
  })
  const server = app.listen(port, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const close = () => {
    server.close()
    model.close()
  }
  return { url: `http://127.0.0.1:${server.address().port}`, received: model.received, close }
}

if (process.argv[1]?.endsWith('chat-server.mjs')) {
  const { url } = await startChatServer(Number(process.env.PORT ?? 3000))
  console.log(`listening on ${url}`)
}
