import { shaders } from '../../src/backends/wgsl.gen.js'
import type { HostMatrix, Kernel, Shape } from '../../src/core/backend.js'

/** Adds a shader to those of the package, and gives the name that a kernel can name it by. */
export function addShader(name: string, wgsl: string): string {
  shaders[name] = wgsl
  return name
}

export const doublingWgsl = `
struct Params { count: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> copy: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(1)
fn first(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let id = group.x + group.y * grid.x;
  if (id < params.count) { copy[id] = x[id]; }
}

@compute @workgroup_size(1)
fn second(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let id = group.x + group.y * grid.x;
  if (id < params.count) { y[id] = copy[id] + copy[id]; }
}
`

/** Doubles every number, with a scratch buffer in between: y = x + x. */
export function doubling(changes: Partial<Kernel<void>> = {}): Kernel<void> {
  return {
    id: 'doubling',
    shader: addShader('doubling', doublingWgsl),
    tolerance: { atol: 0, rtol: 0 },
    plan([x]: readonly Shape[]) {
      const { rows, cols } = x as Shape
      const common = { uniforms: [rows * cols], workgroups: rows * cols }
      return {
        output: { rows, cols, type: 'f32' },
        scratch: [{ rows, cols, type: 'f32' }],
        passes: [
          { ...common, entryPoint: 'first', bindings: [{ input: 0 }, { scratch: 0 }] },
          { ...common, entryPoint: 'second', bindings: [null, { scratch: 0 }, 'output'] },
        ],
      }
    },
    *cpu([x]: readonly HostMatrix[], _params, output) {
      for (let i = 0; i < output.length; i++) {
        output[i] = 2 * ((x as HostMatrix).data[i] as number)
        if (i % 1024 === 0) yield
      }
    },
    sample: () => ({ inputs: [column(1, -2, 3.5)], params: undefined }),
    ...changes,
  }
}

export const column = (...values: number[]) => ({ data: Float32Array.from(values), rows: values.length, cols: 1, type: 'f32' as const })
