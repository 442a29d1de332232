import { adaptiveBlendAttack } from './adaptive-blend.js'
import { allToAllAttack } from './all-to-all.js'
import type { Attack, SharedOptions } from './attack.js'
import { badNetsAttack } from './badnets.js'
import { blendedAttack } from './blended.js'
import { labelFlipsAttack } from './label-flips.js'
import { sigAttack } from './sig.js'
import { tactAttack } from './tact.js'
import { waNetAttack } from './wanet.js'

/** Every attack, in the order in which documentation lists them. Options are parsed by the attack's own schema before it sees them. */
export const attacks: readonly Attack<SharedOptions>[] = [
  badNetsAttack,
  allToAllAttack,
  blendedAttack,
  sigAttack,
  waNetAttack,
  adaptiveBlendAttack,
  tactAttack,
  labelFlipsAttack,
]
