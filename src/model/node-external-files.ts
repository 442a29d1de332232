import { realpath } from 'node:fs/promises'
import { dirname, isAbsolute, join, relative, sep } from 'node:path'
import { InputError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import { type FileSource, orFileError } from '../io/node-file-source.js'
import type { OpenExternal } from '../io/onnx-external.js'

/** The files of weights beside a model, each opened once. */
export interface ExternalFiles {
  readonly open: OpenExternal
  /** Those that were opened, by the location that the model has for them. */
  readonly opened: ReadonlyMap<string, FileSource>
}

/**
 * Opens files by paths relative to the folder of the model at `modelPath`. Throws `InputError` `external-data` where a path leads out of that folder, over a
 * link too, and what `open` throws.
 */
export function externalFiles(modelPath: string, open: (path: string) => Promise<FileSource>): ExternalFiles {
  const opened = new Map<string, FileSource>()
  const folder = dirname(modelPath)
  return {
    opened,
    async open(location) {
      const known = opened.get(location)
      if (known) return known
      const path = await orFileError(join(folder, location), (at) => realpath(at))
      const inside = relative(await orFileError(folder, (at) => realpath(at)), path)
      if (inside === '..' || inside.startsWith(`..${sep}`) || isAbsolute(inside)) {
        const message = `${showText(modelPath, 300)}: its file of weights '${showText(location, 200)}' is a link out of its folder, expected a file in it; copy the file there`
        throw new InputError('external-data', message)
      }
      const file = await open(path)
      opened.set(location, file)
      return file
    },
  }
}
