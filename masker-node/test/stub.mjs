// A language model on loopback: it records what it is sent, and answers with the tokens it finds in it.
import { createServer } from 'node:http'

const TOKEN = /\[[A-Z][A-Z_]*_\d+\]|MSKV1\.[A-Z_]+\.[A-Z0-9_]+\.[A-Z2-7]+/g

/**
 * Starts a stub; `received` has the bodies it was sent. `fault` is what goes wrong: `refuse` is an error that repeats the
 * request, `cut` half of a stream and then the end of the connection, `hang` half of a stream and then nothing until the client
 * goes, which resolves `left()`.
 */
export async function startStub() {
  const received = []
  const stub = { received, fault: undefined }
  const server = createServer(async (req, res) => {
    let body = ''
    for await (const chunk of req) body += chunk
    received.push(body)
    const request = JSON.parse(body)
    if (stub.fault === 'refuse') {
      res.statusCode = 503
      return send(res, { error: { message: `overloaded: ${body}`, type: 'server_error' } })
    }
    if (stub.fault) res.fault = stub.fault
    res.once('close', () => gone?.())
    const kind = req.url.endsWith('/responses') ? responses : completions
    kind(request, res)
  })
  let gone
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  return Object.assign(stub, {
    left: () => new Promise((resolve) => (gone = resolve)),
    url: `http://127.0.0.1:${server.address().port}/v1`,
    close: () => new Promise((resolve) => server.close(resolve)),
    /** Everything that left the process. */
    text: () => received.join('\n'),
  })
}

const tokensIn = (value) => [...new Set(JSON.stringify(value).match(TOKEN) ?? [])]

/** Pieces of three characters, so that every token is cut. */
const pieces = (text) => text.match(/[^]{1,3}/gu) ?? []

function answerTo(said, tools, wantsJson) {
  const tokens = tokensIn(said)
  if (tools) return { arguments: JSON.stringify({ phone: tokens[0] ?? null, note: 'say "hi"\n', all: tokens }) }
  if (wantsJson) return { text: JSON.stringify({ values: tokens }) }
  return { text: `Thank you, I have ${tokens.join(' and ')}. Is that right?` }
}

function send(res, json) {
  res.setHeader('content-type', 'application/json')
  res.end(JSON.stringify(json))
}

/** Writes events, cut where no event ends. */
async function stream(res, events) {
  res.setHeader('content-type', 'text/event-stream')
  let bytes = Buffer.from(events.join(''))
  // In the middle of what stands for the last value.
  if (res.fault) bytes = bytes.subarray(0, Math.max(bytes.lastIndexOf('[E'), bytes.lastIndexOf('MSK')) + 2)
  for (let at = 0; at < bytes.length; at += 37) {
    res.write(bytes.subarray(at, at + 37))
    await new Promise(setImmediate)
  }
  if (res.fault === 'hang') return
  if (res.fault === 'cut') return res.destroy()
  res.end()
}

function completions(request, res) {
  const last = request.messages.at(-1)
  const tools = request.tools?.length && last.role !== 'tool'
  const answer = answerTo(request.messages, tools, request.response_format)
  const base = { id: 'c1', created: 1, model: 'stub' }
  const usage = { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 }
  const call = { id: 'call_1', type: 'function', function: { name: 'lookup', arguments: answer.arguments } }
  if (!request.stream) {
    const message = answer.arguments
      ? { role: 'assistant', content: null, tool_calls: [call] }
      : { role: 'assistant', content: answer.text }
    const choice = { index: 0, message, finish_reason: tools ? 'tool_calls' : 'stop' }
    return send(res, { ...base, object: 'chat.completion', choices: [choice], usage })
  }
  const chunk = (delta, finish = null) => {
    const choices = [{ index: 0, delta, finish_reason: finish }]
    return `data: ${JSON.stringify({ ...base, object: 'chat.completion.chunk', choices })}\n\n`
  }
  const deltas = answer.arguments
    ? [
        { role: 'assistant', tool_calls: [{ index: 0, ...call, function: { name: 'lookup', arguments: '' } }] },
        ...pieces(answer.arguments).map((text) => ({ tool_calls: [{ index: 0, function: { arguments: text } }] })),
      ]
    : [{ role: 'assistant', content: '' }, ...pieces(answer.text).map((content) => ({ content }))]
  const events = [...deltas.map((delta) => chunk(delta)), chunk({}, tools ? 'tool_calls' : 'stop'), 'data: [DONE]\n\n']
  return stream(res, events)
}

function responses(request, res) {
  const answered = Array.isArray(request.input) && request.input.some((item) => item.type === 'function_call_output')
  const tools = request.tools?.length && !answered
  const answer = answerTo(request.input, tools, false)
  const item = answer.arguments
    ? { id: 'fc_1', type: 'function_call', call_id: 'call_1', name: 'lookup', arguments: answer.arguments, status: 'completed' }
    : {
        id: 'msg_1',
        type: 'message',
        role: 'assistant',
        status: 'completed',
        content: [{ type: 'output_text', text: answer.text, annotations: [] }],
      }
  const response = {
    id: 'resp_1',
    object: 'response',
    created_at: 1,
    model: 'stub',
    status: 'completed',
    output: [item],
    usage: { input_tokens: 1, output_tokens: 1, total_tokens: 2 },
  }
  if (!request.stream) return send(res, response)
  let number = 0
  const event = (type, members) => {
    return `event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: number++, ...members })}\n\n`
  }
  const at = { item_id: item.id, output_index: 0 }
  const begun = { ...item, status: 'in_progress', ...(answer.arguments ? { arguments: '' } : { content: [] }) }
  const events = [
    event('response.created', { response: { ...response, status: 'in_progress', output: [] } }),
    event('response.output_item.added', { output_index: 0, item: begun }),
  ]
  if (answer.arguments) {
    for (const delta of pieces(answer.arguments)) events.push(event('response.function_call_arguments.delta', { ...at, delta }))
    events.push(event('response.function_call_arguments.done', { ...at, arguments: answer.arguments }))
  } else {
    const part = { type: 'output_text', text: '', annotations: [] }
    events.push(event('response.content_part.added', { ...at, content_index: 0, part }))
    for (const delta of pieces(answer.text)) events.push(event('response.output_text.delta', { ...at, content_index: 0, delta }))
    events.push(event('response.output_text.done', { ...at, content_index: 0, text: answer.text }))
    events.push(event('response.content_part.done', { ...at, content_index: 0, part: { ...part, text: answer.text } }))
  }
  events.push(event('response.output_item.done', { output_index: 0, item }))
  events.push(event('response.completed', { response }))
  return stream(res, events)
}
