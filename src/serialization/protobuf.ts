import type { ByteSource } from '../io/byte-source.js'
import { ByteWindow } from './byte-window.js'

/** One field of a message: the range of its bytes, or its number. */
export interface ProtobufField {
  readonly field: number
  readonly wire: number
  readonly start: number
  readonly end: number
  readonly value: number
}

export class ProtobufError extends Error {}

/** Reads messages of protocol buffers field by field, without what is in between: the bytes of tensors are passed over. */
export class ProtobufReader {
  readonly window: ByteWindow
  constructor(source: ByteSource, signal?: AbortSignal) {
    this.window = new ByteWindow(source, signal)
  }

  /** Calls `visit` with each field of the message in `start` … `end − 1`. Throws `ProtobufError` where it is none. */
  async message(start: number, end: number, visit: (field: ProtobufField) => Promise<void> | void): Promise<void> {
    const { window } = this
    let at = start
    const varint = (): number => {
      let value = 0
      for (let shift = 0; shift < 70; shift += 7) {
        if (at >= end) throw new ProtobufError('a number is cut off')
        const byte = window.bytes[at++ - window.start] as number
        value += (byte & 0x7f) * 2 ** shift
        if (byte < 128) return value
      }
      throw new ProtobufError('a number has no end')
    }
    while (at < end) {
      if (!window.holds(at, 32)) await window.fill(at, 32)
      const fieldStart = at
      const tag = varint()
      const [field, wire] = [Math.floor(tag / 8), tag % 8]
      let value = 0
      let [from, to] = [at, at]
      if (wire === 0) value = varint()
      else if (wire === 1) to = at + 8
      else if (wire === 5) to = at + 4
      else if (wire === 2) {
        const length = varint()
        from = at
        to = at + length
      } else throw new ProtobufError(`wire type ${wire} at byte ${fieldStart}`)
      if (field === 0 || to > end) throw new ProtobufError(`field ${field} at byte ${fieldStart} is longer than its message`)
      if (wire !== 0) at = to
      const visited = visit({ field, wire, start: from, end: to, value })
      if (visited) await visited
    }
  }

  /** The text of a field, cut where it is long. */
  async text({ start, end }: ProtobufField, maxBytes = 4096): Promise<string> {
    const length = Math.min(end - start, maxBytes)
    await this.window.fill(start, length)
    return new TextDecoder().decode(this.window.bytes.subarray(start - this.window.start, start - this.window.start + length))
  }
}
