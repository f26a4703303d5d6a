import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Conversation } from '../index.js'
import { refuseUnknown } from '../index.js'
import { type BodyRestorer, bodyRestorer, maskedBody } from './http.js'
import { conversationFor, type Source } from './session.js'

/** A request with its parsed body. */
export type MaskedRequest = IncomingMessage & { body?: unknown; conversation?: Conversation }

export interface MaskRequestsOptions {
  /** Whether responses are restored; true if left out. */
  restore?: boolean
}

/**
 * Middleware for Express, behind the body parser: handlers see `req.body` masked and work on tokens, the client sees
 * originals. The conversation is `req.conversation`.
 *
 * ```js
 * app.use(express.json(), maskRequests(masker))
 * ```
 *
 * JSON, text and server-sent events of OpenAI's form are restored as they are written.
 */
export function maskRequests(
  source: Source<MaskedRequest>,
  options?: MaskRequestsOptions,
): (req: MaskedRequest, res: ServerResponse, next: (error?: unknown) => void) => void {
  refuseUnknown('the options of maskRequests', options, ['restore'])
  return (req, res, next) => {
    const prepare = async () => {
      const conversation = await conversationFor(source, req)
      if (req.body !== undefined) req.body = await maskedBody(conversation, req.body)
      req.conversation = conversation
      if (options?.restore ?? true) restoring(conversation, res)
    }
    prepare().then(() => next(), next)
  }
}

type Written = string | Uint8Array
type Callback = (error?: Error | null) => void

/** Restores what is written to a response. */
function restoring(conversation: Conversation, res: ServerResponse): void {
  const { write, end } = res
  let restorer: BodyRestorer | undefined
  let begun = false
  const begin = () => {
    if (begun) return
    begun = true
    restorer = bodyRestorer(conversation, String(res.getHeader('content-type') ?? ''))
    if (!restorer || res.headersSent) return
    // Both are of the masked body.
    res.removeHeader('content-length')
    res.removeHeader('etag')
  }
  const bytes = (chunk: Written, encoding?: BufferEncoding) =>
    typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk

  res.write = function (this: ServerResponse, chunk: Written, ...rest: unknown[]) {
    begin()
    if (!restorer) return Reflect.apply(write, this, [chunk, ...rest]) as boolean
    const encoding = typeof rest[0] === 'string' ? (rest[0] as BufferEncoding) : undefined
    const callback = rest.find((value): value is Callback => typeof value === 'function')
    const restored = restorer.push(bytes(chunk, encoding))
    if (restored.length > 0) return Reflect.apply(write, this, callback ? [restored, callback] : [restored]) as boolean
    if (callback) process.nextTick(callback)
    return true
  } as typeof res.write

  res.end = function (this: ServerResponse, ...args: unknown[]) {
    begin()
    if (!restorer) return Reflect.apply(end, this, args) as ServerResponse
    const callback = args.find((value): value is Callback => typeof value === 'function')
    const encoding = typeof args[1] === 'string' ? (args[1] as BufferEncoding) : undefined
    const chunk = typeof args[0] === 'function' ? undefined : (args[0] as Written | null | undefined)
    const first = chunk === undefined || chunk === null ? Buffer.alloc(0) : restorer.push(bytes(chunk, encoding))
    const last = Buffer.concat([first, restorer.end()])
    restorer = undefined
    if (!res.headersSent && last.length > 0) res.setHeader('content-length', last.length)
    const rest = [...(last.length > 0 ? [last] : []), ...(callback ? [callback] : [])]
    return Reflect.apply(end, this, rest) as ServerResponse
  } as typeof res.end
}
