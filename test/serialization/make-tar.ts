import { concat } from '../io/make-zip.js'
import { latin1 } from '../support/pickle-assembler.js'

/** A tar archive (ustar) of these members. */
export function makeTar(members: readonly { name: string; data?: Uint8Array; type?: string; link?: string }[]): Uint8Array {
  const blocks = members.flatMap(({ name, data = new Uint8Array(0), type = '0', link = '' }) => {
    const header = new Uint8Array(512)
    const put = (at: number, text: string) => header.set(latin1(text), at)
    put(0, name)
    put(100, '0000644\0')
    put(124, `${data.length.toString(8).padStart(11, '0')}\0`)
    put(148, '        ')
    put(156, type)
    put(157, link)
    put(257, 'ustar\x0000')
    put(
      148,
      `${header
        .reduce((sum, byte) => sum + byte, 0)
        .toString(8)
        .padStart(6, '0')}\0 `,
    )
    return [header, data, new Uint8Array((512 - (data.length % 512)) % 512)]
  })
  return concat([...blocks, new Uint8Array(1024)])
}
