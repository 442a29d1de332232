import { open, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { InputError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'

/** By this process: its own id in a file may also be that of one before it, in a container. */
const held = new Set<string>()

/** Takes a store for this process, by a file with its id in it; one that a process which died has left counts for nothing. Throws `InputError` `store-in-use`. */
export async function lockStore(root: string): Promise<() => Promise<void>> {
  const path = join(root, 'lock')
  for (let tries = 0; tries < 3; tries++) {
    try {
      const handle = await open(path, 'wx', 0o600)
      await handle.writeFile(String(process.pid))
      await handle.close()
      held.add(path)
      return async () => {
        held.delete(path)
        await rm(path, { force: true })
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    const pid = Number(await readFile(path, 'utf8').catch(() => ''))
    if (pid > 0 && (pid === process.pid ? held.has(path) : isAlive(pid))) {
      throw new InputError(
        'store-in-use',
        `store: ${showText(root, 200)} is in use by the process ${pid}, expected it free; stop that one, or, if it is no assay proxy, remove ${showText(path, 200)}`,
      )
    }
    await rm(path, { force: true })
  }
  throw new InputError('store-in-use', `store: ${showText(root, 200)} is in use by another process that starts just now`)
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
