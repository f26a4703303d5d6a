import { Conversation, Masker } from '../index.js'
import { maskerError } from './errors.js'

/**
 * Where tokens of a call come from: a conversation; a masker, which begins a conversation for every call; or a function that
 * finds the conversation of a call.
 */
export type Source<Call> = Conversation | Masker | ((call: Call) => Conversation | Promise<Conversation>)

/** The conversation for a call. */
export async function conversationFor<Call>(source: Source<Call>, call: Call): Promise<Conversation> {
  if (source instanceof Conversation) return source
  if (source instanceof Masker) return source.conversation()
  if (typeof source === 'function') {
    const found = await source(call)
    if (found instanceof Conversation) return found
    throw maskerError('invalid_argument', 'the function must give a Conversation')
  }
  throw maskerError('invalid_argument', 'the first argument must be a Masker, a Conversation, or a function that gives one')
}

/** Whether an error says that a JSON text is no chat. */
export function isNoChat(error: unknown): boolean {
  return error instanceof Error && (error as { code?: unknown }).code === 'not_a_chat'
}
