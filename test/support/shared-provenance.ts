import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const beside = fileURLToPath(new URL('../../../shared/provenance', import.meta.url))

/** The absolute path of the shared signatures (`../shared/provenance`), or null; its absence throws with REQUIRE_SHARED=1. */
export function sharedProvenance(): string | null {
  if (existsSync(beside)) return beside
  if (process.env.REQUIRE_SHARED === '1') throw new Error(`REQUIRE_SHARED=1, but there is no folder ${beside}`)
  return null
}
