import type { Conversation, StreamRehydrator } from '../index.js'
import { refuseUnknown } from '../index.js'
import { maskerError } from './errors.js'
import { conversationFor, type Source } from './session.js'

export interface MaskerMiddlewareOptions<Version extends 'v2' | 'v3' | 'v4' = 'v4'> {
  /** The specification version of the models: `v2` for ai 5, `v3` for ai 6, `v4` for ai 7 (if left out). */
  specificationVersion?: Version
}

/** The parameters of a model call, for a function that finds its conversation. */
export interface ModelCall {
  type: 'generate' | 'stream'
  params: ModelParams
}

export interface ModelParams {
  prompt: ReadonlyArray<{ role: string; content: unknown }>
  providerOptions?: Record<string, Record<string, unknown>>
}

/** The middleware, as `wrapLanguageModel` takes it. */
export interface MaskerMiddleware<Version extends 'v2' | 'v3' | 'v4' = 'v4'> {
  readonly specificationVersion: Version
  readonly middlewareVersion: Version extends 'v2' ? 'v2' : undefined
  // The three versions of the specification differ in parts that are passed through here as they are.
  transformParams(options: { type: 'generate' | 'stream'; params: any }): Promise<any>
  wrapGenerate(options: { doGenerate: () => PromiseLike<any>; params: any }): Promise<any>
  wrapStream(options: { doStream: () => PromiseLike<any>; params: any }): Promise<any>
}

/**
 * Middleware for the AI SDK: prompts leave masked, answers come back restored, streamed text and the inputs of tool calls
 * included. Nothing is sent where masking fails.
 *
 * ```js
 * const model = wrapLanguageModel({ model: openai('gpt-5'), middleware: maskerMiddleware(conversation) })
 * ```
 *
 * Reasoning is left masked, as it was signed.
 */
export function maskerMiddleware<Version extends 'v2' | 'v3' | 'v4' = 'v4'>(
  source: Source<ModelCall>,
  options?: MaskerMiddlewareOptions<Version>,
): MaskerMiddleware<Version> {
  refuseUnknown('the options of maskerMiddleware', options, ['specificationVersion'])
  const version = (options?.specificationVersion ?? 'v4') as Version
  if (version !== 'v2' && version !== 'v3' && version !== 'v4') {
    throw maskerError('invalid_argument', '"specificationVersion" must be one of v2, v3, v4')
  }
  const conversations = new WeakMap<object, Conversation>()
  const conversationOf = (params: object): Conversation => {
    const conversation = conversations.get(params)
    if (conversation) return conversation
    throw maskerError('internal_error', 'the parameters were changed by a middleware closer to the model; put masker last')
  }
  return {
    specificationVersion: version,
    middlewareVersion: (version === 'v2' ? 'v2' : undefined) as never,
    async transformParams({ type, params }) {
      const conversation = await conversationFor(source, { type, params })
      const masked = await maskedParams(conversation, params)
      conversations.set(masked, conversation)
      return masked
    },
    async wrapGenerate({ doGenerate, params }) {
      const conversation = conversationOf(params)
      const result = await doGenerate()
      const content = await Promise.all((result.content as Part[]).map((part) => restoredPart(conversation, part, params)))
      return { ...result, content }
    },
    async wrapStream({ doStream, params }) {
      const conversation = conversationOf(params)
      const { stream, ...rest } = await doStream()
      return { stream: stream.pipeThrough(restoredParts(conversation, params)), ...rest }
    },
  }
}

type Part = { type: string; [member: string]: unknown }
type Params = {
  prompt: Array<{ role: string; content: unknown }>
  tools?: Part[]
  responseFormat?: { type?: string }
}
type Value = null | boolean | number | string | Value[] | { [member: string]: Value }

/** Parts whose text is masked, or that hold ids alone. All others count as no text: what is not known might hold anything. */
const READ = new Set([
  'text',
  'reasoning',
  'tool-call',
  'tool-result',
  'tool-approval-request',
  'tool-approval-response',
])

