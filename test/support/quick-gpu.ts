import { createRequire } from 'node:module'

/**
 * Before every suite: on the software adapter, Dawn shall not zero workgroup memory. SwiftShader then compiles the kernels of an audit in
 * 0.15 s, with it in 2.5 s, and runs them several times as fast; and a kernel that reads such memory before it writes it is found out. A
 * real GPU (ASSAY_REAL_GPU=1), the command's own processes and Chromium run as users' do.
 *
 * The GPU object is put where `openNodeGpu` keeps its own, and made when that asks for it.
 */
const require = createRequire(import.meta.url)
let gpu: GPU | null = null
if (process.env.ASSAY_REAL_GPU !== '1') {
  Object.assign(globalThis, {
    [Symbol.for('assay.node-webgpu')]: {
      get gpu() {
        gpu ??= (require('webgpu') as typeof import('webgpu')).create(['enable-dawn-features=disable_workgroup_init'])
        return gpu
      },
    },
  })
}
