import { execFileSync } from 'node:child_process'
import { appendFileSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { auditWithScores, openAudit } from '../src/node.js'
import { runFake } from './cli/fake-io.js'

const root = join(import.meta.dirname, '..')
const scratch = mkdtempSync(join(tmpdir(), 'assay-readme-'))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

test('the commands that the README shows for signing do what it says', async () => {
  const readme = readFileSync(join(root, 'README.md'), 'utf8')
  const [, block = ''] = /<!-- sign -->\s*```sh\n([\s\S]*?)```/.exec(readme) ?? []
  const commands = block.trim().split('\n')
  expect(commands).toHaveLength(4)
  cpSync(join(root, 'examples/data/clean'), join(scratch, 'examples/data/clean'), { recursive: true })
  const here = (word: string) => (/\.(?:key|pub|sig)$|^examples\//.test(word) ? join(scratch, word) : word)
  const run = async (command = '') => {
    const [program = '', ...words] = command.split(' ')
    if (program === 'openssl') return { code: 0, stdout: execFileSync(program, words.map(here), { encoding: 'utf8', stdio: 'pipe' }) }
    const argv = command.replace(/^npm run -s assay -- /, '').split(' ')
    return runFake(argv.map(here))
  }
  const ran = []
  for (const command of commands) ran.push(await run(command))
  expect(ran.map(({ code }) => code)).toEqual([0, 0, 0, 0])
  const said = /says `(verified: all \d+ files are as signed by the key with the hint) …`/.exec(readme.replaceAll('\n', ' '))?.[1]
  expect(ran[3]?.stdout.replace(/\s+/g, ' ')).toContain(said)

  appendFileSync(join(scratch, 'examples/data/clean/labels.npy'), 'x')
  expect(await run(commands[3])).toMatchObject({ code: 1, stdout: expect.stringMatching(/^refused \(file-digest\): /) })
  writeFileSync(join(scratch, 'examples/data/clean/more.npy'), 'x')
  expect(await run(commands[3])).toMatchObject({ code: 1, stdout: expect.stringMatching(/^refused \(file-unsigned\): /) })
  rmSync(join(scratch, 'examples/data/clean/labels.npy'))
  expect(await run(commands[3])).toMatchObject({ code: 1, stdout: expect.stringMatching(/^refused \(file-missing\): /) })
})

test('the commands that the README shows for the gate do what it says', async () => {
  const readme = readFileSync(join(root, 'README.md'), 'utf8')
  const [, block = '', policy = ''] = /<!-- gate -->\s*```sh\n([\s\S]*?)```[\s\S]*?```yaml\n([\s\S]*?)```/.exec(readme) ?? []
  const commands = block.trim().split('\n')
  expect(commands).toHaveLength(7)
  writeFileSync(join(scratch, 'policy.yaml'), policy)
  cpSync(join(root, 'examples/data/poisoned'), join(scratch, 'examples/data/poisoned'), { recursive: true })
  const here = (word: string) => (/\.(?:key|pub|sig|json|yaml)$|^examples\//.test(word) ? join(scratch, word) : word)
  const codes = []
  let said = ''
  for (const command of commands) {
    const words = command
      .replace(/^npm run -s assay -- /, '')
      .split(' ')
      .map(here)
    if (words[0] === 'openssl') execFileSync('openssl', words.slice(1), { stdio: 'pipe' })
    else {
      const { code, stdout } = await runFake(words, { library: { auditWithScores, openAudit } })
      codes.push(code)
      said = stdout.replace(/\s+/g, ' ')
    }
  }
  expect(codes).toEqual([0, 0, 1, 0, 1])
  expect(said).toMatch(/^denied: .* - test-failed: .*audit of 'poisoned' .* came out FAILED /)
}, 120_000)