async function maskedParams(conversation: Conversation, params: Params): Promise<Params> {
  const nonText = conversation.masker.policy.nonText
  const messages: Value[] = []
  /** What to do with the masked blocks, in order. */
  const prompt = params.prompt.map((message) => {
    if (typeof message.content === 'string') {
      const at = messages.push({ role: message.role, content: message.content }) - 1
      return (masked: Message[]) => ({ ...message, content: masked[at]!.content })
    }
    const kept = (message.content as Part[]).filter((part) => READ.has(part.type) || mayPass(nonText))
    const blocks: Value[] = []
    const put = kept.map((part) => blockOf(part, blocks, nonText))
    if (blocks.length === 0) return () => ({ ...message, content: kept })
    const at = messages.push({ role: message.role === 'tool' ? 'user' : message.role, content: blocks }) - 1
    return (masked: Message[]) => {
      const content = masked[at]!.content as Block[]
      return { ...message, content: put.map((put) => put(content)) }
    }
  })
  const descriptions = (params.tools ?? []).map((tool) => ({
    type: 'function',
    name: 'tool',
    description: typeof tool.description === 'string' ? tool.description : '',
    parameters: (tool.inputSchema ?? tool.parameters ?? {}) as Value,
  }))
  const chat = JSON.stringify({ messages, tools: descriptions })
  const masked = JSON.parse((await conversation.maskChat(chat)).json) as {
    messages: Message[]
    tools: Array<{ description: string; parameters: Value }>
  }
  const made: Params = { ...params, prompt: prompt.map((put) => put(masked.messages)) }
  if (params.tools) {
    made.tools = params.tools.map((tool, at) => {
      if (tool.type !== 'function') return tool
      const { description, parameters } = masked.tools[at]!
      const schema = 'inputSchema' in tool ? { inputSchema: parameters } : {}
      return { ...tool, ...schema, ...(typeof tool.description === 'string' ? { description } : {}) }
    })
  }
  return made
}

type Block = { type: string; text?: string; input?: Value; content?: Value }
type Message = { role: string; content: Value | Block[] }

type NonText = 'reject' | 'drop' | 'pass'

function mayPass(nonText: NonText): boolean {
  if (nonText === 'reject') {
    throw maskerError('unmaskable_content', 'a part of the prompt is not text and cannot be masked')
  }
  return nonText === 'pass'
}

/**
 * Adds the blocks that a part has in a chat as the core knows it, and tells how to make the part again from the masked ones.
 */
function blockOf(part: Part, blocks: Value[], nonText: NonText): (masked: Block[]) => Part {
  switch (part.type) {
    case 'text': {
      const at = blocks.push({ type: 'text', text: part.text as string }) - 1
      return (masked) => ({ ...part, text: masked[at]!.text })
    }
    case 'reasoning': {
      // It came masked, and a signature over it must still hold.
      if (part.providerOptions) return () => part
      const at = blocks.push({ type: 'text', text: part.text as string }) - 1
      return (masked) => ({ ...part, text: masked[at]!.text })
    }
    case 'tool-call': {
      const at = blocks.push({ type: 'tool_use', id: 'c', name: 'tool', input: { input: (part.input ?? null) as Value } }) - 1
      return (masked) => ({ ...part, input: (masked[at]!.input as { input: Value }).input })
    }
    case 'tool-result':
      return outputOf(part, blocks, nonText)
    case 'tool-approval-response': {
      if (typeof part.reason !== 'string') return () => part
      const at = blocks.push({ type: 'text', text: part.reason }) - 1
      return (masked) => ({ ...part, reason: masked[at]!.text })
    }
    default:
      return () => part
  }
}

