import type { Conversation, SseRehydrator, StreamRehydrator } from '../index.js'
import { isNoChat } from './session.js'

/** Masks a parsed body: chats as chats, other JSON as JSON, texts as what a user says. */
export async function maskedBody(conversation: Conversation, body: unknown): Promise<unknown> {
  if (typeof body === 'string') return (await conversation.maskTurn('user', body)).text
  if (body === null || typeof body !== 'object') return body
  const json = JSON.stringify(body)
  try {
    return JSON.parse((await conversation.maskChat(json)).json) as unknown
  } catch (error) {
    if (!isNoChat(error)) throw error
    return JSON.parse((await conversation.maskJson(json)).json) as unknown
  }
}

/** Restores the body of a response as it is written, or nothing where its type is no text. */
export interface BodyRestorer {
  push(chunk: Uint8Array): Uint8Array
  end(): Uint8Array
}

/** What restores a body of a content type; nothing where it is neither JSON nor text. */
export function bodyRestorer(conversation: Conversation, contentType: string): BodyRestorer | undefined {
  const type = contentType.split(';')[0]!.trim().toLowerCase()
  if (type === 'text/event-stream') return new EventBody(conversation.sseRehydrator())
  if (/^application\/([\w.+-]+\+)?(json|x-ndjson|jsonl)$/.test(type)) {
    return new TextBody(conversation.streamRehydrator({ json: true }))
  }
  return type.startsWith('text/') ? new TextBody(conversation.streamRehydrator()) : undefined
}

class TextBody implements BodyRestorer {
  readonly #stream: StreamRehydrator
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true })

  constructor(stream: StreamRehydrator) {
    this.#stream = stream
  }

  push(chunk: Uint8Array): Uint8Array {
    return Buffer.from(this.#stream.pushSync(this.#decoder.decode(chunk, { stream: true })))
  }

  end(): Uint8Array {
    const rest = this.#stream.pushSync(this.#decoder.decode())
    return Buffer.from(rest + this.#stream.flushSync().text)
  }
}

class EventBody implements BodyRestorer {
  readonly #stream: SseRehydrator

  constructor(stream: SseRehydrator) {
    this.#stream = stream
  }

  push(chunk: Uint8Array): Uint8Array {
    return this.#stream.pushSync(chunk)
  }

  end(): Uint8Array {
    return this.#stream.finishSync()
  }
}
