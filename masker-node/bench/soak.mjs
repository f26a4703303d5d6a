// Many calls, flat memory: `node --expose-gc bench/soak.mjs [calls]`, a million if not said. Fails where memory still grows
// behind the first tenth.
import { Masker } from 'masker-node'

const calls = Number(process.argv[2] ?? 1_000_000)
const text = "hi this is ann reed i need to change my appointment my number is 415 555 0142 and 😀 my e-mail is ada@example.com"
const masker = new Masker({ surface: 'alias' })
const durable = new Masker()
const conversation = masker.conversation('soak')
const warmUp = Math.max(20_000, calls / 10)

function round(at) {
  const { text: masked } = durable.maskSync(text)
  switch (at % 8) {
    case 0:
      durable.rehydrateSync(masked)
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
let before
for (let at = 0; at < calls + warmUp; at += 1) {
  if (at === warmUp) before = memory()
  round(at)
  if (at % 500 === 0) await durable.mask(text)
  if (at % 5_000 === 0) await new Promise(setImmediate)
}
const grown = (memory() - before) / 1e6
const seconds = Number(process.hrtime.bigint() - start) / 1e9
console.log(`${calls} calls in ${seconds.toFixed(0)} s, ${grown.toFixed(1)} MB more than after ${warmUp}`)
// The collector does not give every page back at once.
if (grown > 12) process.exit(1)
