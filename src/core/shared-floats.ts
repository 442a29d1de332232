/** Zeros in memory that threads share, where there is such memory: what lies there is not copied for a thread. */
export function sharedBytes(byteLength: number): Uint8Array {
  return new Uint8Array(typeof SharedArrayBuffer === 'undefined' ? new ArrayBuffer(byteLength) : new SharedArrayBuffer(byteLength))
}

/** The same as numbers. */
export const sharedFloats = (length: number): Float32Array => new Float32Array(sharedBytes(length * 4).buffer)
export const sharedDoubles = (length: number): Float64Array => new Float64Array(sharedBytes(length * 8).buffer)

/** An array for what is wanted again and again, in memory that threads share: to find fresh memory takes longer than to fill it. */
export function reusedFloats(): (length: number) => Float32Array {
  let room = new Float32Array(0) as Float32Array
  return (length) => {
    if (room.length < length) room = sharedFloats(length)
    return room
  }
}

/** Some of the values, to be handed to a thread: a view where threads share them, else a copy of them alone. */
export function partForThread(values: Float32Array, start: number, end: number): Float32Array {
  const isShared = typeof SharedArrayBuffer !== 'undefined' && values.buffer instanceof SharedArrayBuffer
  return isShared ? values.subarray(start, end) : values.slice(start, end)
}
