import type { Progress } from '../core/backend.js'
import { InputError, OptionError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import { blobSource } from '../io/blob-source.js'
import { type ByteSource, memorySource } from '../io/byte-source.js'
import { certificateCheck } from './check-certificate.js'
import { keyCheck } from './check-key.js'
import { compareDigests, expectDigests, type FileListing } from './compare-files.js'
import { defaultIgnorePaths, isPlainPath, liesUnder } from './file-name.js'
import { isStrayInGit } from './git-folder.js'
import { hashSource } from './hash-source.js'
import type { SignatureCheck } from './signer.js'
import { type Verification, verification } from './verification.js'

/** Whom to trust: the holder of a public key, or whoever a certificate authority vouches for (at a time: default now). PEM. */
export type Trust = { readonly publicKey: string } | { readonly certificateAuthorities: readonly string[]; readonly at?: Date | undefined }

export interface VerifyOptions {
  /** Paths below the model that are not looked at, beside those that the signature names; a folder stands for all that is in it. */
  readonly ignorePaths?: readonly string[] | undefined
  /** Whether files that were not signed may lie beside those that were. */
  readonly ignoreUnsigned?: boolean | undefined
  readonly signal?: AbortSignal | undefined
  /** Bytes hashed, of all. */
  readonly onProgress?: ((progress: Progress) => void) | undefined
}

/** A file of a model: its path from the model's root (`a/b.bin`), and its bytes. */
export interface ModelFile {
  readonly name: string
  readonly data: Blob | Uint8Array
}

/**
 * Verifies files in memory, or chosen in a browser, against their signature file (OpenSSF Model Signing). Give all files of the model; the
 * signature file need not be among them. Nothing leaves the machine. Throws `InputError` `bad-public-key`, `bad-certificate`,
 * `duplicate-name` or `unreadable`, `OptionError` `bad-option`; a signature that does not hold is a result with `verified: false`.
 */
export async function verifyFiles(
  files: readonly ModelFile[],
  signature: Uint8Array,
  trust: Trust,
  options: VerifyOptions = {},
): Promise<Verification> {
  const check = await trustCheck(trust)
  const ignoring = checkIgnorePaths(options.ignorePaths ?? [])
  const sources = new Map<string, ByteSource>()
  for (const { name, data } of files) {
    const where = showText(name, 200)
    if (!isPlainPath(name)) throw new InputError('bad-name', `${where}: is not a plain path from the model's root, such as folder/file.bin`)
    if (sources.has(name)) throw new InputError('duplicate-name', `${where}: was given twice, expected once`)
    sources.set(name, data instanceof Uint8Array ? memorySource(name, data) : blobSource(data, name))
  }
  return verification(
    async () => signature,
    check,
    async (statement, note) => {
      const { ignorePaths, hashType } = statement.serialization
      const ignored = [...defaultIgnorePaths, ...ignorePaths, ...ignoring]
      const listing = listSources([...sources.values()], ignored, { searchGit: !ignoring.includes('.git') })
      const single = statement.resources.every(({ name }) => name === '.' || name.startsWith('.:')) && listing.files.length === 1
      const whole = single ? { ...listing, single: listing.files[0]?.name ?? null } : listing
      const digests = expectDigests(statement, whole, { ignorePaths: ignoring, ignoreUnsigned: options.ignoreUnsigned ?? false, note })
      const total = digests.reduce((sum, { start, end }) => sum + end - start, 0)
      let done = 0
      const found: string[] = []
      for (const { file, start, end } of digests) {
        const onBytes = (count: number) => {
          done += count
          options.onProgress?.({ stage: 'hash', done, total })
        }
        found.push(await hashSource(sources.get(file.name) as ByteSource, hashType, { start, end, signal: options.signal, onBytes }))
      }
      compareDigests(digests, found)
    },
  )
}

/** The check that goes with whom to trust. Throws `InputError`, `OptionError`. */
export async function trustCheck(trust: Trust): Promise<SignatureCheck> {
  if ('publicKey' in trust) return keyCheck(trust.publicKey)
  if ('certificateAuthorities' in trust) {
    const { at = new Date(), certificateAuthorities } = trust
    if (Number.isNaN(at.getTime())) throw new OptionError('bad-option', 'trust: at is no valid time, expected a Date')
    return certificateCheck(certificateAuthorities, at)
  }
  throw new OptionError('bad-option', 'trust: got neither publicKey nor certificateAuthorities, expected one of them')
}

/** Throws `OptionError` `bad-option` for what is not a path below the model; a slash at the end is taken off. */
export function checkIgnorePaths(paths: readonly string[]): string[] {
  return paths.map((path) => {
    const plain = path.replace(/\/$/, '')
    if (isPlainPath(plain) && !/[*?[]/.test(plain)) return plain
    throw new OptionError(
      'bad-option',
      `ignore: got ${showText(path, 200)}, expected a path from the model's root without wildcards, such as cache/log.txt`,
    )
  })
}

function listSources(
  sources: readonly ByteSource[],
  ignored: readonly string[],
  { searchGit }: { readonly searchGit: boolean },
): FileListing {
  return {
    files: sources
      .filter(({ name }) => !liesUnder(name, ignored))
      .map(({ name, byteLength }) => ({ name, byteLength, kind: 'file' as const })),
    single: null,
    ignored: sources.filter(({ name }) => liesUnder(name, ignored)).map(({ name }) => name),
    strayInGit: searchGit ? sources.map(({ name }) => name).filter(isStrayInGit) : [],
  }
}
