// Every test of the package: types, the addon and the adapters under this Node, what wants a newer one under that, and short
// runs of the soak and of the measure of the border. `npm test` after `npm run build`.
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const home = dirname(dirname(fileURLToPath(import.meta.url)))
const run = (command, args, cwd = home) => {
  console.log(`$ ${[command.split('/').at(-1), ...args].join(' ')}`)
  execFileSync(command, args, { cwd, stdio: 'inherit' })
}
const node = (...args) => run(process.execPath, args)

node(join('node_modules', 'typescript', 'bin', 'tsc'), '-p', 'test/types/tsconfig.json', '--noEmit', 'false', '--outDir', 'build/types')
node('build/types/use.mjs')
node('build/types/use.cjs')
node('--test', '--test-reporter', 'spec', ...readdirSync(join(home, 'test')).filter((name) => name.endsWith('.test.mjs')).map((name) => join('test', name)))

const newer = join(home, 'test', 'node22')
if (!existsSync(join(newer, 'node_modules', 'ai'))) run('npm', ['ci', '--no-audit', '--no-fund'], newer)
run(join(newer, 'node_modules', 'node', 'bin', 'node'), ['--test', '--test-reporter', 'spec', 'ai.test.mjs'], newer)

node('--expose-gc', 'bench/soak.mjs', process.env.MASKER_SOAK_CALLS ?? '60000')
// Machines that are shared measure too much; on a quiet one the limit is 2.
node('bench/border.mjs', process.env.MASKER_BORDER_LIMIT ?? '25')
