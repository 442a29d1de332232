export { type Classifier, openClassifier } from './classifier.js'
export {
  type ExaminationFinding,
  type ExaminedClass,
  type ExamineOptions,
  examineModel,
  type ModelExamination,
  type ModelFile,
} from './examine-model.js'
export { exposeTensor } from './expose-tensor.js'
export { type ExtractedSet, type ExtractSetOptions, extractSet, type HostRows } from './extract-set.js'
export type { ExtractionRecord, ExtractOptions, HubOrigin, HubOrigins } from './extraction.js'
export type { PlacedFile } from './file-place.js'
export type { GpuRows } from './gpu-rows.js'
export { modelWitness, type WitnessModel } from './model-witness.js'
export { type Network, penultimateOf, prepareNetwork } from './network/network.js'
export { type OnnxAttribute, type OnnxModel, type OnnxNode, type OnnxTensor, type OnnxValue, readOnnx } from './onnx.js'
export { type FoundPatch, searchPatch } from './patch-search.js'
export type { InputDigest } from './picture-rows.js'
export type { PixelRange } from './pixel-range.js'
export { type PictureSize, type Preprocessing, rangeOf } from './preprocess.js'
export { parsePreprocessing } from './preprocessor-config.js'
export { type CausalTest, causalTest, scaleUpScores, stripScores } from './query-tests.js'
export type { RecoveredTrigger, Trial } from './recover-trigger.js'
export type { ClassSearch } from './search-classes.js'
export type { SourceSearch } from './source-search.js'
export type { ShownTrigger, TriggerPictures } from './trigger-pictures.js'
export { type FoundPerturbation, searchPerturbation } from './universal-search.js'
