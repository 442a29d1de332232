import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const beside = fileURLToPath(new URL('../../../shared/data', import.meta.url))

/**
 * The absolute path of the shared evaluation data (`../shared/data` beside the repository), or null where it is not to be had.
 * With REQUIRE_SHARED=1 in the environment its absence throws, so that a run that counts on it cannot pass by skipping.
 */
export function sharedData(): string | null {
  if (existsSync(beside)) return beside
  if (process.env.REQUIRE_SHARED === '1') throw new Error(`REQUIRE_SHARED=1, but there is no folder ${beside}`)
  return null
}

/** Names of the folders under `root` that hold an activations.npy, sorted. */
export function scenarios(root: string): string[] {
  return readdirSync(root, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && existsSync(join(root, entry.name, 'activations.npy')))
    .map((entry) => entry.name)
    .sort()
}
