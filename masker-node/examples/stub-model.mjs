// Stands in for a language model, so that the examples run without one: it repeats what it was told, and shows it.
import { createServer } from 'node:http'

export async function startStubModel() {
  const received = []
  const server = createServer(async (req, res) => {
    let body = ''
    for await (const chunk of req) body += chunk
    const { messages, stream } = JSON.parse(body)
    const said = messages.at(-1).content
    const text = typeof said === 'string' ? said : said.map((part) => part.text).join(' ')
    received.push(text)
    const answer = `You said: ${text}`
    const base = { id: 'c1', created: 0, model: 'stub' }
    if (!stream) {
      res.setHeader('content-type', 'application/json')
      const choices = [{ index: 0, message: { role: 'assistant', content: answer }, finish_reason: 'stop' }]
      res.end(JSON.stringify({ ...base, object: 'chat.completion', choices, usage: {} }))
      return
    }
    res.setHeader('content-type', 'text/event-stream')
    for (const content of answer.match(/[^]{1,4}/gu)) {
      const choices = [{ index: 0, delta: { content }, finish_reason: null }]
      res.write(`data: ${JSON.stringify({ ...base, object: 'chat.completion.chunk', choices })}\n\n`)
    }
    const end = [{ index: 0, delta: {}, finish_reason: 'stop' }]
    res.end(`data: ${JSON.stringify({ ...base, object: 'chat.completion.chunk', choices: end })}\n\ndata: [DONE]\n\n`)
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { url: `http://127.0.0.1:${server.address().port}/v1`, received, close: () => server.close() }
}
