import { generateKeyPairSync } from 'node:crypto'
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { StageName } from '../../src/custody/stage.js'
import { attest, parsePolicy, type StageRequest } from '../../src/gate/index.js'
import { sign } from '../../src/provenance/node-index.js'

/** A key pair as PEM. */
export function newKey(): { readonly privateKey: string; readonly publicKey: string } {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return {
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    publicKey: publicKey.export({ type: 'spki', format: 'pem' }) as string,
  }
}

export const stagesOfTen: readonly StageName[] = [
  'data-set',
  'training',
  ...Array.from({ length: 6 }, () => 'fine-tuning' as const),
  'quantisation',
  'release',
]

export const now = new Date('2026-11-01T12:00:00Z')
export const hour = 3_600_000

/** One role a stage, an auditor, and a stranger whom no policy names. */
const roles = ['data-set', 'training', 'fine-tuning', 'quantisation', 'release', 'auditor']
const keys = Object.fromEntries([...roles, 'stranger'].map((role) => [role, newKey()]))
export type Role = string
export const keyOf = (role: Role) => keys[role] as ReturnType<typeof newKey>

/** Ten signed artifacts, each made of the one before it (fine-tuning of the data set too), and the claims that say so. */
export interface ChainOfTen {
  readonly folders: readonly string[]
  readonly claims: readonly string[]
  /** Of the last one. */
  readonly path: string
}

export async function makeChain(seed: string): Promise<ChainOfTen> {
  const root = await mkdtemp(join(tmpdir(), 'assay-chain-'))
  const folders: string[] = []
  for (const [index, stage] of stagesOfTen.entries()) {
    const folder = join(root, `${index}-${stage}`)
    await mkdir(folder)
    await writeFile(join(folder, 'weights.bin'), `${seed} ${index}`)
    await signFolder(folder, stage)
    folders.push(folder)
  }
  const claims: string[] = []
  for (const index of folders.keys()) claims.push(await claim(folders, index))
  return { folders, claims, path: folders.at(-1) as string }
}

export async function signFolder(folder: string, role: Role): Promise<void> {
  const signaturePath = join(folder, 'model.sig')
  const { bundle } = await sign(folder, keyOf(role), { signaturePath, ignorePaths: ['claims.jsonl'], threads: 1 })
  await writeFile(signaturePath, bundle)
}

/** The claim about one of them, with whatever is changed. */
export async function claim(folders: readonly string[], index: number, change: Partial<StageRequest> = {}, role?: Role): Promise<string> {
  const stage = stagesOfTen[index] as StageName
  const before = index === 0 ? [] : [folders[index - 1] as string]
  if (stage === 'fine-tuning') before.push(folders[0] as string)
  const inputs = before.map((path) => ({ path }))
  const request = {
    stage,
    output: { path: folders[index] as string },
    inputs,
    finishedOn: new Date(now.getTime() - (20 - index) * hour),
    ...change,
  }
  return (await attest(request, keyOf(role ?? stage), { threads: 1 })).bundle.trimEnd()
}

export async function putClaims(path: string, lines: readonly string[]): Promise<void> {
  await writeFile(join(path, 'claims.jsonl'), lines.map((line) => `${line}\n`).join(''))
}

const rule = (stage: string) => ({ signers: [stage], maxAge: '2d' })
export const policyOfTen = {
  schemaVersion: 1,
  signers: Object.fromEntries(roles.map((role) => [role, { publicKey: keyOf(role).publicKey }])),
  subject: { signers: ['release'], stages: ['release'] },
  stages: Object.fromEntries(['data-set', 'training', 'fine-tuning', 'quantisation', 'release'].map((stage) => [stage, rule(stage)])),
  roots: [{ stage: 'data-set' }],
}

export const load = (policy: object) => parsePolicy(JSON.stringify(policy))
