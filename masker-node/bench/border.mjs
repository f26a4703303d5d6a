// What the border costs: `maskSync` of a 200-byte utterance against the same call inside Rust, in turns, the best of many.
// `node bench/border.mjs [limit in microseconds]`
import { Masker } from 'masker-node'

const limit = Number(process.argv[2] ?? 2)
const text =
  'hi this is sarah chen i need to change my appointment my phone number is four one five five five five oh one four two and my date of birth is march fourteenth nineteen eighty two thank you very much ok'
const masker = new Masker()
const { redactionCount } = masker.maskSync(text)

let script = Infinity
let rust = Infinity
for (let round = 0; round < 200; round += 1) {
  const start = process.hrtime.bigint()
  for (let at = 0; at < 200; at += 1) masker.maskSync(text)
  script = Math.min(script, Number(process.hrtime.bigint() - start) / 200 / 1000)
  rust = Math.min(rust, masker.timeOfMask(text, 200) / 1000)
}
const border = script - rust
console.log(`${text.length} bytes, ${redactionCount} findings: ${script.toFixed(2)} µs, in Rust ${rust.toFixed(2)} µs, border ${border.toFixed(2)} µs`)
if (border > limit) process.exit(1)
