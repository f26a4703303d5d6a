// A package carries its licences; they stand at the root of the repository.
import { copyFileSync } from 'node:fs'

for (const name of ['LICENSE-APACHE', 'LICENSE-MIT']) {
  copyFileSync(new URL(`../../${name}`, import.meta.url), new URL(`../${name}`, import.meta.url))
}
