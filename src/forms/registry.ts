import { classEigenpairsForm } from './class-eigenpairs.js'
import { classMeansForm } from './class-means.js'
import type { Form } from './form.js'
import { gramForm } from './gram.js'
import { gramApplyForm } from './gram-apply.js'
import { gramEigenpairsForm } from './gram-eigenpairs.js'
import { kmeansLloydForm } from './kmeans-lloyd.js'
import { nearestRowsForm } from './nearest-rows.js'
import { neighbourVotesForm } from './neighbour-votes.js'
import { nonFiniteForm } from './non-finite.js'
import { placeRowsForm } from './place-rows.js'
import { projectForm } from './project.js'
import { rowSketchForm } from './row-sketch.js'
import { silhouetteForm } from './silhouette.js'
import { silhouetteSampleForm } from './silhouette-sample.js'

/** The WebAssembly forms, by the name that kernels give. */
const forms: Readonly<Record<string, Form<never>>> = {
  'class-eigenpairs': classEigenpairsForm,
  'class-means': classMeansForm,
  gram: gramForm,
  'gram-apply': gramApplyForm,
  'gram-eigenpairs': gramEigenpairsForm,
  'kmeans-lloyd': kmeansLloydForm,
  'nearest-rows': nearestRowsForm,
  'neighbour-votes': neighbourVotesForm,
  'non-finite': nonFiniteForm,
  'place-rows': placeRowsForm,
  project: projectForm,
  'row-sketch': rowSketchForm,
  silhouette: silhouetteForm,
  'silhouette-sample': silhouetteSampleForm,
}

/** The form of that name. Throws `RangeError` where there is none. */
export function formOf(name: string): Form<unknown> {
  const form = Object.hasOwn(forms, name) ? forms[name] : undefined
  if (!form) throw new RangeError(`no WebAssembly form is called ${name}`)
  return form as Form<unknown>
}
