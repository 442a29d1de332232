import { realpath } from 'node:fs/promises'
import { dirname, isAbsolute, join, relative, sep } from 'node:path'
import { InputError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import { type FileSource, orFileError } from '../io/node-file-source.js'
import type { OpenExternal } from '../io/onnx-external.js'

/**
 * Opens files by paths relative to the folder of the model at `modelPath`; whoever gave `open` closes them. Throws `InputError` `external-data` where a path leads out of that folder, over a
 * link too, and what `open` throws.
 */
export function externalFiles(modelPath: string, open: (path: string) => Promise<FileSource>): OpenExternal {
  const folder = dirname(modelPath)
  return async (location) => {
    const path = await orFileError(join(folder, location), (at) => realpath(at))
    const inside = relative(await orFileError(folder, (at) => realpath(at)), path)
    if (inside === '..' || inside.startsWith(`..${sep}`) || isAbsolute(inside)) {
      const message = `${showText(modelPath, 300)}: its file of weights '${showText(location, 200)}' is a link out of its folder, expected a file in it; copy the file there`
      throw new InputError('external-data', message)
    }
    return open(path)
  }
}
