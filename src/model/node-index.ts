export * from './index.js'
export { type ExtractionRecord, type ExtractOptions, extract } from './node-extract.js'
export { type CleanInputs, cleanInputs, type ExtractedFile } from './node-inputs.js'
