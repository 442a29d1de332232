export * from './index.js'
export { type ScanPathOptions, scanPath } from './node-scan-path.js'
