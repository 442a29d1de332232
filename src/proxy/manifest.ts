import { createHash } from 'node:crypto'
import * as z from 'zod/mini'
import { InputError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import type { GateDecision } from '../gate/decision.js'
import { isCommit, isFilePath, isRepositoryName, type ListedFile, type Repository } from './repository.js'

/** A file whose bytes were hashed and are what the hub lists. */
export interface CheckedFile extends Omit<ListedFile, 'sha256'> {
  readonly sha256: string
  /** Whether the hub holds it apart from git. */
  readonly large: boolean
  /** When it was last written, as the file system has it: what was verified must not have been changed since. */
  readonly mtimeMs: number
}

/** What the store knows of a revision that the gate has decided about. */
export interface Manifest {
  readonly schemaVersion: 1
  readonly repository: Repository
  readonly commit: string
  /** Whether the hub shows it to anybody. */
  readonly open: boolean
  readonly lastModified: string | null
  readonly files: readonly CheckedFile[]
  /** SHA-256 over names, sizes and digests of all files: what an operator's release is bound to. */
  readonly contentDigest: string
  readonly decision: GateDecision
  /** ISO 8601. */
  readonly decidedAt: string
}

const hex = (length: number) => z.string().check(z.regex(new RegExp(`^[0-9a-f]{${length}}$`)))
const schema = z.object({
  schemaVersion: z.literal(1),
  repository: z.object({ kind: z.enum(['model', 'dataset']), name: z.string().check(z.refine(isRepositoryName)) }),
  commit: z.string().check(z.refine(isCommit)),
  open: z.boolean(),
  lastModified: z.nullable(z.string()),
  files: z.array(
    z.object({
      path: z.string().check(z.refine(isFilePath)),
      size: z.int().check(z.nonnegative()),
      oid: hex(40),
      sha256: hex(64),
      large: z.boolean(),
      mtimeMs: z.number(),
    }),
  ),
  contentDigest: hex(64),
  decision: z.looseObject({
    decision: z.enum(['allow', 'deny']),
    reasons: z.array(z.looseObject({ code: z.string(), says: z.string() })),
    policyDigest: z.string(),
  }),
  decidedAt: z.string(),
})

/** SHA-256, hexadecimal, over the JSON of `[path, size, sha256]` of all files, in the order of their paths. */
export function contentDigest(files: readonly CheckedFile[]): string {
  const rows = files.map(({ path, size, sha256 }) => [path, size, sha256] as const).sort(([a], [b]) => (a < b ? -1 : 1))
  return createHash('sha256').update(JSON.stringify(rows)).digest('hex')
}

/** Reads what the store wrote. Throws `InputError` `bad-manifest`: it is then as if the revision had never been there. */
export function parseManifest(text: string, where: string): Manifest {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (cause) {
    throw new InputError('bad-manifest', `${showText(where, 200)}: is not JSON`, {}, cause)
  }
  const { success, data, error } = schema.safeParse(json)
  if (!success) throw new InputError('bad-manifest', `${showText(where, 200)}: ${showText(z.prettifyError(error), 500)}`)
  if (contentDigest(data.files) !== data.contentDigest) {
    throw new InputError('bad-manifest', `${showText(where, 200)}: its files are not those that its digest is of`)
  }
  return data as unknown as Manifest
}
