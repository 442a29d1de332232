import { showText } from '../core/untrusted-text.js'
import { readStatement } from './read-statement.js'
import { Refusal, type RefusalCode } from './refusal.js'
import type { SignatureCheck, Signer } from './signer.js'
import { type ModelStatement, rootDigest } from './statement.js'
import { type VerifiedBundle, verifyBundle } from './verify-statement.js'

/** What a verification comes to. Its fields are those of `assay verify --json`. */
export interface Verification {
  readonly schemaVersion: 1
  readonly verified: boolean
  readonly code: 'verified' | RefusalCode
  /** For people, in one sentence. */
  readonly reason: string
  /** `null` where no signature holds. */
  readonly signer: Signer | null
  /** SHA-256 of the signed statement; `null` where no signature holds. */
  readonly statementDigest: string | null
  /** SHA-256 over the digests of the files in it (it does not bind their names); `null` where no signature holds, or not over such a statement. */
  readonly rootDigest: string | null
  /** What is there and no signature vouches for: what was ignored, and what was let pass, or refused, as unsigned. A folder ends in `/`. */
  readonly unsigned: readonly string[]
}

/** Runs a verification; a `Refusal` in it becomes its result, any other error is thrown. `compare` looks at the files, and says which are unsigned. */
export async function verification(
  readSignature: () => Promise<Uint8Array>,
  check: SignatureCheck,
  compare: (statement: ModelStatement, note: (unsigned: readonly string[]) => void) => Promise<void>,
): Promise<Verification> {
  let proven: VerifiedBundle | null = null
  let statement: ModelStatement | null = null
  let unsigned: readonly string[] = []
  const result = (code: Verification['code'], reason: string): Verification => ({
    schemaVersion: 1,
    verified: code === 'verified',
    code,
    reason,
    signer: proven?.signer ?? null,
    statementDigest: proven?.statementDigest ?? null,
    rootDigest: statement && rootDigest(statement.resources),
    unsigned,
  })
  try {
    proven = await verifyBundle(await readSignature(), check)
    statement = readStatement(proven.bundle.payload)
    await compare(statement, (names) => {
      unsigned = names
    })
    return result('verified', `${sayFiles(statement)} as signed by ${saySigner(proven.signer)}`)
  } catch (error) {
    if (error instanceof Refusal) return result(error.code, error.message)
    throw error
  }
}

function sayFiles({ resources, serialization }: ModelStatement): string {
  const what = serialization.method === 'files' ? 'file' : 'shard'
  return resources.length === 1 ? `the one ${what} is` : `all ${resources.length} ${what}s are`
}

/** The signer, for people. */
export function saySigner(signer: Signer): string {
  if (signer.method === 'key') return `the key with the hint ${signer.keyHint}`
  if (signer.method === 'certificate') return `the certificate of ${signer.subject} from ${signer.issuer}`
  return `${showText(signer.identity, 200)}, identified by ${showText(signer.issuer, 200)}`
}
