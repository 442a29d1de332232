import { InputError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import { openFile } from '../io/node-file-source.js'

const maxBytes = 2 ** 20

/** The text of a key, a certificate or a trusted root. Throws `InputError`. */
export async function readKeyFile(path: string): Promise<string> {
  const file = await openFile(path)
  try {
    if (file.byteLength > maxBytes) {
      throw new InputError(
        'too-large',
        `${showText(path, 200)}: has ${file.byteLength} bytes, expected a key or certificate of at most ${maxBytes}`,
      )
    }
    return new TextDecoder().decode(await file.slice(0, file.byteLength))
  } finally {
    await file.close()
  }
}
