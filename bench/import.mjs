// What `import 'assay'` costs a fresh Node process, beyond Node's own start: CPU milliseconds, median of several. usage: npm run bench:import
import { execFileSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const rounds = 15
const dist = join(dirname(dirname(fileURLToPath(import.meta.url))), 'dist')

/** CPU milliseconds that a fresh process takes to import a file of dist/. */
function cost(file) {
  const program = `const before = process.cpuUsage()
await import(${JSON.stringify(pathToFileURL(join(dist, file)).href)})
const { user, system } = process.cpuUsage(before)
console.log((user + system) / 1000)`
  return Number(execFileSync(process.execPath, ['--input-type=module', '--eval', program], { encoding: 'utf8' }))
}

for (const [file, what] of [
  ['node.js', "import 'assay' in Node"],
  ['index.js', 'the browser build, with all that an audit needs'],
]) {
  const times = Array.from({ length: rounds }, () => cost(file)).sort((a, b) => a - b)
  console.log(`${what}: median ${times[(rounds - 1) / 2].toFixed(1)} ms, least ${times[0].toFixed(1)} ms`)
}
