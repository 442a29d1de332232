import { showText } from '../core/untrusted-text.js'
import { liesUnder, parseShardName, shardsOf } from './file-name.js'
import { Refusal } from './refusal.js'
import type { ModelStatement, Resource } from './statement.js'

/** What lies at a path: the regular files below it, by their names from there; or the one file that it is. */
export interface FileListing {
  readonly files: readonly ListedFile[]
  /** Where the path is a file itself: its name. */
  readonly single: string | null
  /** Ignored files and folders (with a `/` at the end) that were met. */
  readonly ignored: readonly string[]
  /** Files in `.git` that are none of git's own, where that was to be looked at. */
  readonly strayInGit: readonly string[]
}

export interface ListedFile {
  readonly name: string
  readonly byteLength: number
  /** A link is one that may not be followed, leads nowhere, or in a circle; the rest is devices, pipes and sockets. */
  readonly kind: 'file' | 'symlink' | 'special'
}

/** A signed file, or a shard of one, that is to be hashed. */
export interface ExpectedDigest {
  readonly resource: Resource
  readonly file: ListedFile
  readonly start: number
  readonly end: number
}

/**
 * Holds the signed names and sizes against the files that are there, before anything is hashed. Names are compared as they are and no
 * path is ever made of a signed one, so that none can lead out of the model. `note` hears of what is unsigned. Throws `Refusal`.
 */
export function expectDigests(
  statement: ModelStatement,
  listing: FileListing,
  options: {
    readonly ignorePaths: readonly string[]
    readonly ignoreUnsigned: boolean
    readonly note: (unsigned: readonly string[]) => void
  },
): ExpectedDigest[] {
  const { resources, serialization } = statement
  const byName = new Map(listing.files.map((file) => [file.name, file]))
  const taken = new Set<string>()
  const missing: string[] = []
  const digests: ExpectedDigest[] = []
  const shards = new Map<string, number>()
  for (const resource of resources) {
    const shard = serialization.shardSize === null ? null : parseShardName(resource.name)
    const path = shard?.path ?? resource.name
    if (liesUnder(path, options.ignorePaths)) {
      throw new Refusal('resource-ignored', `'${showText(path)}' was signed, but is to be ignored; leave it out of what is ignored`)
    }
    // a model that is one file goes under its own name, or as the reference implementation has it, under '.'
    const file = byName.get(path === '.' && listing.single !== null ? listing.single : path)
    if (!file) {
      missing.push(path)
      continue
    }
    checkKind(file)
    taken.add(file.name)
    shards.set(file.name, (shards.get(file.name) ?? 0) + 1)
    digests.push({ resource, file, start: shard?.start ?? 0, end: shard?.end ?? file.byteLength })
  }
  // an empty file has no shards, so that none could be signed
  const blank = ({ byteLength, kind }: ListedFile) => kind === 'file' && serialization.shardSize !== null && byteLength === 0
  const extra = listing.files.filter(({ name }) => !taken.has(name))
  const unsigned = [...new Set([...extra.map(({ name }) => name), ...listing.ignored, ...listing.strayInGit])]
  options.note(unsigned)
  if (missing.length > 0) throw new Refusal('file-missing', `${sayNames(missing)} signed, but not there`)
  for (const { resource, file, end } of digests) {
    const whole =
      serialization.shardSize === null || shardsOf(file.name, file.byteLength, serialization.shardSize).length === shards.get(file.name)
    if (whole && end <= file.byteLength) continue
    throw new Refusal('file-digest', `'${showText(resource.name)}': the file has ${file.byteLength} bytes, which is not what was signed`)
  }
  const refused = options.ignoreUnsigned ? [] : extra.filter((file) => !blank(file))
  for (const file of refused) checkKind(file)
  if (refused.length > 0) throw new Refusal('file-unsigned', `${sayNames(refused.map(({ name }) => name))} there, but not signed`)
  if (listing.strayInGit.length > 0 && !options.ignoreUnsigned) {
    throw new Refusal('file-in-git', `${sayNames(listing.strayInGit)} none of git's own; ignore .git by name to let it pass`)
  }
  return digests
}

/** Throws `Refusal` `file-symlink` or `file-special` for what is no regular file. */
export function checkKind({ name, kind }: ListedFile): void {
  const where = showText(name, 200)
  if (kind === 'special') throw new Refusal('file-special', `'${where}' is a device, pipe or socket, expected a regular file`)
  if (kind === 'file') return
  throw new Refusal(
    'file-symlink',
    `'${where}' is a symbolic link that may not be followed, leads nowhere or in a circle, expected a regular file`,
  )
}

/** Holds digests (hexadecimal, in the order of `expected`) against the signed ones. Throws `Refusal` `file-digest`. */
export function compareDigests(expected: readonly ExpectedDigest[], digests: readonly string[]): void {
  const wrong = expected.filter(({ resource }, i) => digests[i] !== resource.digest).map(({ resource }) => resource.name)
  if (wrong.length > 0) throw new Refusal('file-digest', `${sayNames(wrong)} not what was signed: the digest is another`)
}

/** `'a.bin', 'b.bin' and 3 more are`. */
function sayNames(names: readonly string[]): string {
  const distinct = [...new Set(names)]
  const shown = distinct.slice(0, 5).map((name) => `'${showText(name)}'`)
  const rest = distinct.length - shown.length
  return `${shown.join(', ')}${rest > 0 ? ` and ${rest} more` : ''} ${distinct.length === 1 ? 'is' : 'are'}`
}
