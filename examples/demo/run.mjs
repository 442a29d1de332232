// npm run demo: audits a poisoned and a clean training set as a user of the package would, and holds the outcome against the truth.
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

// In a project of your own: import { auditWithScores, openAudit, renderTerminal, sanitize } from 'assay'
const { auditWithScores, openAudit, renderTerminal, sanitize } = await import('../../dist/node.js').catch((error) => {
  console.error(`demo: the package is not built (${error.code}); run npm run build first`)
  process.exit(1)
})
const data = join(dirname(dirname(fileURLToPath(import.meta.url))), 'data')

/** Audits a folder and prints the report that `assay audit` prints. */
async function show(name) {
  console.log(`$ assay audit examples/data/${name}\n`)
  const set = await openAudit(join(data, name))
  const outcome = await auditWithScores(set, { seed: 0 })
  const { isTTY = false, columns = 80 } = process.stdout
  console.log(renderTerminal(outcome.report, { color: isTTY && !process.env.NO_COLOR, width: columns }))
  return { set, labels: set.labels, ...outcome }
}

/** The poisoned rows: one byte a row after the header of a version 1.0 .npy file. */
function readMask(path) {
  const file = readFileSync(path)
  return file.subarray(10 + file.readUInt16LE(8))
}

console.log('1. Traffic signs. Somebody put a yellow sticker on some stop signs and labelled them "60 km/h".\n')
const { set, labels, report, detectorScores } = await show('poisoned')

console.log('2. The same signs without stickers.\n')
const { report: cleanReport } = await show('clean')

console.log('3. What the poisoned set really holds (truth/, which no detector reads).\n')
const { source, target, epsilon } = JSON.parse(readFileSync(join(data, 'poisoned', 'truth', 'truth.json'), 'utf8'))
const poisoned = readMask(join(data, 'poisoned', 'truth', 'poison_mask.npy'))
const members = Array.from(labels.keys()).filter((row) => labels[row] === target)
const total = members.filter((row) => poisoned[row]).length
const { flagged } = report.rows
const caught = flagged.filter((row) => poisoned[row]).length
console.log(
  `${total} of the ${members.length} rows labelled ${target} are poison, made from class ${source} (ε = ${(100 * epsilon).toFixed(1)} %).`,
)
console.log(
  `Of the ${flagged.length} rows that were flagged, ${caught} are poison. The verdicts are "${report.verdict}" and "${cleanReport.verdict}".`,
)
const { drop } = await sanitize(set, report)
console.log(
  `assay sanitize would remove ${drop.length} rows and leave ${total - drop.filter((row) => poisoned[row]).length} poisoned ones in.`,
)

const top = Math.round(1.5 * epsilon * members.length)
console.log(`\nTold the class and ε, which the verdict is not, each detector's ${top} (1.5·ε·n) most suspicious rows hold:\n`)
for (const [id, scores] of detectorScores) {
  const found = [...members].sort((a, b) => scores[b] - scores[a] || a - b).slice(0, top)
  const hits = found.filter((row) => poisoned[row]).length
  console.log(`  ${id.padEnd(22)} ${hits} of ${total} poisoned rows`)
}
console.log(`  ${'chance'.padEnd(22)} about ${Math.round((top * total) / members.length)}`)
console.log('\nWhat a verdict means, and what to do next: docs/verdicts.md')
