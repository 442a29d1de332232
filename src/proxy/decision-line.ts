import { type FileHandle, open } from 'node:fs/promises'

/** One line of the decision log, as JSON. Credentials are never a part of it. */
export interface DecisionLine {
  /** ISO 8601. */
  readonly time: string
  /** A request was answered; a revision was decided about; an operator's file was read. */
  readonly event: 'request' | 'revision' | 'operator'
  readonly verdict: 'served' | 'refused' | 'failed' | 'allow' | 'deny' | 'released' | 'quarantine' | 'release' | 'ignored'
  /** Of what is not served or allowed: the code. */
  readonly code?: string | undefined
  readonly reasons?: readonly { readonly code: string; readonly says: string }[] | undefined
  /** Who asked: address and port; what program it says it is. */
  readonly client?: string | undefined
  readonly userAgent?: string | undefined
  readonly method?: string | undefined
  readonly status?: number | undefined
  readonly bytes?: number | undefined
  readonly repository?: string | undefined
  readonly revision?: string | undefined
  readonly commit?: string | undefined
  readonly path?: string | undefined
  /** SHA-256, hexadecimal: of the file, of the revision's content, of the signed statement, the root digest, of the policy. */
  readonly digests?: Readonly<Record<string, string | null>> | undefined
}

/** Appends decisions to a file, in order. */
export class DecisionLog {
  #writing = Promise.resolve()
  /** Lines that could not be written. */
  lost = 0

  readonly #handle: FileHandle

  private constructor(handle: FileHandle) {
    this.#handle = handle
  }

  static async open(path: string): Promise<DecisionLog> {
    return new DecisionLog(await open(path, 'a', 0o600))
  }

  write(line: DecisionLine): void {
    const text = `${JSON.stringify(line)}\n`
    this.#writing = this.#writing
      .then(() => this.#handle.appendFile(text))
      .catch(() => {
        this.lost++
      })
  }

  async close(): Promise<void> {
    await this.#writing
    await this.#handle.close()
  }
}
