import { closeSync, openSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { npyHeader, writeNpy } from '../../src/io/npy-writer.js'
import { PooledRows, type PooledSize } from './pooled-rows.js'

const trustedPerClass = 100

/** Writes an audit folder of `rows` pooled rows, with a hundred trusted ones a class, without ever holding more than a few MiB of them. */
export function writeHugeSet(folder: string, { rows, cols, classes }: PooledSize & { readonly rows: number }): void {
  const made = new PooledRows({ cols, classes })
  const trustedLabels = Int32Array.from({ length: classes * trustedPerClass }, (_, i) => i % classes)
  const trusted = new Float32Array(trustedLabels.length * cols)
  trustedLabels.forEach((c, i) => {
    made.write(trusted, i * cols, c, { clean: true })
  })
  writeFileSync(join(folder, 'trusted_activations.npy'), writeNpy(trusted, [trustedLabels.length, cols]))
  writeFileSync(join(folder, 'trusted_labels.npy'), writeNpy(trustedLabels, [trustedLabels.length]))
  const labels = new Int32Array(rows)
  const file = openSync(join(folder, 'activations.npy'), 'w')
  try {
    writeSync(file, npyHeader({ descr: '<f4', fortranOrder: false, shape: [rows, cols] }))
    const perBlock = Math.max(1, Math.floor(2 ** 21 / cols))
    const block = new Float32Array(perBlock * cols)
    for (let first = 0; first < rows; first += perBlock) {
      const end = Math.min(first + perBlock, rows)
      for (let row = first; row < end; row++) {
        labels[row] = made.draw()
        made.write(block, (row - first) * cols, labels[row] as number)
      }
      writeSync(file, new Uint8Array(block.buffer, 0, (end - first) * cols * 4))
    }
  } finally {
    closeSync(file)
  }
  writeFileSync(join(folder, 'labels.npy'), writeNpy(labels, [rows]))
}
