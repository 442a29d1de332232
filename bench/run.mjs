// Runs every bench: kernels, whole audits beside numpy, and the quality of the detectors. usage: npm run bench [-- --software-adapters]
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const command = join(root, 'dist', 'cli', 'main.js')
if (!existsSync(command)) {
  console.error('bench: dist/ is not built; run npm run build first')
  process.exit(1)
}
const flags = process.argv.slice(2)
const unknown = flags.filter((flag) => flag !== '--software-adapters')
if (unknown.length > 0) {
  console.error(
    `bench: got ${unknown.join(' ')}, expected --software-adapters or nothing; npm run bench:kernels, bench:detectors and bench:quality take more`,
  )
  process.exit(64)
}

const shared = join(root, '..', 'shared', 'data')
const data = existsSync(shared) ? shared : join(root, 'examples', 'data')
let status = 0
const run = (title, ...args) => {
  console.log(`\n== ${title} ==\n`)
  const result = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' })
  if (result.status !== 0) status = result.status ?? 1
}
run('kernels', 'bench/kernels/run.mjs', ...flags)
if (!flags.includes('--software-adapters')) run('the CPU path, beside numpy and scikit-learn', 'bench/cpu/run.mjs')
run('whole audits, beside numpy and scikit-learn', 'bench/detectors/run.mjs', ...flags)
const where = relative(root, data)
if (data !== shared) console.log(`\nThere is no folder ../shared/data, so the quality bench takes the two small sets of ${where}.`)
run(`quality of the detectors: assay bench ${where}`, command, 'bench', where, ...flags)
process.exit(status)
