import type { Conversation, StreamRehydrator } from '../index.js'
import { conversationFor, type Source } from './session.js'

/** What the middleware needs of a model request. */
export interface ModelRequest {
  messages: ReadonlyArray<unknown>
  systemMessage?: unknown
}

/** Middleware of LangChain agents. */
export interface MaskerMiddleware {
  name: string
  // The types of LangChain say the same with their own names; nothing of it is imported here.
  wrapModelCall(request: any, handler: (request: any) => any): Promise<any>
}

/**
 * Middleware for LangChain agents: the model sees messages, tool calls and tool results masked; the agent, its tools and its
 * state see originals.
 *
 * ```js
 * const agent = createAgent({ model, tools, middleware: [maskerMiddleware(conversation)] })
 * ```
 *
 * What a model streams is masked until the call ends: pass it through `restoreStream`.
 */
export function maskerMiddleware(source: Source<ModelRequest>): MaskerMiddleware {
  return {
    [Symbol.for('AgentMiddleware')]: true,
    name: 'MaskerMiddleware',
    async wrapModelCall(request: ModelRequest, handler: (request: ModelRequest) => unknown) {
      const conversation = await conversationFor(source, request)
      const answer = await handler(await maskedRequest(conversation, request))
      return isMessage(answer) ? restoredMessage(conversation, answer) : answer
    },
  } as MaskerMiddleware
}

/**
 * Restores messages that an agent or a model streams: chunks, or pairs of a chunk and what belongs to it, as
 * `streamMode: 'messages'` gives them.
 *
 * ```js
 * for await (const [chunk] of restoreStream(conversation, await agent.stream(input, { streamMode: 'messages' }))) …
 * ```
 */
export async function* restoreStream<T>(conversation: Conversation, stream: AsyncIterable<T>): AsyncGenerator<T> {
  const texts = new Map<string, StreamRehydrator>()
  const lasts = new Map<string, { item: T; message: Message }>()
  const flushed = async function* (of: (id: string) => boolean): AsyncGenerator<T> {
    for (const [id, { item, message }] of [...lasts].filter(([id]) => of(id))) {
      lasts.delete(id)
      const held = await flush(texts, id)
      if (held) yield withMessage(item, copied(message, held(message)))
    }
  }
  for await (const item of stream) {
    const message = messageOf(item)
    if (!message || !isChunk(message)) {
      yield* flushed(() => true)
      yield item
      continue
    }
    const id = String(message.id ?? '')
    yield* flushed((other) => other !== id)
    lasts.set(id, { item, message })
    yield withMessage(item, await restoredChunk(conversation, message, id, texts))
  }
  yield* flushed(() => true)
}

interface ToolCall {
  name: string
  args: unknown
  id?: string
}

interface ToolCallChunk {
  args?: string
  index?: number
}

interface Message {
  content: string | Array<Record<string, unknown>>
  id?: string
  name?: string
  type?: string
  tool_calls?: ToolCall[]
  tool_call_chunks?: ToolCallChunk[]
  additional_kwargs?: Record<string, unknown>
  getType?(): string
  _getType?(): string
}

const ROLES: Record<string, string> = { ai: 'assistant', human: 'user', system: 'system', developer: 'system', tool: 'tool' }

function isMessage(value: unknown): value is Message {
  return typeof value === 'object' && value !== null && typeOf(value as Message) !== undefined && 'content' in value
}

function typeOf(message: Message): string | undefined {
  return message.getType?.() ?? message._getType?.() ?? message.type
}

function messageOf(item: unknown): Message | undefined {
  const message: unknown = Array.isArray(item) ? item[0] : item
  return isMessage(message) ? message : undefined
}

function withMessage<T>(item: T, message: Message): T {
  return (Array.isArray(item) ? [message, ...(item as unknown[]).slice(1)] : message) as T
}

function isChunk(message: Message): boolean {
  return typeOf(message) === 'ai' && message.constructor.name.endsWith('Chunk')
}

/** A message of the same class with other members. */
function copied(message: Message, members: Partial<Message>): Message {
  const made = Object.create(Object.getPrototypeOf(message) as object, Object.getOwnPropertyDescriptors(message)) as Message
  for (const [name, value] of Object.entries(members)) {
    Object.defineProperty(made, name, { value, writable: true, enumerable: true, configurable: true })
  }
  const kwargs = (message as { lc_kwargs?: object }).lc_kwargs
  if (kwargs) Object.assign(made, { lc_kwargs: { ...kwargs, ...members } })
  return made
}

