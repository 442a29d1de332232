import { execFile, execFileSync } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { promisify } from 'node:util'
import { downloadFile, snapshotDownload } from '@huggingface/hub'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Decide } from '../../src/proxy/revisions.js'
import { listGate, type Started, signedFiles, start } from './started.js'

// The clients that people use, with nothing changed but the endpoint.
const python = [process.env.ASSAY_PYTHON ?? '', 'python3'].find((command) => {
  try {
    execFileSync(command, ['-c', 'import huggingface_hub'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
})

const weights = Buffer.from(Uint8Array.from({ length: 3_000_000 }, (_, i) => Math.imul(i, 0x9e3779b1) >>> 24))
const files = signedFiles({
  'config.json': Buffer.from('{"a":1}'),
  'model-00001.safetensors': weights,
  'onnx/model.bin': weights.subarray(0, 100_000),
  'onnx/empty.txt': Buffer.alloc(0),
})
const bad = { ...files, 'config.json': Buffer.from('{"a":2}') }

let at: Started
let scratch: string
beforeEach(async () => {
  at = await start()
  scratch = await mkdtemp(join(tmpdir(), 'assay-clients-'))
  vi.spyOn(console, 'debug').mockImplementation(() => {})
  vi.spyOn(console, 'warn').mockImplementation(() => {})
})
afterEach(async () => {
  vi.restoreAllMocks()
  await at.stop()
  await rm(scratch, { recursive: true, force: true })
})

async function expectFiles(folder: string, expected: Readonly<Record<string, Buffer>>): Promise<void> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const found = entries.filter((entry) => !entry.isDirectory()).map((entry) => relative(folder, join(entry.parentPath, entry.name)))
  expect(found.filter((name) => !name.startsWith('.cache')).sort()).toEqual(Object.keys(expected).sort())
  for (const [name, bytes] of Object.entries(expected)) expect((await readFile(join(folder, name))).equals(bytes), name).toBe(true)
}

describe('@huggingface/hub', () => {
  it.each(['model', 'dataset'] as const)('downloads the snapshot of a %s, and it is what was signed', async (type) => {
    const commit = at.hub.push(`${type}s/org/thing`, files)
    const folder = await snapshotDownload({ repo: { type, name: 'org/thing' }, hubUrl: at.proxy.url, cacheDir: scratch })
    expect(folder.endsWith(commit)).toBe(true)
    await expectFiles(folder, files)
  })

  it('downloads one file, whole and in parts', async () => {
    at.hub.push('models/org/thing', files)
    const blob = await downloadFile({ repo: 'org/thing', path: 'model-00001.safetensors', hubUrl: at.proxy.url })
    expect(Buffer.from(await (blob as Blob).arrayBuffer()).equals(weights)).toBe(true)
    expect(Buffer.from(await (blob as Blob).slice(1_000_000, 1_000_100).arrayBuffer()).equals(weights.subarray(1_000_000, 1_000_100))).toBe(
      true,
    )
  })

  it('shows why a revision is refused', async () => {
    at.hub.push('models/org/bad', bad)
    const refusal = /org\/bad@[0-9a-f]{40} is refused: signature-refused: the files are not those that were signed/
    await expect(snapshotDownload({ repo: 'org/bad', hubUrl: at.proxy.url, cacheDir: scratch })).rejects.toThrow(refusal)
    await expect(downloadFile({ repo: 'org/bad', path: 'config.json', hubUrl: at.proxy.url })).rejects.toThrow(refusal)
  })
})

describe.skipIf(!python)(
  `Python's huggingface_hub${python ? '' : ' (skipped: not installed; ASSAY_PYTHON names a Python that has it)'}`,
  () => {
    const run = async (code: string): Promise<string> => {
      const program = join(scratch, 'program.py')
      await writeFile(program, code)
      const env = {
        ...process.env,
        HF_ENDPOINT: at.proxy.url,
        HF_HOME: join(scratch, 'home'),
        HF_HUB_DISABLE_PROGRESS_BARS: '1',
        HF_HUB_DISABLE_TELEMETRY: '1',
      }
      const { stdout } = await promisify(execFile)(python as string, [program], { env, maxBuffer: 2 ** 24 })
      return stdout.trim()
    }

    it.each(['model', 'dataset'])('downloads the snapshot of a %s, and it is what was signed', async (type) => {
      const commit = at.hub.push(`${type}s/org/thing`, files)
      const folder = await run(`from huggingface_hub import snapshot_download\nprint(snapshot_download("org/thing", repo_type="${type}"))`)
      expect(folder.endsWith(commit)).toBe(true)
      await expectFiles(folder, files)
      const local = join(scratch, 'local')
      await run(
        `from huggingface_hub import snapshot_download\nsnapshot_download("org/thing", repo_type="${type}", revision="${commit}", local_dir=${JSON.stringify(local)})`,
      )
      await expectFiles(local, files)
    })

    it('downloads one file, lists and describes', async () => {
      at.hub.push('models/org/thing', files)
      const said = await run(`from huggingface_hub import HfApi, hf_hub_download
import hashlib, json
path = hf_hub_download("org/thing", "model-00001.safetensors")
api = HfApi()
print(json.dumps([len(open(path, "rb").read()), sorted(api.list_repo_files("org/thing")), api.model_info("org/thing", files_metadata=True).siblings[0].size is not None,
  [type(one).__name__ for one in api.get_paths_info("org/thing", ["config.json", "onnx"])], api.file_exists("org/thing", "none")]))`)
      expect(JSON.parse(said)).toEqual([weights.length, Object.keys(files).sort(), true, ['RepoFile', 'RepoFolder'], false])
    })

    it('waits for a revision that takes longer than its own ten seconds', async () => {
      const slowly: Decide = async (...given) => {
        await new Promise((resolve) => setTimeout(resolve, 12_000))
        return listGate(...given)
      }
      at = await at.restart({ decide: slowly })
      at.hub.push('models/org/thing', files)
      const path = await run('from huggingface_hub import hf_hub_download\nprint(hf_hub_download("org/thing", "config.json"))')
      expect(await readFile(path, 'utf8')).toBe('{"a":1}')
      expect(at.lines.filter(({ event }) => event === 'revision')).toHaveLength(1)
    })

    it('shows why a revision is refused', async () => {
      at.hub.push('models/org/bad', bad)
      for (const call of ['snapshot_download("org/bad")', 'hf_hub_download("org/bad", "config.json")', 'HfApi().model_info("org/bad")']) {
        const said = await run(
          `from huggingface_hub import *\ntry:\n  ${call}\nexcept Exception as error:\n  print(type(error).__name__, error)`,
        )
        expect(said).toMatch(/org\/bad@[0-9a-f]{40} is refused: signature-refused: the files are not those that were signed/)
      }
    })
  },
)
