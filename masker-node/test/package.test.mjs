// The packed tarball in an empty folder: installs, masks and restores, is small and loads fast.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'

const home = fileURLToPath(new URL('..', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'masker-package-'))
const run = (command, args, cwd = folder) => execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
const node = (...args) => run(process.execPath, args)
const notices = ['LICENSE-APACHE', 'LICENSE-MIT', 'THIRD_PARTY_NOTICES.txt']
after(() => rmSync(folder, { recursive: true }))

before(() => {
  const [{ filename }] = JSON.parse(run('npm', ['pack', '--json', '--pack-destination', folder], home))
  run('npm', ['init', '--yes'])
  run('npm', ['install', '--no-audit', '--no-fund', '--offline', join(folder, filename)])
})

test('five lines mask and restore', () => {
  const lines = (first) => `${first}
    const masker = new Masker()
    const { text } = masker.maskSync('Hi, this is Sarah Chen, call me at 415-555-0142.')
    console.log(text)
    console.log(masker.rehydrateSync(text).text)`
  for (const [file, first] of [
    ['five.mjs', "import { Masker } from 'masker-node'"],
    ['five.cjs', "const { Masker } = require('masker-node')"],
  ]) {
    writeFileSync(join(folder, file), lines(first))
    const [masked, restored] = node(file).split('\n')
    assert.match(masked, /^Hi, this is MSKV1\.NAME\.EPHEMERAL\.[A-Z2-7]{26}, call me at MSKV1\.PHONE\.EPHEMERAL\.[A-Z2-7]{26}\.$/)
    assert.equal(restored, 'Hi, this is Sarah Chen, call me at 415-555-0142.')
  }
})

test('every entry loads by import and by require, and brings nothing with it', () => {
  const installed = join(folder, 'node_modules', 'masker-node')
  const { exports, dependencies, optionalDependencies, peerDependencies } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'))
  assert.deepEqual([dependencies, optionalDependencies, peerDependencies], [undefined, undefined, undefined])
  assert.deepEqual(readdirSync(join(folder, 'node_modules')).filter((name) => !name.startsWith('.')), ['masker-node'])
  for (const name of Object.keys(exports)) {
    const entry = name.replace(/^\./, 'masker-node')
    if (name.endsWith('.json')) continue
    const names = node('--input-type=module', '-e', `console.log(Object.keys(await import('${entry}')).filter((n) => !['default', 'module.exports', '__esModule'].includes(n)).sort().join())`)
    const required = node('-e', `console.log(Object.keys(require('${entry}')).sort().join())`)
    assert.equal(names, required, entry)
    assert.ok(names.trim().length > 0, entry)
  }
})

test('the addon is below 8 MB', () => {
  const installed = join(folder, 'node_modules', 'masker-node')
  const addons = readdirSync(installed).filter((name) => name.endsWith('.node'))
  assert.equal(addons.length, 1)
  const { size } = statSync(join(installed, addons[0]))
  assert.ok(size < 8 * 1024 * 1024, `${size} bytes`)
  for (const name of notices) assert.ok(readdirSync(installed).includes(name), name)
})

test('require takes less than 30 ms', () => {
  const code = "const start = process.hrtime.bigint(); require('masker-node'); console.log(Number(process.hrtime.bigint() - start) / 1e6)"
  const times = Array.from({ length: 9 }, () => Number(node('-e', code)))
  assert.ok(Math.min(...times) < 30, `${times.map((time) => time.toFixed(0)).join(', ')} ms`)
})

test('there is a package for every platform', () => {
  const cli = join(home, 'node_modules', '@napi-rs', 'cli', 'dist', 'cli.js')
  const npm = join(home, 'build', 'npm')
  run(process.execPath, [cli, 'create-npm-dirs', '--npm-dir', npm], home)
  run(process.execPath, [join(home, 'scripts', 'licenses.mjs'), npm], home)
  const platforms = readdirSync(npm).map((name) => {
    const { name: of, os, cpu, libc, main, files } = JSON.parse(readFileSync(join(npm, name, 'package.json'), 'utf8'))
    assert.equal(of, `masker-node-${name}`)
    assert.deepEqual(files, [main, ...notices])
    for (const file of notices) assert.ok(readdirSync(join(npm, name)).includes(file), file)
    return [os, cpu, libc ?? []].flat().join(' ')
  })
  assert.deepEqual(platforms.sort(), [
    'darwin arm64',
    'darwin x64',
    'linux arm64 glibc',
    'linux arm64 musl',
    'linux x64 glibc',
    'linux x64 musl',
    'win32 arm64',
    'win32 x64',
  ])
  const loader = readFileSync(join(home, 'index.js'), 'utf8')
  for (const name of readdirSync(npm)) assert.ok(loader.includes(`masker-node-${name}`), name)
})
