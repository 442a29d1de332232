/** The text of wasm.gen.ts: the WebAssembly builds and the program of a worker thread. */
export function generate(): Promise<string>
/** The text of multiply.gen.ts: the product of matrices in WebAssembly. */
export function generateMultiply(): Promise<string>
