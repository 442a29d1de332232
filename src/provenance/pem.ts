import { fromBase64, toBase64 } from '../core/bytes-as-text.js'
import { InputError } from '../core/errors.js'

/** A block of a PEM file (RFC 7468). */
export interface PemBlock {
  readonly label: string
  readonly der: Uint8Array<ArrayBuffer>
}

const block = /-----BEGIN ([A-Z0-9 ]+)-----([A-Za-z0-9+/=\s]*)-----END \1-----/g

/** The blocks of a PEM file, in order; text between them is passed over. Throws `InputError` `code` where a block is not base64. */
export function readPem(text: string, where: string, code: string): PemBlock[] {
  return [...text.matchAll(block)].map(([, label = '', body = '']) => {
    try {
      return { label, der: fromBase64(body) }
    } catch (cause) {
      throw new InputError(code, `${where}: the ${label} in it is not base64, expected PEM; copy the file again`, {}, cause)
    }
  })
}

/** The one text that a block has: lines of 64, as OpenSSL writes it. */
export function writePem({ label, der }: PemBlock): string {
  const lines = toBase64(der).match(/.{1,64}/g) ?? []
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`
}
