import { Scrubber, type ScrubOptions } from './scrub.js'

export type { ScrubOptions }

/** A record on its way through the formats of winston. */
export interface LogInfo {
  level: string
  message: unknown
  [member: string | symbol]: unknown
}

/** A format of winston. */
export interface ScrubFormat {
  options: object
  transform(info: LogInfo): LogInfo
}

const MESSAGE = Symbol.for('message')
const SPLAT = Symbol.for('splat')

/**
 * A format for winston that scrubs records by their content. It may stand anywhere; behind `json()` or `printf()` it scrubs the
 * finished line as well.
 *
 * ```js
 * const logger = createLogger({ format: format.combine(format.splat(), scrub(), format.json()), transports })
 * ```
 */
export function scrub(options?: ScrubOptions): ScrubFormat {
  const scrubber = new Scrubber('the options of scrub', options, ['/level', '/timestamp'])
  return {
    options: {},
    transform(info) {
      const made: LogInfo = { level: info.level, message: '' }
      try {
        Object.assign(made, scrubber.value({ ...info, message: plain(info.message), ...errorOf(info) }))
        if (Array.isArray(info[SPLAT])) made[SPLAT] = scrubber.value((info[SPLAT] as unknown[]).map(plain))
      } catch (error) {
        // A record that refers to itself, a vault that fails: nothing of it is written.
        made.message = 'a log record was withheld: it could not be scrubbed'
        made.code = (error as { code?: unknown }).code ?? 'internal_error'
        made[MESSAGE] = JSON.stringify(made)
      }
      for (const name of Object.getOwnPropertySymbols(info)) {
        if (name === SPLAT || made[name] !== undefined) continue
        made[name] = name === MESSAGE ? scrubber.line(String(info[name])) : info[name]
      }
      return made
    },
  }
}

/** Errors have nothing that JSON would take. */
function plain(value: unknown): unknown {
  if (!(value instanceof Error)) return value
  return { ...value, name: value.name, message: value.message, stack: value.stack }
}

function errorOf(info: LogInfo): object {
  const members: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(info)) {
    if (value instanceof Error) members[name] = plain(value)
  }
  if ((info as unknown) instanceof Error) members.stack = info.stack
  return members
}
