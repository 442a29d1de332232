/**
 * The stages that a model goes through, each with what SLSA calls its build type (provenance v1: what was done, and what its parameters
 * mean). `from`: the stages that may feed it; `needs`: of each of these groups at least one input.
 */
export const stages = {
  'data-set': { from: ['data-set'], needs: [] },
  training: { from: ['data-set'], needs: [['data-set']] },
  'fine-tuning': {
    from: ['data-set', 'training', 'fine-tuning', 'quantisation', 'release'],
    needs: [['data-set'], ['training', 'fine-tuning', 'quantisation', 'release']],
  },
  quantisation: {
    from: ['data-set', 'training', 'fine-tuning', 'release'],
    needs: [['training', 'fine-tuning', 'release']],
  },
  release: { from: ['training', 'fine-tuning', 'quantisation'], needs: [['training', 'fine-tuning', 'quantisation']] },
} as const satisfies Record<string, { readonly from: readonly string[]; readonly needs: readonly (readonly string[])[] }>

export type StageName = keyof typeof stages

export const stageNames = Object.keys(stages) as readonly StageName[]

export function isStageName(name: string): name is StageName {
  return Object.hasOwn(stages, name)
}

/** The build type of a stage. */
export function buildTypeOf(stage: StageName): string {
  return `urn:assay:stage:${stage}:v1`
}
