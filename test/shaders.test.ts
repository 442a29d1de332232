import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { shaderText } from '../src/kernels/embed.mjs'

const root = join(import.meta.dirname, '..')
const shaders = readdirSync(join(root, 'shaders'))
  .filter((name) => name.endsWith('.wgsl'))
  .map((name) => ({ name, text: shaderText(join(root, 'shaders'), name) }))

// Dawn's SPIR-V output zeroes `var s: f32;` inside a loop once per call, not once per iteration.
test('every var has an initialiser', () => {
  expect(report(uninitialisedVars)).toEqual([])
})

test('the initialiser rule sees what it has to see', () => {
  expect(uninitialisedVars('var s: f32; var<private> t: array<vec4<f32>, 4>; var u: f32 // = 1.0\n;')).toEqual(['s', 't', 'u'])
  expect(uninitialisedVars('var s = 0.0; var v: vec2f = vec2f(); for (var i = 0u; i < n; i++) {} let variance: f32 = 1;')).toEqual([])
  expect(uninitialisedVars('var<workgroup> a: array<f32, 4>; var<storage, read> b: array<f32>; var<uniform> p: Params;')).toEqual([])
})

test('a shader opens with its purpose and the path of its CPU twin', () => {
  expect(
    report((text, name) => {
      const head = /^(?:\/\/.*\n)+/.exec(text)?.[0] ?? ''
      // Those that put a set on the backend are part of the core, which knows no folder of kernels.
      const paths = ['kernels', 'core'].map((folder) => `src/${folder}/${name.replace('.wgsl', '.ts')}`)
      const twin = paths.find((path) => existsSync(join(root, path))) ?? (paths[0] as string)
      const purpose = head.split('\n')[0]?.slice(2).trim() ?? ''
      return [
        ...(purpose.split(' ').length >= 3 ? [] : ['no purpose in the first line']),
        ...(/CPU twins?:/.test(head) && head.includes(twin) ? [] : [`no "CPU twin: ${twin}" in the head`]),
        ...(existsSync(join(root, twin)) ? [] : [`no file ${twin}`]),
      ]
    }),
  ).toEqual([])
})

test('shaders run on every adapter: no extensions, no half floats, no subgroups', () => {
  expect(
    report((text) => withoutComments(text).match(/^\s*(?:enable|requires)\b[^;]*|\bf16\b|\bvec\dh\b|\bsubgroup\w+|\bquad\w+\(/gm) ?? []),
  ).toEqual([])
})

test('no float is summed in the order in which threads happen to come', () => {
  expect(report((text) => withoutComments(text).match(/\batomic\s*<\s*f\w+|\batomicCompareExchangeWeak\b/g) ?? [])).toEqual([])
})

function report(check: (text: string, name: string) => readonly string[]): string[] {
  return shaders.flatMap(({ name, text }) => check(text, name).map((finding) => `${name}: ${finding}`))
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, ' ')
}

function uninitialisedVars(text: string): string[] {
  const declarations = withoutComments(text).matchAll(/\bvar\b\s*(?:<([^>]*)>)?\s*(\w+)\s*(?::[^=;]*)?([=;])/g)
  return [...declarations]
    .filter(([, space = '', , end]) => end === ';' && !/^\s*(?:storage|uniform|workgroup)\b/.test(space))
    .map(([, , name = '']) => name)
}
