/**
 * Takes the vote of a row's neighbours, nearest first or in any order where there are no more of them than a row of its class has: the share that is not of
 * its class, and 1 where another class is more frequent. Of `neighbours` the first `found` count.
 */
export function pollAmong(kOfClass: ArrayLike<number>, classOfReference: ArrayLike<number>) {
  const votes = new Uint32Array(kOfClass.length)
  return (neighbours: Uint32Array | Int32Array, own: number, found = neighbours.length): readonly [others: number, isOutvoted: number] => {
    const count = Math.min(found, kOfClass[own] as number)
    let most = 0
    for (let i = 0; i < count; i++) {
      const c = classOfReference[neighbours[i] as number] as number
      const soFar = (votes[c] as number) + 1
      votes[c] = soFar
      if (soFar > most) most = soFar
    }
    const ofOwn = votes[own] as number
    for (let i = 0; i < count; i++) votes[classOfReference[neighbours[i] as number] as number] = 0
    return [count === 0 ? 0 : 1 - ofOwn / count, ofOwn < most ? 1 : 0]
  }
}
