// The same package from CommonJS.
import masker = require('masker-node')
import openai = require('masker-node/openai')

const { text }: masker.Masked = new masker.Masker().maskSync('call 415-555-0142')
const fetch: typeof globalThis.fetch = openai.maskedFetch(new masker.Masker())
if (text.includes('0142') || typeof fetch !== 'function') throw new Error('not masked')
