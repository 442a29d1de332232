/** Runs `read` at the first call and gives its answer from then on; where it fails, the next call tries again. */
export function readOnce<T>(read: () => Promise<T>): () => Promise<T> {
  let reading: Promise<T> | null = null
  return async () => {
    reading ??= read()
    try {
      return await reading
    } catch (error) {
      reading = null
      throw error
    }
  }
}
