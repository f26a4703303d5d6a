// The real loggers: what they write holds no PHI, wherever it stood.
import assert from 'node:assert/strict'
import { Writable } from 'node:stream'
import { test } from 'node:test'
import { scrubbed } from 'masker-node/pino'
import { scrub } from 'masker-node/winston'
import { Masker } from 'masker-node'
import pino from 'pino'
import winston from 'winston'

const ORIGINALS = ['Ann Reed', '415-555-0142', 'ada@example.com', '987-65-4321']

function sink() {
  const lines = []
  const stream = new Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk))
      done()
    },
  })
  return { lines, stream, text: () => lines.join('') }
}

function clean(text) {
  for (const original of ORIGINALS) assert.ok(!text.includes(original), `${original} in ${text}`)
}

test('pino: messages, fields, errors, children', () => {
  const { stream, text, lines } = sink()
  const logger = pino({ ...scrubbed(), base: { app: 'clinic' } }, stream)
  logger.info('my name is Ann Reed, call 415-555-0142')
  logger.info({ caller: { phone: '415-555-0142', emails: ['ada@example.com'] }, 'mail of ada@example.com': 1 }, 'call')
  logger.error(new Error('no chart for 415-555-0142'))
  logger.child({ ssn: '987-65-4321' }).warn('%s wrote', 'ada@example.com')
  clean(text())
  assert.match(text(), /\[REDACTED:PHONE\]/)
  const records = lines.map((line) => JSON.parse(line))
  assert.equal(records.length, 4)
  assert.ok(records.every((record) => record.level >= 30 && record.time > 1e12 && record.app === 'clinic'))
  assert.ok(lines.every((line) => line.endsWith('\n')))
})

test('pino: fields that are left, and a masker of the own', () => {
  const { stream, lines } = sink()
  const masker = new Masker()
  const logger = pino(scrubbed({ masker, leave: ['/support'] }), stream)
  logger.info({ support: '415-555-0100', caller: '415-555-0142' }, 'call')
  const record = JSON.parse(lines[0])
  assert.equal(record.support, '415-555-0100')
  assert.equal(masker.rehydrateSync(record.caller).text, '415-555-0142')
  assert.throws(() => scrubbed({ leaves: [] }), { code: 'unknown_option', message: /"leave"/ })
  assert.throws(() => scrubbed({ leave: ['support'] }), { code: 'invalid_argument' })
})

test('a line that cannot be scrubbed is withheld', () => {
  const failing = new Masker({ recognizers: [{ name: 'broken', recognize: () => { throw new Error('415-555-0142') } }] })
  const { stream, text, lines } = sink()
  pino(scrubbed({ masker: failing }), stream).info('call 415-555-0142')
  clean(text())
  assert.equal(JSON.parse(lines[0]).code, 'recognizer_failed')

  const { stream: other, text: written } = sink()
  const logger = winston.createLogger({
    format: winston.format.combine(scrub({ masker: failing }), winston.format.json()),
    transports: [new winston.transports.Stream({ stream: other })],
  })
  logger.info('call 415-555-0142')
  const loop = {}
  loop.loop = loop
  logger.info('call 415-555-0142', { loop })
  clean(written())
  assert.match(written(), /recognizer_failed/)
})

const { combine, errors, json, printf, simple, splat, timestamp } = winston.format
for (const [name, format] of [
  ['before json', combine(splat(), timestamp(), scrub(), json())],
  ['behind json', combine(splat(), json(), scrub())],
  ['behind printf', combine(splat(), printf(({ message, ...rest }) => `${message} ${JSON.stringify(rest)}`), scrub())],
  ['with errors', combine(errors({ stack: true }), scrub(), json())],
  ['simple', combine(scrub(), simple())],
]) {
  test(`winston: ${name}`, () => {
    const { stream, text, lines } = sink()
    const logger = winston.createLogger({ format, transports: [new winston.transports.Stream({ stream })] })
    logger.info('my name is Ann Reed, call %s', '415-555-0142')
    logger.warn('call', { caller: { phone: '415-555-0142', email: 'ada@example.com' } })
    logger.error(new Error('no chart for 415-555-0142'))
    logger.child({ ssn: '987-65-4321' }).info('ssn')
    assert.equal(lines.length, 4)
    clean(text())
    assert.match(text(), /REDACTED:PHONE/)
  })
}
