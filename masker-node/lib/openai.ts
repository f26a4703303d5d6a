import type { Conversation } from '../index.js'
import { refuseUnknown } from '../index.js'
import { maskerError } from './errors.js'
import { conversationFor, isNoChat, type Source } from './session.js'

/** A request on its way, for a function that finds its conversation. */
export interface FetchCall {
  url: string
  /** The parsed body; nothing where there is none. */
  body: unknown
}

export interface MaskedFetchOptions {
  /** Sends the masked request; the global `fetch` if left out. */
  fetch?: typeof globalThis.fetch
}

/**
 * A `fetch` for the official OpenAI client, or any client of that protocol: requests leave masked, replies come back
 * restored, streams and tool calls included. Nothing is sent where masking fails.
 *
 * ```js
 * const client = new OpenAI({ fetch: maskedFetch(new Masker().conversation('call 17')) })
 * ```
 *
 * Bodies that are not JSON (uploads, sound) are refused.
 */
export function maskedFetch(source: Source<FetchCall>, options?: MaskedFetchOptions): typeof globalThis.fetch {
  refuseUnknown('the options of maskedFetch', options, ['fetch'])
  const send = options?.fetch ?? globalThis.fetch
  return async (input, init) => {
    const request = input instanceof Request ? input : undefined
    const url = request?.url ?? String(input)
    const sent = init?.body ?? (request?.body ? await request.clone().text() : undefined)
    if (sent === undefined || sent === null) {
      const conversation = await conversationFor(source, { url, body: undefined })
      return restored(conversation, await send(input, init), false)
    }
    const text = textOf(sent)
    const body = parsed(text)
    const conversation = await conversationFor(source, { url, body })
    const masked = await maskedBody(conversation, text)
    const headers = new Headers(init?.headers ?? request?.headers)
    headers.delete('content-length')
    return restored(conversation, await send(input, { ...init, headers, body: masked }), asksForJson(body))
  }
}

function textOf(body: unknown): string {
  if (typeof body === 'string') return body
  if (body instanceof Uint8Array) return new TextDecoder('utf-8', { fatal: true }).decode(body)
  throw maskerError('unmaskable_content', 'the body of the request is not JSON and cannot be masked')
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw maskerError('unmaskable_content', 'the body of the request is not JSON and cannot be masked')
  }
}

async function maskedBody(conversation: Conversation, text: string): Promise<string> {
  try {
    return (await conversation.maskChat(text)).json
  } catch (error) {
    if (!isNoChat(error)) throw error
    return (await conversation.maskJson(text)).json
  }
}

/** Whether the words of the answer will be JSON. */
function asksForJson(body: unknown): boolean {
  const { response_format: format, text } = body as {
    response_format?: { type?: unknown }
    text?: { format?: { type?: unknown } }
  }
  const type = format?.type ?? text?.format?.type
  return type === 'json_object' || type === 'json_schema'
}

async function restored(conversation: Conversation, response: Response, jsonAnswer: boolean): Promise<Response> {
  const type = response.headers.get('content-type') ?? ''
  if (!response.body || !response.ok) return response
  if (type.startsWith('text/event-stream')) {
    const stream = response.body.pipeThrough(conversation.rehydrateSse({ jsonAnswer }) as never)
    return replaced(response, stream as ReadableStream<Uint8Array>)
  }
  if (!/^application\/([\w.+-]+\+)?json/.test(type)) return response
  const text = await response.text()
  try {
    return replaced(response, (await conversation.rehydrateChat(text)).json)
  } catch (error) {
    // Lists of models and the like hold no answer.
    if (isNoChat(error)) return replaced(response, text)
    throw error
  }
}

function replaced(response: Response, body: string | ReadableStream<Uint8Array>): Response {
  const headers = new Headers(response.headers)
  // Both were of the body as it was sent.
  headers.delete('content-length')
  headers.delete('content-encoding')
  const made = new Response(body, { status: response.status, statusText: response.statusText, headers })
  Object.defineProperty(made, 'url', { value: response.url })
  return made
}
