import { Scrubber, type ScrubOptions } from './scrub.js'

export type { ScrubOptions }

/** What pino itself writes into a line. */
const OWN = ['/level', '/time', '/pid', '/hostname']

/** Options of pino that scrub every line by its content, before it reaches any destination or transport. */
export interface ScrubbedLogging {
  hooks: { streamWrite(line: string): string }
}

/**
 * Options for pino that scrub every line by its content.
 *
 * ```js
 * const logger = pino({ ...scrubbed() })
 * logger.info({ caller: '415-555-0142' }, 'call from Ann Reed') // {"caller":"[REDACTED:PHONE]","msg":"call from [REDACTED:NAME]"}
 * ```
 */
export function scrubbed(options?: ScrubOptions): ScrubbedLogging {
  const scrubber = new Scrubber('the options of scrubbed', options, OWN)
  return { hooks: { streamWrite: (line) => scrubber.line(line) } }
}
