import { createHash, type Hash } from 'node:crypto'

/** Hashes a file both ways that the hub knows: git's blob (SHA-1 over `blob ‹size›\0` and the bytes), and SHA-256. */
export class FileHash {
  readonly #blob: Hash
  readonly #sha256 = createHash('sha256')

  constructor(size: number) {
    this.#blob = createHash('sha1').update(`blob ${size}\0`)
  }

  update(bytes: Uint8Array): void {
    this.#blob.update(bytes)
    this.#sha256.update(bytes)
  }

  /** To be called once. */
  digest(): { readonly blob: string; readonly sha256: string } {
    return { blob: this.#blob.digest('hex'), sha256: this.#sha256.digest('hex') }
  }
}

/**
 * An id for a folder, made as git makes one of a tree, with every file taken for one that cannot be run: clients want an id there, and what
 * the hub says of it could not be checked.
 */
export function folderId(entries: readonly { readonly name: string; readonly oid: string; readonly folder: boolean }[]): string {
  const sorted = entries
    .map(({ name, oid, folder }) => ({ key: Buffer.from(folder ? `${name}/` : name), name, oid, mode: folder ? '40000' : '100644' }))
    .sort((a, b) => Buffer.compare(a.key, b.key))
  const body = Buffer.concat(
    sorted.map(({ mode, name, oid }) => Buffer.concat([Buffer.from(`${mode} ${name}\0`), Buffer.from(oid, 'hex')])),
  )
  return createHash('sha1').update(`tree ${body.length}\0`).update(body).digest('hex')
}
