import { Masker, refuseUnknown } from '../index.js'

export interface ScrubOptions {
  /** Decides what is looked for; a masker with the policy `strict`, which redacts everything, if left out. */
  masker?: Masker
  /** JSON Pointers of fields that are left as they are, beside those of the logger itself. */
  leave?: ReadonlyArray<string>
}

/** Scrubs log lines by what is written in them, wherever it stands. Nothing can be restored where the policy redacts. */
export class Scrubber {
  readonly #masker: Masker
  readonly #rules: { leave: string[] }

  constructor(of: string, options: ScrubOptions | undefined, own: ReadonlyArray<string>) {
    refuseUnknown(of, options, ['masker', 'leave'])
    this.#masker = options?.masker ?? new Masker({ policy: 'strict' })
    this.#rules = { leave: [...own, ...(options?.leave ?? [])] }
    // What is wrong with a pointer shows now, and not with the first line.
    this.#masker.maskJsonSync('{}', this.#rules)
  }

  /** A text that is JSON or not. Where it cannot be scrubbed, a line that says so takes its place. */
  line(line: string): string {
    const end = /\r?\n?$/.exec(line)![0]
    const text = line.slice(0, line.length - end.length)
    try {
      return this.#scrubbed(text) + end
    } catch (error) {
      const code = (error as { code?: unknown }).code ?? 'internal_error'
      return JSON.stringify({ msg: 'a log line was withheld: it could not be scrubbed', code }) + end
    }
  }

  /** A value as JSON has it. */
  value(value: unknown): unknown {
    const json = JSON.stringify(value)
    return json === undefined ? value : (JSON.parse(this.#masker.maskJsonSync(json, this.#rules).json) as unknown)
  }

  #scrubbed(text: string): string {
    if (/^\s*[[{]/.test(text)) {
      try {
        return this.#masker.maskJsonSync(text, this.#rules).json
      } catch (error) {
        if ((error as { code?: unknown }).code !== 'not_json') throw error
      }
    }
    return this.#masker.maskSync(text).text
  }
}
