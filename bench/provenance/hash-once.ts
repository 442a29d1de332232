import { hashFiles } from '../../src/provenance/node-hash-files.js'
import { listFiles } from '../../src/provenance/node-list-files.js'

// A process of its own, so that its memory and its start count.
const [folder = '.', threads = '1'] = process.argv.slice(2)
const listing = await listFiles(folder, { ignored: [], allowSymlinks: false, searchGit: false, signaturePath: null })
const jobs = listing.files.map(({ name, byteLength }) => ({ path: listing.pathOf(name), start: 0, end: byteLength, size: byteLength }))
const digests = await hashFiles(jobs, { algorithm: 'sha256', followLinks: false, threads: Number(threads) })
const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage()
console.log(JSON.stringify({ digests, maxRssMiB: maxRSS / 1024, cpuMs: (userCPUTime + systemCPUTime) / 1000 }))
