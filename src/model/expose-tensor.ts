import { concatBytes } from '../io/concat-bytes.js'
import { bytesField } from '../io/protobuf.js'

/**
 * The bytes to append to an ONNX model so that its graph gives the value `name` as an output too: a second, partial `graph` (ModelProto field
 * 7) with an `output` (GraphProto field 12) of that name (ValueInfoProto field 1). Protocol buffers merge the two when the model is read.
 */
export function exposingSuffix(name: string): Uint8Array {
  return bytesField(7, bytesField(12, bytesField(1, new TextEncoder().encode(name))))
}

/** A model that gives the value `name` as an output too. */
export function exposeTensor(model: Uint8Array, name: string): Uint8Array {
  return concatBytes([model, exposingSuffix(name)])
}