function outputOf(part: Part, blocks: Value[], nonText: NonText): (masked: Block[]) => Part {
  const output = part.output as { type: string; value?: unknown; reason?: string }
  const result = (content: string) => blocks.push({ type: 'tool_result', tool_use_id: 'c', content }) - 1
  const texted = (at: number, make: (text: string) => object) => (masked: Block[]) => ({
    ...part,
    output: make(masked[at]!.content as string),
  })
  switch (output.type) {
    case 'text':
    case 'error-text':
      return texted(result(output.value as string), (value) => ({ ...output, value }))
    case 'json':
    case 'error-json':
      // In a list, so that a bare string is walked as JSON too.
      return texted(result(JSON.stringify([output.value ?? null])), (value) => ({
        ...output,
        value: (JSON.parse(value) as Value[])[0],
      }))
    case 'execution-denied':
      if (typeof output.reason !== 'string') return () => part
      return texted(result(output.reason), (reason) => ({ ...output, reason }))
    case 'content': {
      const items = (output.value as Part[]).filter((item) => item.type === 'text' || mayPass(nonText))
      const put = items.map((item) => {
        if (item.type !== 'text') return () => item
        const at = result(item.text as string)
        return (masked: Block[]) => ({ ...item, text: masked[at]!.content as string })
      })
      return (masked) => ({ ...part, output: { ...output, value: put.map((put) => put(masked)) } })
    }
    default:
      throw maskerError('unmaskable_content', `a tool result of type ${output.type} cannot be masked`)
  }
}

function isJson(params: Params): boolean {
  return params.responseFormat?.type === 'json'
}

async function restoredPart(conversation: Conversation, part: Part, params: Params): Promise<Part> {
  if (part.type === 'text') {
    const text = part.text as string
    const restored = isJson(params) ? await conversation.rehydrateJson(text) : await conversation.rehydrate(text)
    return { ...part, text: restored.text }
  }
  if (part.type === 'tool-call') return restoredCall(conversation, part)
  return part
}

async function restoredCall(conversation: Conversation, part: Part): Promise<Part> {
  if (part.inputEncoding === 'text') {
    return { ...part, input: (await conversation.rehydrate(part.input as string)).text }
  }
  if (typeof part.input === 'string') {
    return { ...part, input: (await conversation.rehydrateJson(part.input)).text }
  }
  const restored = await conversation.rehydrateJson(JSON.stringify(part.input ?? null))
  return { ...part, input: JSON.parse(restored.text) as Value }
}

/** Restores the parts of a stream: one rehydrator for every text and every tool input. */
function restoredParts(conversation: Conversation, params: Params): TransformStream<Part, Part> {
  const texts = new Map<string, StreamRehydrator>()
  const end = async (name: string, delta: (text: string) => Part, controller: { enqueue(part: Part): void }) => {
    const stream = texts.get(name)
    texts.delete(name)
    const { text } = stream ? await stream.flush() : { text: '' }
    if (text !== '') controller.enqueue(delta(text))
  }
  /** The last delta of every text, after which what it held back is modelled. */
  const deltas = new Map<string, Part>()
  return new TransformStream<Part, Part>({
    async transform(part, controller) {
      const kind = /^(text|tool-input)-(start|delta|end)$/.exec(part.type)
      if (!kind) {
        controller.enqueue(part.type === 'tool-call' ? await restoredCall(conversation, part) : part)
        return
      }
      const name = `${kind[1]} ${part.id as string}`
      if (kind[2] === 'start') {
        const json = kind[1] === 'tool-input' ? part.inputEncoding !== 'text' : isJson(params)
        texts.set(name, conversation.streamRehydrator({ json }))
        controller.enqueue(part)
      } else if (kind[2] === 'delta') {
        let stream = texts.get(name)
        if (!stream) texts.set(name, (stream = conversation.streamRehydrator({ json: kind[1] === 'tool-input' })))
        const delta = await stream.push(part.delta as string)
        deltas.set(name, part)
        if (delta !== '') controller.enqueue({ ...part, delta })
      } else {
        await end(name, (delta) => ({ ...deltas.get(name)!, delta }), controller)
        deltas.delete(name)
        controller.enqueue(part)
      }
    },
    async flush(controller) {
      for (const name of [...texts.keys()]) {
        await end(name, (delta) => ({ ...deltas.get(name)!, delta }), controller)
      }
    },
  })
}
