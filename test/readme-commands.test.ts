import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const root = join(import.meta.dirname, '..')

test('the commands that CI runs are those of the README, in its order', () => {
  const readme = readmeCommands(readFileSync(join(root, 'README.md'), 'utf8'))
  const ci = ciCommands(readFileSync(join(root, '.ci', 'run'), 'utf8'))
  expect(readme).toEqual(ci)
  expect(ci.slice(0, 3)).toEqual(['npm ci', 'npm run demo', 'npm test'])
})

test('every npm command of CI goes through a step that can fail it', () => {
  const script = readFileSync(join(root, '.ci', 'run'), 'utf8').replace(/^\s*#.*$/gm, '')
  expect(script.match(/\bnp[mx] \S.*/g)?.map((command) => command.replace(/ \|\| exit 1$/, ''))).toEqual(ciCommands(script))
})

test('every script that the README names exists', () => {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> }
  const named = [...readFileSync(join(root, 'README.md'), 'utf8').matchAll(/npm run (?:-s )?([a-z][\w:-]*)/g)].map(([, name]) => name)
  expect(named.filter((name) => scripts[name ?? ''] === undefined)).toEqual([])
})

test('only marked blocks count, and comments in them do not', () => {
  const text =
    '```sh\nnpm run other\n```\n<!-- ci -->\n```sh\nnpm ci   # installs\n\n# a remark\n$ npm test\n```\n\n<!-- ci -->\n\n```sh\nnpm run lint\n```\n'
  expect(readmeCommands(text)).toEqual(['npm ci', 'npm test', 'npm run lint'])
})

/** The commands of the fenced `sh` blocks that follow a `<!-- ci -->` comment. */
function readmeCommands(text: string): string[] {
  return [...text.matchAll(/<!-- ci -->\s*```sh\n([\s\S]*?)```/g)].flatMap(([, block = '']) =>
    block
      .split('\n')
      .map((line) =>
        line
          .replace(/(?:^|\s)#.*/, '')
          .replace(/^\$ /, '')
          .trim(),
      )
      .filter(Boolean),
  )
}

/** The commands of the lines `step COMMAND`. */
function ciCommands(script: string): string[] {
  return [...script.matchAll(/^step (.+?)(?: \|\| exit 1)?$/gm)].map(([, command = '']) => command)
}
