import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod/mini'
import { isCommit, isRepositoryName, isRevisionName, type Repository, showRepository } from './repository.js'
import { writeDurably } from './store.js'

/** Which commit a name stands for, from when it was first let through. */
export interface Pin {
  readonly commit: string
  /** ISO 8601. */
  readonly since: string
  /** The commit that the upstream has given for it since; refused until an operator releases the name. */
  readonly movedTo?: string | undefined
}

const commit = z.string().check(z.refine(isCommit))
const schema = z.object({
  schemaVersion: z.literal(1),
  repository: z.object({ kind: z.enum(['model', 'dataset']), name: z.string().check(z.refine(isRepositoryName)) }),
  names: z.record(z.string().check(z.refine(isRevisionName)), z.object({ commit, since: z.string(), movedTo: z.optional(commit) })),
})

/** The names of revisions that were let through, one file a repository. */
export class Pins {
  readonly #pins = new Map<string, Map<string, Pin>>()
  #saving = Promise.resolve()

  readonly #folder: string

  private constructor(folder: string) {
    this.#folder = folder
  }

  /** Reads them all. A file that cannot be read is taken away: its names are then as if nobody had asked for them. */
  static async open(folder: string): Promise<Pins> {
    const pins = new Pins(folder)
    for (const file of await readdir(folder)) {
      const path = join(folder, file)
      const read = await readPins(path)
      if (read) pins.#pins.set(showRepository(read.repository), new Map(Object.entries(read.names)))
      else await rm(path, { recursive: true, force: true })
    }
    return pins
  }

  get(repository: Repository, name: string): Pin | null {
    return this.#pins.get(showRepository(repository))?.get(name) ?? null
  }

  /** Resolves when it is on disk. */
  set(repository: Repository, name: string, pin: Pin): Promise<void> {
    const names = this.#pins.get(showRepository(repository)) ?? new Map<string, Pin>()
    this.#pins.set(showRepository(repository), names.set(name, pin))
    const save = (): Promise<void> =>
      writeDurably(pinsFile(this.#folder, repository), JSON.stringify({ schemaVersion: 1, repository, names: Object.fromEntries(names) }))
    this.#saving = this.#saving.then(save, save)
    return this.#saving
  }
}

/** Reads the names of one repository from a store that may be in use. */
export async function readPin(folder: string, repository: Repository, name: string): Promise<Pin | null> {
  return (await readPins(pinsFile(folder, repository)))?.names[name] ?? null
}

function pinsFile(folder: string, { kind, name }: Repository): string {
  return join(folder, `${kind}s--${name.replace('/', '--')}.json`)
}

async function readPins(path: string): Promise<z.infer<typeof schema> | null> {
  try {
    return schema.parse(JSON.parse(await readFile(path, 'utf8')))
  } catch {
    return null
  }
}
