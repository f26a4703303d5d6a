import assert from 'node:assert/strict'
import { test } from 'node:test'

import native from '../native.cjs'

const { Masker } = native

test('a phone number is replaced and the rest stays', () => {
  const masked = new Masker().maskSync('please call 415-555-0142 today')
  assert.match(masked, /^please call MSKV1\.PHONE\.EPHEMERAL\.[A-Z2-7]{26} today$/)
})

test('equal values share a token', () => {
  const [first, second] = new Masker().maskSync('415-555-0142 415-555-0142').split(' ')
  assert.equal(first, second)
})

test('it says that the key is random', () => {
  assert.equal(new Masker().isEphemeral, true)
})

test('a wrong type is an error with a code', () => {
  assert.throws(() => new Masker().maskSync(5), { code: 'StringExpected' })
})
