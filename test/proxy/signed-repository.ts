import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { attest } from '../../src/custody/node-attest.js'
import { parsePolicy } from '../../src/gate/node-read-policy.js'
import type { LoadedPolicy } from '../../src/gate/policy.js'
import { sign } from '../../src/provenance/node-sign.js'
import { keyPair } from './started.js'

/** Who signs what is tested here: the maker of a model, and who tests it. */
export const maker = keyPair()
export const auditor = keyPair()

/** A policy that asks for the maker's signature, and for a test that the auditor has seen pass. YAML. */
export const policyText = JSON.stringify({
  schemaVersion: 1,
  signers: { maker: { publicKey: maker.publicKey }, auditor: { publicKey: auditor.publicKey } },
  subject: { signers: ['maker'] },
  tests: [{ test: 'lint', signers: ['auditor'], maxAge: 'unlimited' }],
})

export function loadPolicy(): Promise<LoadedPolicy> {
  return parsePolicy(policyText)
}

/** Files as a repository holds them that was signed by its maker, with the auditor's claim about it; or without. */
export async function signedRepository(
  files: Readonly<Record<string, Buffer>>,
  { result = 'PASSED' }: { readonly result?: 'PASSED' | 'FAILED' | null } = {},
): Promise<Record<string, Buffer>> {
  const folder = await mkdtemp(join(tmpdir(), 'assay-signed-'))
  try {
    for (const [name, bytes] of Object.entries(files)) {
      await mkdir(dirname(join(folder, name)), { recursive: true })
      await writeFile(join(folder, name), bytes)
    }
    const signaturePath = join(folder, 'model.sig')
    await writeFile(signaturePath, (await sign(folder, maker, { signaturePath, ignorePaths: ['claims.jsonl'], threads: 1 })).bundle)
    if (result !== null) {
      const report = { name: 'lint.txt', bytes: Buffer.from(result) }
      const { bundle } = await attest({ subjects: [{ path: folder }], report, test: 'lint', result }, auditor, { threads: 1 })
      await writeFile(join(folder, 'claims.jsonl'), bundle)
    }
    const entries = await readdir(folder, { recursive: true, withFileTypes: true })
    const names = entries.filter((entry) => entry.isFile()).map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    return Object.fromEntries(await Promise.all(names.map(async (name) => [name, await readFile(join(folder, name))] as const)))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
