export * from './index.js'
export { scanFile } from './node-scan-file.js'
export { type ScanPathOptions, scanPath } from './node-scan-path.js'
