// Builds the addon and compares loader and types with those in the repository; `--write` takes the new ones over.
import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, readFileSync, readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const home = dirname(dirname(fileURLToPath(import.meta.url)))
const build = join(home, 'build')
const cli = join(dirname(createRequire(import.meta.url).resolve('@napi-rs/cli/package.json')), 'dist', 'cli.js')
// Such as `--target x86_64-unknown-linux-musl`.
const others = process.argv.slice(2).filter((argument) => argument !== '--write')

// What the vault has no use for.
const unused = ['API_ARMOR', 'COLUMN_METADATA', 'DBSTAT_VTAB', 'FTS3', 'FTS3_PARENTHESIS', 'FTS5', 'LOAD_EXTENSION', 'RTREE', 'STAT4']
const left = [
  'AUTHORIZATION', 'BETWEEN_OPTIMIZATION', 'CASE_SENSITIVE_LIKE_PRAGMA', 'COMPILEOPTION_DIAGS', 'COMPLETE', 'DATETIME_FUNCS',
  'DECLTYPE', 'DEPRECATED', 'DESERIALIZE', 'GET_TABLE', 'INCRBLOB', 'INTROSPECTION_PRAGMAS', 'JSON', 'LIKE_OPTIMIZATION',
  'LOAD_EXTENSION', 'PROGRESS_CALLBACK', 'SHARED_CACHE', 'TCL_VARIABLE', 'TRACE', 'UTF16',
]
const sqlite = [...unused.map((name) => `-USQLITE_ENABLE_${name}`), ...left.map((name) => `-DSQLITE_OMIT_${name}`)].join(' ')

// Nothing unwinds through C, so its functions need no tables for that.
const tables = process.platform === 'win32' ? [] : ['-fno-asynchronous-unwind-tables', '-fno-unwind-tables']
const cflags = [process.env.CFLAGS, ...tables].filter(Boolean).join(' ')

mkdirSync(build, { recursive: true })
const options = ['--platform', '--profile', 'addon', '--js', 'index.js', '--dts', 'index.d.ts', '--no-const-enum']
execFileSync(process.execPath, [cli, 'build', ...options, '--output-dir', build, ...others], {
  cwd: home,
  stdio: 'inherit',
  env: { ...process.env, LIBSQLITE3_FLAGS: sqlite, CFLAGS: cflags },
})

for (const file of readdirSync(build).filter((name) => name.endsWith('.node'))) {
  copyFileSync(join(build, file), join(home, file))
}
const stale = ['index.js', 'index.d.ts'].filter((file) => {
  if (process.argv.includes('--write')) copyFileSync(join(build, file), join(home, file))
  return readFileSync(join(build, file), 'utf8') !== readFileSync(join(home, file), 'utf8')
})
if (stale.length > 0) {
  console.error(`stale: ${stale.join(', ')}; run \`npm run gen\` in masker-node and commit what it writes`)
  process.exit(1)
}
