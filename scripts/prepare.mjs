// Builds dist/ after `npm ci` and before `npm pack`. Without the dev dependencies (npm ci --omit=dev) there is nothing to build with:
// then it says so and lets the installation succeed.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
if (!existsSync(join(root, 'node_modules', 'tsup'))) {
  console.error('prepare: the dev dependencies are not installed, so dist/ is not built; npm ci and npm run build mend that')
} else {
  const { status } = spawnSync('npm', ['run', 'build'], { cwd: root, stdio: 'inherit', shell: process.platform === 'win32' })
  process.exitCode = status ?? 1
}
