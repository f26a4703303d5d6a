// A route for the AI SDK, as a framework takes it: a Request in, a streamed Response out. `node examples/ai-route.mjs`
import { createOpenAI } from '@ai-sdk/openai'
import { convertToModelMessages, streamText, wrapLanguageModel } from 'ai'
import { Masker } from 'masker-node'
import { maskerMiddleware } from 'masker-node/ai'
import { startStubModel } from './stub-model.mjs'

const masker = new Masker({ surface: 'alias' })
const chats = new Map()

/** One conversation for every chat, so that a value keeps its alias from turn to turn. */
function conversationOf(id) {
  if (!chats.has(id)) chats.set(id, masker.conversation(id))
  return chats.get(id)
}

export function makeRoute(model) {
  return async function POST(request) {
    const { id, messages } = await request.json()
    const conversation = conversationOf(id)
    const result = streamText({
      model: wrapLanguageModel({ model, middleware: maskerMiddleware(conversation, { specificationVersion: 'v3' }) }),
      system: conversation.systemHint,
      messages: await convertToModelMessages(messages),
    })
    return result.toTextStreamResponse()
  }
}

if (process.argv[1]?.endsWith('ai-route.mjs')) {
  const stub = await startStubModel()
  const POST = makeRoute(createOpenAI({ baseURL: stub.url, apiKey: 'none' }).chat('stub'))
  const body = { id: 'ann', messages: [{ role: 'user', parts: [{ type: 'text', text: 'I am Ann Reed, call 415-555-0142' }] }] }
  const response = await POST(new Request('http://localhost/api/chat', { method: 'POST', body: JSON.stringify(body) }))
  console.log(`the caller reads: ${await response.text()}`)
  console.log(`the model saw:    ${stub.received[0]}`)
  stub.close()
}
