// Smallest modules that use one instruction of a feature; an engine without it refuses them. Layout of both: magic and version, a type
// section with () → v128, one function of it, and a code section with its body.
const head = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x05, 0x01, 0x60, 0x00, 0x01, 0x7b, 0x03, 0x02, 0x01, 0x00]
/** `i32.const 0; i8x16.splat`: a v128 of zeros. */
const zeros = [0x41, 0x00, 0xfd, 0x0f]
const end = 0x0b

/** Whether this engine runs fixed-width SIMD (128 bits). */
export function hasSimd(): boolean {
  return validates(zeros)
}

/** Whether this engine runs relaxed SIMD, and with it `f32x4.relaxed_madd` (0xfd 0x105): fused multiply-add where the CPU has it. */
export function hasRelaxedSimd(): boolean {
  return validates([...zeros, ...zeros, ...zeros, 0xfd, 0x85, 0x02])
}

function validates(instructions: readonly number[]): boolean {
  const body = [0x00, ...instructions, end]
  const code = [0x01, body.length, ...body]
  // Some browsers have no WebAssembly at all, or none in a mode that people choose.
  return 'WebAssembly' in globalThis && WebAssembly.validate(new Uint8Array([...head, 0x0a, code.length, ...code]))
}
