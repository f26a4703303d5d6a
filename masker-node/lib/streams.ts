import { Conversation, Masker, refuseUnknown } from '../index.js'
import type { Role } from '../index.js'
import { maskerError } from './errors.js'

/** What streams are made of: text, or its UTF-8 bytes cut anywhere. What comes out is of the kind that went in. */
export type Chunk = string | Uint8Array

/** How a text is masked as a stream. */
export interface MaskStreamOptions {
  /** Who says it; `user` if left out. */
  role?: Role
}

declare module '../index.js' {
  interface Masker {
    /**
     * Masks one text that comes as a stream, strings or bytes.
     *
     * ```js
     * const masked = Readable.toWeb(createReadStream('call.txt')).pipeThrough(masker.maskStream())
     * ```
     */
    maskStream<T extends Chunk = string>(options?: MaskStreamOptions): TransformStream<T, T>
  }
  interface Conversation {
    /** Masks one message of this conversation that comes as a stream, strings or bytes. */
    maskStream<T extends Chunk = string>(options?: MaskStreamOptions): TransformStream<T, T>
    /** Restores a text that comes as a stream, strings or bytes. Only what may still become a token is held back. */
    rehydrateStream<T extends Chunk = string>(options?: StreamRehydratorOptions): TransformStream<T, T>
    /** Restores the answers in a stream of server-sent events: OpenAI chat completions and responses, Anthropic messages. */
    rehydrateSse(options?: SseRehydratorOptions): TransformStream<Uint8Array, Uint8Array>
  }
}

Masker.prototype.maskStream = function maskStream(options) {
  return this.conversation().maskStream(options)
}

Conversation.prototype.maskStream = function maskStream(options) {
  refuseUnknown('the options of a mask stream', options, ['role'])
  const stream = this.streamMasker(options?.role ?? 'user')
  return textStream(
    (text) => stream.push(text),
    async () => (await stream.finish()).text,
  )
}

Conversation.prototype.rehydrateStream = function rehydrateStream(options) {
  const stream = this.streamRehydrator(options)
  return textStream(
    (text) => stream.push(text),
    async () => (await stream.flush()).text,
  )
}

Conversation.prototype.rehydrateSse = function rehydrateSse(options) {
  const stream = this.sseRehydrator(options)
  return new TransformStream<Uint8Array, Uint8Array>({
    async transform(chunk, controller) {
      const bytes = await stream.push(chunk)
      if (bytes.length > 0) controller.enqueue(bytes)
    },
    async flush(controller) {
      const bytes = await stream.finish()
      if (bytes.length > 0) controller.enqueue(bytes)
    },
  })
}

/** A transform over text, or over bytes that are text. */
function textStream<T extends Chunk>(
  push: (text: string) => Promise<string>,
  end: () => Promise<string>,
): TransformStream<T, T> {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  const encoder = new TextEncoder()
  let inBytes: boolean | undefined
  // An encoder writes half a pair as the replacement character, so the first half waits for the second.
  let half = ''
  const give = (controller: TransformStreamDefaultController<T>, text: string, last: boolean) => {
    if (!inBytes) {
      if (text !== '') controller.enqueue(text as T)
      return
    }
    let whole = half + text
    half = ''
    if (!last && /[\ud800-\udbff]$/.test(whole)) {
      half = whole.slice(-1)
      whole = whole.slice(0, -1)
    }
    if (whole !== '') controller.enqueue(encoder.encode(whole) as Chunk as T)
  }
  return new TransformStream<T, T>({
    async transform(chunk, controller) {
      const isBytes = typeof chunk !== 'string'
      if (isBytes && !((chunk as unknown) instanceof Uint8Array)) {
        throw maskerError('invalid_argument', 'a chunk must be a string or a Uint8Array')
      }
      if (isBytes !== (inBytes ??= isBytes)) {
        throw maskerError('invalid_argument', 'the chunks of a stream must be all strings or all bytes')
      }
      const text = isBytes ? decoder.decode(chunk as Uint8Array, { stream: true }) : chunk
      give(controller, await push(text), false)
    },
    async flush(controller) {
      const rest = inBytes ? decoder.decode() : ''
      const before = rest === '' ? '' : await push(rest)
      give(controller, before + (await end()), true)
    },
  })
}

