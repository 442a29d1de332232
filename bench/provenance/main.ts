import { execFileSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readdirSync, rmSync, writeSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { describeMachine } from '../machine.js'

const { values: flags } = parseArgs({
  options: { gib: { type: 'string' }, threads: { type: 'string' }, repeats: { type: 'string' }, folder: { type: 'string' } },
})
const gib = Number(flags.gib ?? 4)
const threads = Number(flags.threads ?? availableParallelism())
const repeats = Number(flags.repeats ?? 3)
const files = 8
const folder = mkdtempSync(join(flags.folder ?? tmpdir(), 'assay-hash-'))
try {
  const block = Buffer.from(Uint8Array.from({ length: 2 ** 20 }, (_, i) => Math.imul(i, 0x9e3779b1) >>> 24))
  for (let file = 0; file < files; file++) {
    const handle = openSync(join(folder, `model-0000${file}.safetensors`), 'w')
    for (let mib = 0; mib < (gib * 1024) / files; mib++) {
      block.writeUInt32LE(file * 65_536 + mib)
      writeSync(handle, block)
    }
    closeSync(handle)
  }
  const names = readdirSync(folder).sort()
  // sha256sum takes a file at a time: xargs runs as many of them as there are threads
  const sum = () =>
    execFileSync('sh', ['-c', `printf '%s\\0' ${names.join(' ')} | xargs -0 -n 1 -P ${threads} sha256sum`], {
      cwd: folder,
      encoding: 'utf8',
    })
  const own = () =>
    JSON.parse(execFileSync(process.execPath, [process.env.BENCH_HASH_ONCE as string, folder, String(threads)], { encoding: 'utf8' }))
  const expected = new Map(
    sum()
      .trim()
      .split('\n')
      .map((line) => line.split(/ +/).reverse() as [string, string]),
  )
  const first = own()
  if (names.some((name, i) => expected.get(name) !== first.digests[i])) throw new Error('the digests are not those of sha256sum')
  const time = (run: () => unknown) => {
    const start = performance.now()
    run()
    return performance.now() - start
  }
  const rows = Array.from({ length: repeats }, () => ({ sum: time(sum), own: time(own) }))
  const best = (key: 'sum' | 'own') => Math.min(...rows.map((row) => row[key]))
  const rate = (ms: number) => `${((gib * 1024) / ms).toFixed(2)} GiB/s`
  console.log(`${describeMachine()}\n${gib} GiB in ${files} files, ${threads} threads, best of ${repeats}, from the page cache`)
  console.log(`sha256sum  ${rate(best('sum'))}\nassay      ${rate(best('own'))}, ${first.maxRssMiB.toFixed(0)} MiB of memory at most`)
  console.log(
    `ratio      ${((100 * best('sum')) / best('own')).toFixed(0)} % (each run: ${rows.map((row) => `${((100 * row.sum) / row.own).toFixed(0)} %`).join(', ')})`,
  )
} finally {
  rmSync(folder, { recursive: true, force: true })
}
