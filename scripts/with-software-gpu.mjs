// Runs a command with SwiftShader, the software Vulkan driver that the dev dependency @sparticuz/chromium carries, so that
// WebGPU works on a Linux machine without a GPU and with nothing installed by hand.
// usage: node scripts/with-software-gpu.mjs COMMAND [ARG ...]
//
// The loader reads LD_LIBRARY_PATH when a process starts, hence a launcher in front of the command. On other systems, and where
// ASSAY_REAL_GPU=1 is set, the command runs as it is: the machine's own GPU serves.
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { constants } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { brotliDecompressSync } from 'node:zlib'

const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** Unpacks the driver once and returns its folder, or null where the dev dependency is missing. */
async function unpackSwiftShader() {
  const folder = join(root, 'node_modules', '.cache', 'assay-swiftshader')
  if (existsSync(join(folder, 'vk_swiftshader_icd.json'))) return folder
  const archive = join(root, 'node_modules', '@sparticuz', 'chromium', 'bin', 'swiftshader.tar.br')
  if (!existsSync(archive)) return null
  const tar = brotliDecompressSync(await readFile(archive))
  const staging = `${folder}.${process.pid}`
  mkdirSync(staging, { recursive: true })
  for (let at = 0; at + 512 <= tar.length && tar[at] !== 0; ) {
    const name = tar
      .subarray(at, at + 100)
      .toString('utf8')
      .replace(/\0.*$/s, '')
    const byteLength = Number.parseInt(tar.subarray(at + 124, at + 136).toString('utf8'), 8) || 0
    const isFile = tar[at + 156] === 0x30 || tar[at + 156] === 0
    const base = name.split('/').at(-1)
    if (isFile && base) writeFileSync(join(staging, base), tar.subarray(at + 512, at + 512 + byteLength), { mode: 0o755 })
    at += 512 + Math.ceil(byteLength / 512) * 512
  }
  try {
    renameSync(staging, folder)
  } catch {
    rmSync(staging, { recursive: true, force: true }) // another run was first
  }
  return folder
}

const [command, ...args] = process.argv.slice(2)
if (!command) {
  console.error('usage: node scripts/with-software-gpu.mjs COMMAND [ARG ...]')
  process.exit(64)
}
const env = { ...process.env }
if (process.platform === 'linux' && env.ASSAY_REAL_GPU !== '1') {
  const folder = await unpackSwiftShader()
  const icd = folder && readdirSync(folder).find((name) => name.endsWith('icd.json'))
  if (folder && icd) {
    env.LD_LIBRARY_PATH = [folder, env.LD_LIBRARY_PATH].filter(Boolean).join(':')
    env.VK_ICD_FILENAMES = join(folder, icd)
    env.VK_DRIVER_FILES = join(folder, icd)
  }
}
const child = spawn(command, args, { stdio: 'inherit', env })
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal))
child.on('error', (error) => {
  console.error(`${command}: ${error.message}`)
  process.exit(127)
})
child.on('exit', (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)))
