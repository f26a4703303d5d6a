import { Transform } from 'node:stream'
import type { Conversation } from '../index.js'
import { refuseUnknown } from '../index.js'
import { bodyRestorer, maskedBody } from './http.js'
import { conversationFor, type Source } from './session.js'

/** What the plug-in needs of a request. */
export interface MaskedRequest {
  body: unknown
  headers: Record<string, unknown>
  conversation?: Conversation
}

export interface MaskRequestsOptions {
  /** Whose tokens: a masker, a conversation, or a function that finds the conversation of a request. */
  source: Source<MaskedRequest>
  /** Whether responses are restored; true if left out. */
  restore?: boolean
}

interface Reply {
  getHeader(name: string): unknown
  removeHeader(name: string): unknown
}

interface Instance {
  decorateRequest(name: string, value?: unknown): unknown
  addHook(name: any, hook: (...args: any[]) => Promise<unknown>): unknown
}

/**
 * Plug-in for Fastify: handlers see `request.body` masked and work on tokens, the client sees originals. The conversation is
 * `request.conversation`.
 *
 * ```js
 * await app.register(maskRequests, { source: masker })
 * ```
 */
export async function maskRequests(app: Instance, options: MaskRequestsOptions): Promise<void> {
  // Fastify adds members of its own.
  const { source, restore, ...own } = options as MaskRequestsOptions & Record<string, unknown>
  refuseUnknown('the options of maskRequests', own, ['prefix', 'logLevel', 'logSerializers'])
  app.decorateRequest('conversation', undefined)
  app.addHook('preHandler', async (request: MaskedRequest) => {
    const conversation = await conversationFor(source, request)
    if (request.body !== undefined && request.body !== null) request.body = await maskedBody(conversation, request.body)
    request.conversation = conversation
  })
  if (restore === false) return
  app.addHook('onSend', async (request: MaskedRequest, reply: Reply, payload: unknown) => {
    const restorer = request.conversation && bodyRestorer(request.conversation, String(reply.getHeader('content-type') ?? ''))
    if (!restorer || payload === null || payload === undefined) return payload
    reply.removeHeader('content-length')
    if (typeof payload === 'string' || payload instanceof Uint8Array) {
      const first = restorer.push(Buffer.from(payload as Uint8Array))
      return Buffer.concat([first, restorer.end()])
    }
    if (!isReadable(payload)) return payload
    return payload.pipe(
      new Transform({
        transform: (chunk: Uint8Array, _encoding, done) => give(done, () => restorer.push(chunk)),
        flush: (done) => give(done, () => restorer.end()),
      }),
    )
  })
}

// The hooks are for the routes of the one who registers the plug-in.
Object.assign(maskRequests, { [Symbol.for('skip-override')]: true, [Symbol.for('fastify.display-name')]: 'masker-node' })

function give(done: (error: Error | null, bytes?: Uint8Array) => void, work: () => Uint8Array): void {
  try {
    done(null, work())
  } catch (error) {
    done(error as Error)
  }
}

function isReadable(value: unknown): value is NodeJS.ReadableStream {
  return typeof (value as { pipe?: unknown }).pipe === 'function'
}
