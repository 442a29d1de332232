// Whether `assay audit model.onnx --data FOLDER` decides as `assay audit FOLDER` does, with every detector, on the sets whose inputs are all there.
// usage: npm run bench:extract [-- FOLDER …]   by default those of ../shared/data; runs what npm run build made
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const shared = join(root, '../shared/data')
const command = join(root, 'dist/cli/main.js')
const given = process.argv.slice(2)
const listed = given.length > 0 || !existsSync(shared) ? given : readdirSync(shared).map((name) => join(shared, name))
const folders = listed.filter(
  (folder) => existsSync(join(folder, 'model.onnx')) && ['images.npz', 'token_ids.npy'].some((name) => existsSync(join(folder, name))),
)

function audit(...args) {
  const { stdout, stderr, status } = spawnSync(process.execPath, [command, 'audit', ...args, '--backend', 'cpu', '--json', '-'], {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  })
  if (status > 2) throw new Error(stderr)
  const { verdict, classes, rows } = JSON.parse(stdout)
  return { verdict, classes: classes.map(({ verdict }) => verdict).join(), flagged: [...rows.flagged].sort((a, b) => a - b) }
}

let differ = 0
for (const folder of folders) {
  const stored = audit(folder)
  const made = audit(join(folder, 'model.onnx'), '--data', folder)
  const same = stored.verdict === made.verdict && stored.classes === made.classes
  const onlyOne = new Set([...stored.flagged, ...made.flagged]).size * 2 - stored.flagged.length - made.flagged.length
  if (!same) differ++
  console.log(
    `${basename(folder)}: folder ${stored.verdict}, model and data ${made.verdict}; every class ${same ? 'the same' : 'NOT the same'}; ` +
      `${stored.flagged.length} and ${made.flagged.length} rows flagged, ${onlyOne} of them in one only`,
  )
}
if (folders.length === 0) console.log('no folder with a model.onnx and all of its inputs')
process.exitCode = differ > 0 ? 1 : 0