/** A message as the core knows it; the position of its members is the same before and after. */
function asChat(message: Message): object {
  const calls = (message.tool_calls ?? []).map((call) => ({
    id: 'c',
    type: 'function',
    function: { name: 'tool', arguments: JSON.stringify(call.args ?? {}) },
  }))
  return {
    role: ROLES[typeOf(message)!] ?? 'user',
    content: message.content,
    ...(typeOf(message) === 'tool' || message.name === undefined ? {} : { name: message.name }),
    ...(calls.length > 0 ? { tool_calls: calls } : {}),
  }
}

interface ChatMessage {
  content: Message['content']
  name?: string
  tool_calls?: Array<{ function: { arguments: string } }>
}

function fromChat(message: Message, chat: ChatMessage): Message {
  const members: Partial<Message> = { content: chat.content }
  if (chat.name !== undefined) members.name = chat.name
  if (message.tool_calls && message.tool_calls.length > 0) {
    members.tool_calls = message.tool_calls.map((call, at) => ({
      ...call,
      args: JSON.parse(chat.tool_calls![at]!.function.arguments) as unknown,
    }))
  }
  if (message.additional_kwargs) {
    // What the provider said once more in its own words.
    const { tool_calls: _calls, function_call: _call, ...rest } = message.additional_kwargs
    members.additional_kwargs = rest
  }
  return copied(message, members)
}

async function maskedRequest(conversation: Conversation, request: ModelRequest): Promise<ModelRequest> {
  const system = isMessage(request.systemMessage) ? [request.systemMessage] : []
  const messages = [...system, ...(request.messages as Message[])]
  const { json } = await conversation.maskChat(JSON.stringify({ messages: messages.map(asChat) }))
  const masked = (JSON.parse(json) as { messages: ChatMessage[] }).messages
  const made = await Promise.all(
    messages.map(async (message, at) => {
      const copy = fromChat(message, masked[at]!)
      const kwargs = copy.additional_kwargs
      if (!kwargs || Object.keys(kwargs).length === 0) return copy
      const { json } = await conversation.masker.maskJson(JSON.stringify(kwargs))
      return copied(copy, { additional_kwargs: JSON.parse(json) as Record<string, unknown> })
    }),
  )
  if (system.length === 0) return { ...request, messages: made }
  return { ...request, systemMessage: made[0], messages: made.slice(1) }
}

async function restoredMessage(conversation: Conversation, message: Message): Promise<Message> {
  const { json } = await conversation.rehydrateChat(JSON.stringify({ messages: [asChat(message)] }))
  return fromChat(message, (JSON.parse(json) as { messages: ChatMessage[] }).messages[0]!)
}

async function restoredChunk(
  conversation: Conversation,
  message: Message,
  id: string,
  texts: Map<string, StreamRehydrator>,
): Promise<Message> {
  const push = (name: string, text: string, json: boolean) => {
    const key = `${id} ${name}`
    let stream = texts.get(key)
    if (!stream) texts.set(key, (stream = conversation.streamRehydrator({ json })))
    return stream.push(text)
  }
  const members: Partial<Message> = {}
  if (typeof message.content === 'string') {
    if (message.content !== '') members.content = await push('text', message.content, false)
  } else {
    members.content = await Promise.all(
      message.content.map(async (block, at) =>
        typeof block.text === 'string'
          ? { ...block, text: await push(`text ${String(block.index ?? at)}`, block.text, false) }
          : block,
      ),
    )
  }
  if (message.tool_call_chunks && message.tool_call_chunks.length > 0) {
    members.tool_call_chunks = await Promise.all(
      message.tool_call_chunks.map(async (chunk, at) =>
        chunk.args === undefined ? chunk : { ...chunk, args: await push(`args ${chunk.index ?? at}`, chunk.args, true) },
      ),
    )
  }
  return copied(message, members)
}

/** What the texts of a message hold back, as members of one more chunk. */
async function flush(
  texts: Map<string, StreamRehydrator>,
  id: string,
): Promise<((message: Message) => Partial<Message>) | undefined> {
  let text = ''
  const chunks: ToolCallChunk[] = []
  for (const [key, stream] of [...texts]) {
    if (!key.startsWith(`${id} `)) continue
    texts.delete(key)
    const rest = (await stream.flush()).text
    if (rest === '') continue
    const [kind, index] = key.slice(id.length + 1).split(' ')
    if (kind === 'text') text += rest
    else chunks.push({ args: rest, index: Number(index) })
  }
  if (text === '' && chunks.length === 0) return undefined
  return (message) => ({
    content: typeof message.content === 'string' ? text : text === '' ? [] : [{ type: 'text', text }],
    tool_call_chunks: chunks,
    tool_calls: [],
  })
}
