import type { ErrorCode, MaskerError } from '../index.js'

/** Whether something that was thrown comes from masker; its `code` says what to do. */
export function isMaskerError(error: unknown): error is Error & MaskerError {
  return error instanceof Error && error.name === 'MaskerError' && typeof (error as { code?: unknown }).code === 'string'
}

/** An error of the parts that are written in TypeScript, like those of the addon. */
export function maskerError(code: ErrorCode, message: string): Error & MaskerError {
  const error = new Error(message)
  Object.defineProperty(error, 'name', { value: 'MaskerError', configurable: true, writable: true })
  return Object.assign(error, { code }) as Error & MaskerError
}
