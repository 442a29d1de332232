import { defineConfig } from 'vite'

// Only a page that is isolated from others gets memory that threads share; your own server has to send these two as well.
const headers = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' }

export default defineConfig({
  server: { headers },
  preview: { headers },
  build: { target: 'es2022' },
  worker: { format: 'es' }, // the library loads backends and readers when they are needed
})
