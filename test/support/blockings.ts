import type { Backend, Context } from '../../src/core/backend.js'

/** The ways in which a set can lie on a backend. */
export interface Blocking {
  readonly name: string
  /** `context`, made to hold a set of `rows` padded rows of `paddedCols` in that way. */
  readonly of: (context: Context, rows: number, paddedCols: number) => Context
}

const blockBytes = (rows: number, paddedCols: number) => Math.max(1, Math.ceil(rows / 5)) * paddedCols * 4

export const blockings: readonly Blocking[] = [
  { name: 'in one block', of: (context) => context },
  { name: 'in blocks', of: (context, rows, cols) => ({ ...context, backend: bindingAtMost(context.backend, blockBytes(rows, cols)) }) },
  // four times: what is held of a block
  {
    name: 'read again at every pass',
    of: (context, rows, cols) => ({ ...context, memory: Math.min(4 * blockBytes(rows, cols), rows * cols * 4 - 1) }),
  },
]

/** The same backend, said to bind no more than so much; only those who cut data by it know. */
export function bindingAtMost(backend: Backend, maxBindingBytes: number): Backend {
  return new Proxy(backend, {
    get(target, property) {
      if (property === 'maxBindingBytes') return maxBindingBytes
      const value = Reflect.get(target, property, target) as unknown
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
