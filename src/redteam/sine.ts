const { PI } = Math

/**
 * sin(2π · turns) to about 1e-15, in additions and multiplications alone: `Math.sin` may differ in its last bits from one engine to another,
 * and a poisoned set is to have the same bytes on all.
 */
export function sineOfTurns(turns: number): number {
  const inTurn = turns - Math.floor(turns)
  const quarter = Math.floor(4 * inTurn)
  const rest = inTurn - quarter / 4
  const angle = 2 * PI * (rest <= 1 / 8 ? rest : 1 / 4 - rest)
  // The second and fourth quarter are cosines; beyond an eighth each is the other of the angle that is left.
  const value = (quarter % 2 === 0) === rest <= 1 / 8 ? sine(angle) : cosine(angle)
  return quarter < 2 ? value : -value
}

/** Taylor's series for 0 … π/4: the first term left out is below 1e-17. */
function sine(x: number): number {
  let sum = 1
  for (let k = 17; k > 1; k -= 2) sum = 1 - (x * x * sum) / (k * (k - 1))
  return x * sum
}

function cosine(x: number): number {
  let sum = 1
  for (let k = 18; k > 0; k -= 2) sum = 1 - (x * x * sum) / (k * (k - 1))
  return sum
}
