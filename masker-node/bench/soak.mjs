// Many calls, flat memory: `node --expose-gc bench/soak.mjs [calls | --seconds N]`, a million calls if not said. Fails where
// memory still grows behind the warm-up, which is a tenth of the calls or two fifths of the time.
import { Masker } from 'masker-node'

const [first, second] = process.argv.slice(2)
const seconds = first === '--seconds' ? Number(second) : Infinity
const calls = seconds < Infinity ? Infinity : Number(first ?? 1_000_000)
const text = "hi this is ann reed i need to change my appointment my number is 415 555 0142 and 😀 my e-mail is ada@example.com"
const masker = new Masker({ surface: 'alias' })
const durable = new Masker()
const conversation = masker.conversation('soak')

function round(at) {
  const { text: masked } = durable.maskSync(text)
  switch (at % 8) {
    case 0:
      if (durable.rehydrateSync(masked).text !== text) throw new Error('a text was not restored')
      break
    case 1:
      durable.detectSync(text)
      break
    case 2:
      conversation.rehydrateSync('[NAME_1] has [PHONE_1]')
      break
    case 3:
      try {
        durable.maskJsonSync('{')
      } catch {}
      break
    case 4: {
      const stream = conversation.streamRehydrator()
      stream.pushSync('[NAME_1] has [PHO')
      stream.flushSync()
      break
    }
    case 5:
      durable.maskJsonSync('{"phone":"415-555-0142"}')
      break
    default:
  }
}

const memory = () => {
  globalThis.gc?.()
  return process.memoryUsage().rss
}

conversation.maskTurnSync('user', text)
const start = process.hrtime.bigint()
const passed = () => Number(process.hrtime.bigint() - start) / 1e9
const warmCalls = calls < Infinity ? Math.max(20_000, calls / 10) : Infinity
let warm
let done = 0
for (let isOver = false; !isOver; done += 1) {
  round(done)
  if (done % 500 === 0) await durable.mask(text)
  if (done % 5_000 === 0) await new Promise(setImmediate)
  if (warm === undefined && (done >= warmCalls || (done % 500 === 0 && passed() > seconds * 0.4))) warm = memory()
  isOver = done >= calls + warmCalls || (done % 500 === 0 && passed() > seconds)
}
const end = memory()
const mb = (bytes) => (bytes / 1e6).toFixed(1)
console.log(`node: seconds ${passed().toFixed(0)}, rounds ${done}, warm_mb ${mb(warm)}, end_mb ${mb(end)}`)
// The collector does not give every page back at once.
if (end - warm > 12e6) process.exit(1)
