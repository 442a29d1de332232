import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { audit } from '../../src/node.js'

// One audit in a fresh process, timed: reading the files is not. Prints JSON.
const [folder = '', rows = '', cols = '', threads = ''] = process.argv.slice(2)
/** What a .npy file of `count` float32 values holds, behind its header. */
const floats = (name: string, count: number) => {
  const { buffer, byteOffset, byteLength } = readFileSync(join(folder, name))
  return new Float32Array(buffer.slice(byteOffset + byteLength - 4 * count, byteOffset + byteLength) as ArrayBuffer)
}
const activations = { data: floats('activations.npy', Number(rows) * Number(cols)), rows: Number(rows), cols: Number(cols) }
const labels = floats('labels.npy', Number(rows))
const began = performance.now()
const report = await audit(
  { activations, labels },
  { backend: 'cpu', threads: Number(threads), detectors: ['spectral-signatures', 'activation-clustering'] },
)
const totalMs = performance.now() - began
const statistics = (id: string) => report.classes.map(({ evidence }) => evidence.find(({ detector }) => detector === id)?.statistic)
console.log(
  JSON.stringify({
    totalMs,
    backend: `${report.backend.adapter}, ${report.backend.reason}`,
    silhouettes: statistics('activation-clustering'),
    largestScores: statistics('spectral-signatures'),
  }),
)
