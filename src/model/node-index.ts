export * from './index.js'
export { type ExtractedFile, type ExtractionRecord, type ExtractOptions, extract } from './node-extract.js'
