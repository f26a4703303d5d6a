// Logs without PHI, whatever the fields are called. `node examples/log-scrubbing.mjs`
import pino from 'pino'
import { scrubbed as scrubbedPino } from 'masker-node/pino'
import { scrub } from 'masker-node/winston'
import winston from 'winston'

const logger = pino({ ...scrubbedPino({ leave: ['/support'] }), base: null, timestamp: false }, pino.destination({ dest: 1, sync: true }))
logger.info('call from Ann Reed, 415-555-0142')
logger.info({ caller: { phone: '415-555-0142' }, support: '415-555-0100' }, 'call ended')
logger.error(new Error('no chart for ada@example.com'))

const other = winston.createLogger({
  format: winston.format.combine(winston.format.splat(), scrub(), winston.format.json()),
  transports: [new winston.transports.Console()],
})
other.info('call from %s', 'Ann Reed, 415-555-0142', { caller: { email: 'ada@example.com' } })
