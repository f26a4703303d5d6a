// Makes the plain objects that the addon returns. Building an object here costs a tenth of building it through Node-API,
// one property at a time. A list of findings comes as a string of numbers; names come once, and then by number.
(() => {
  'use strict'
  const names = [undefined]
  const number = (units, at) => units.charCodeAt(at) * 65536 + units.charCodeAt(at + 1)
  const name = (units, at) => names[units.charCodeAt(at)]
  const finding = (units, at) => ({
    kind: name(units, at),
    start: number(units, at + 1),
    end: number(units, at + 3),
    confidence: number(units, at + 5) / 1e7,
    pass: name(units, at + 7),
    recognizer: name(units, at + 8),
  })
  const event = (units, at) => ({
    kind: name(units, at),
    start: number(units, at + 1),
    end: number(units, at + 3),
    confidence: number(units, at + 5) / 1e7,
    pass: name(units, at + 7),
    recognizer: name(units, at + 8),
    action: name(units, at + 9),
    tokenKind: name(units, at + 10),
    kid: name(units, at + 11),
  })
  const list = (units, width, make) => {
    const made = []
    for (let at = 0; at < units.length; at += width) made.push(make(units, at))
    return made
  }
  return {
    // In every Node that this package runs on.
    randomId: () => globalThis.crypto.randomUUID(),
    name: (text) => names.push(text) - 1,
    findings: (units) => list(units, 9, finding),
    masked: (text, units, redactionCount) => ({ text, events: list(units, 12, event), redactionCount }),
    maskedPayload: (json, units, redactionCount, paths) => ({
      json,
      events: list(units, 12, event).map((made, at) => ({ path: paths[at], ...made })),
      redactionCount,
    }),
    restored: (text, restored, unknown, foreign, ambiguous, lost) => ({
      text,
      restored,
      unknown,
      foreign,
      ambiguous,
      lost: list(lost, 1, name),
    }),
    restoredPayload: (json, restored, unknown, foreign, ambiguous, lost) => ({
      json,
      restored,
      unknown,
      foreign,
      ambiguous,
      lost: list(lost, 1, name),
    }),
    error: (isTypeError, code, message, original) => {
      const error = isTypeError ? new TypeError(message) : new Error(message)
      Object.defineProperty(error, 'name', { value: 'MaskerError', configurable: true, writable: true })
      error.code = code
      // What is not enumerable is not printed with the error.
      if (original != null) Object.defineProperty(error, 'original', { value: original, configurable: true, writable: true })
      return error
    },
  }
})()
