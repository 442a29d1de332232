/** The payload type of an in-toto statement. */
export const inTotoPayloadType = 'application/vnd.in-toto+json'

/** What a DSSE signature is made over (DSSE v1.0 §2, PAE): `DSSEv1 ‹length› ‹type› ‹length› ‹payload›`, lengths in bytes. */
export function preAuthEncoding(payload: Uint8Array, payloadType = inTotoPayloadType): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder()
  const head = text.encode(`DSSEv1 ${text.encode(payloadType).length} ${payloadType} ${payload.length} `)
  const encoded = new Uint8Array(head.length + payload.length)
  encoded.set(head)
  encoded.set(payload, head.length)
  return encoded
}
