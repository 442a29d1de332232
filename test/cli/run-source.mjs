// Preloaded by `node --import`: lets Node run the TypeScript sources, whose imports end in .js, and puts `fake-library.ts` in the place
// of the library, so that a test can start the command as a process of its own without building or computing anything.
import { existsSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { fileURLToPath } from 'node:url'

registerHooks({
  resolve(specifier, context, next) {
    if (specifier === '../node.js') return next(new URL('./fake-library.ts', import.meta.url).href, context)
    if (specifier.startsWith('.') && specifier.endsWith('.js') && context.parentURL) {
      const source = new URL(specifier.replace(/\.js$/, '.ts'), context.parentURL)
      if (existsSync(fileURLToPath(source))) return next(source.href, context)
    }
    return next(specifier, context)
  },
})
