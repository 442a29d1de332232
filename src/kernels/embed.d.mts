/** The text of wgsl.gen.ts for the shaders in `folder`. */
export function embed(folder: string): string
/** The text of a shader, with what it includes. */
export function shaderText(folder: string, name: string): string
