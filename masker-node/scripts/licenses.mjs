// Puts licences and notices into the packages of the platforms: `node scripts/licenses.mjs FOLDER`, after `napi create-npm-dirs`.
import { copyFileSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const home = fileURLToPath(new URL('..', import.meta.url))
const folder = resolve(process.argv[2])
const names = readdirSync(home).filter((name) => /^LICENSE-|^THIRD_PARTY_NOTICES/.test(name))

for (const platform of readdirSync(folder)) {
  const manifest = join(folder, platform, 'package.json')
  const { files, ...others } = JSON.parse(readFileSync(manifest, 'utf8'))
  // What a package does not list is not packed.
  writeFileSync(manifest, `${JSON.stringify({ ...others, files: [...new Set([...files, ...names])] }, null, 2)}\n`)
  for (const name of names) copyFileSync(join(home, name), join(folder, platform, name))
}
