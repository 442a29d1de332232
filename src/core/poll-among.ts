/**
 * Takes the vote of a row's neighbours, nearest first or in any order where there are no more of them than a row of its class has: the share that is not of
 * its class, and 1 where another class is more frequent.
 */
export function pollAmong(kOfClass: ArrayLike<number>, classOfReference: ArrayLike<number>) {
  const votes = new Uint32Array(kOfClass.length)
  return (neighbours: Uint32Array | Int32Array, own: number): readonly [others: number, isOutvoted: number] => {
    const near = neighbours.subarray(0, kOfClass[own])
    let most = 0
    for (const r of near) {
      const c = classOfReference[r] as number
      votes[c] = (votes[c] as number) + 1
      most = Math.max(most, votes[c] as number)
    }
    const ofOwn = votes[own] as number
    for (const r of near) votes[classOfReference[r] as number] = 0
    return [near.length === 0 ? 0 : 1 - ofOwn / near.length, ofOwn < most ? 1 : 0]
  }
}
