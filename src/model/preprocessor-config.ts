import { OptionError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import type { Filter } from './pictures/resize.js'
import { defaultPreprocessing, type PictureSize, type Preprocessing } from './preprocess.js'

/** By Pillow's numbers. */
const filters: readonly Filter[] = ['nearest', 'lanczos', 'bilinear', 'bicubic', 'box', 'hamming']

const ownKeys = ['scale', 'mean', 'std']
/** Of an image processor of Hugging Face, what is done here. */
const knownSteps = ['do_convert_rgb', 'do_resize', 'do_center_crop', 'do_rescale', 'do_normalize']
const knownKeys = [...knownSteps, 'size', 'resample', 'crop_size', 'crop_pct', 'rescale_factor', 'image_mean', 'image_std']
/** Image processors that read a size of one number as that of the shorter edge; to the others it is a square. */
const byShortestEdge = /^(?:Bit|ChineseCLIP|CLIP|ConvNext|MobileNetV[12]|MobileViT)(?:ImageProcessor|FeatureExtractor)/
/** Those that resize bicubically unless told otherwise; the others bilinearly. */
const bicubicByDefault = /^(?:Beit|Bit|Blip|ChineseCLIP|CLIP|DeiT)(?:ImageProcessor|FeatureExtractor)/
/** Those whose sizes mean something else again. */
const ownSizes = /^(?:EfficientNet|Levit|PoolFormer|Glpn|Donut|DPT|Flava|ImageGPT|Perceiver)(?:ImageProcessor|FeatureExtractor)/

type Given = Readonly<Record<string, unknown>>

/**
 * How pictures are prepared, from options `{scale, mean, std}`, or from the fields of a `preprocessor_config.json` as Hugging Face models have it:
 * `do_convert_rgb`, `do_resize`, `size` (`{height, width}`, `{shortest_edge}`, or a number where `image_processor_type` says what that means),
 * `resample` (Pillow's numbers), `do_center_crop`, `crop_size`, `crop_pct` (ConvNext), `do_rescale`, `rescale_factor`, `do_normalize`,
 * `image_mean`, `image_std`. A step that it asks for and that is not done here is refused. Throws `OptionError` `bad-preprocessing`.
 */
export function parsePreprocessing(json: unknown, where: string): Preprocessing {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw bad(where, 'expected an object such as {"scale": 0.00392, "mean": [0.5], "std": [0.5]}')
  }
  const given = json as Given
  const isOfHub = knownKeys.some((key) => key in given) || 'image_processor_type' in given || 'feature_extractor_type' in given
  if (!isOfHub) {
    const unknown = Object.keys(given).find((key) => !ownKeys.includes(key))
    if (unknown !== undefined) throw bad(where, `got '${showText(unknown)}', expected ${ownKeys.join(', ')}, or ${knownKeys.join(', ')}`)
    return {
      ...defaultPreprocessing,
      scale: number(given.scale ?? defaultPreprocessing.scale, 'scale', where),
      mean: numbers(given.mean ?? [0], 'mean', where),
      std: positive(numbers(given.std ?? [1], 'std', where), 'std', where),
    }
  }
  const own = ownKeys.find((key) => key in given)
  if (own !== undefined) throw bad(where, `got '${own}' beside other fields, expected rescale_factor, image_mean, image_std`)
  const step = Object.keys(given).find((key) => key.startsWith('do_') && given[key] === true && !knownSteps.includes(key))
  if (step !== undefined) throw bad(where, `asks for ${showText(step)}, which is not done here; prepare the pictures beforehand`)
  const normalises = given.do_normalize !== false
  return {
    convert: given.do_convert_rgb === undefined || given.do_convert_rgb === null ? 'model' : given.do_convert_rgb ? 'rgb' : 'none',
    ...sizes(given, where),
    scale: given.do_rescale === false ? 1 : number(given.rescale_factor ?? 1 / 255, 'rescale_factor', where),
    mean: normalises ? numbers(given.image_mean ?? [0], 'image_mean', where) : [0],
    std: normalises ? positive(numbers(given.image_std ?? [1], 'image_std', where), 'image_std', where) : [1],
  }
}

function sizes(given: Given, where: string): Pick<Preprocessing, 'resize' | 'crop'> {
  const type = String(given.image_processor_type ?? given.feature_extractor_type ?? '')
  const resizes = given.do_resize !== false && given.size !== undefined && given.size !== null
  const crops = given.do_center_crop !== false && given.crop_size !== undefined && given.crop_size !== null
  if (given.do_resize === true && !resizes) throw bad(where, 'do_resize without a size; add one, such as {"height": 224, "width": 224}')
  if (given.do_center_crop === true && !crops) throw bad(where, 'do_center_crop without a crop_size; add one')
  if (resizes && ownSizes.test(type)) throw bad(where, `${showText(type)} resizes in a way that is not known here; give size anew`)
  const crop = crops ? cropSize(given.crop_size, where) : null
  if (!resizes) return { resize: null, crop }
  const filter = filterOf(given.resample ?? (bicubicByDefault.test(type) ? 3 : 2), where)
  const size = resizedSize(given.size, type, where)
  if (type.startsWith('ConvNext') && 'shortestEdge' in size) {
    return convNextSizes(size.shortestEdge, { share: number(given.crop_pct ?? 224 / 256, 'crop_pct', where), filter })
  }
  if (typeof given.crop_pct === 'number') throw bad(where, 'crop_pct is only understood of a ConvNextImageProcessor; give crop_size')
  return { resize: { ...size, filter }, crop }
}

/** ConvNext's: below 384 pixels a picture is made larger by 1 / crop_pct and its middle cut out, else it becomes a square at once. */
function convNextSizes(edge: number, { share, filter }: { share: number; filter: Filter }): Pick<Preprocessing, 'resize' | 'crop'> {
  const square = { width: edge, height: edge }
  if (edge >= 384) return { resize: { ...square, filter }, crop: null }
  return { resize: { shortestEdge: Math.trunc(edge / share), filter }, crop: square }
}

function resizedSize(size: unknown, type: string, where: string): PictureSize | { readonly shortestEdge: number } {
  if (typeof size === 'number') {
    if (byShortestEdge.test(type)) return { shortestEdge: pixels(size, 'size', where) }
    if (type === '') throw bad(where, `size is ${size}, expected {"height", "width"} or {"shortest_edge"}; say which`)
    return { width: pixels(size, 'size', where), height: pixels(size, 'size', where) }
  }
  if (Array.isArray(size)) return cropSize({ height: size[0], width: size[1] }, where)
  const { shortest_edge: edge, longest_edge: longest } = (size ?? {}) as Given
  if (longest !== undefined && longest !== null) throw bad(where, 'size has a longest_edge, which is not done here; resize beforehand')
  return edge === undefined ? cropSize(size, where, 'size') : { shortestEdge: pixels(edge, 'size.shortest_edge', where) }
}

function cropSize(size: unknown, where: string, key = 'crop_size'): PictureSize {
  const { height, width } = (typeof size === 'number' ? { height: size, width: size } : (size ?? {})) as Given
  return { width: pixels(width, `${key}.width`, where), height: pixels(height, `${key}.height`, where) }
}

function filterOf(resample: unknown, where: string): Filter {
  const filter = filters[resample as number]
  if (filter === undefined) throw bad(where, `resample is ${show(resample)}, expected 0 to 5 (${filters.join(', ')})`)
  return filter
}

const maxEdge = 16_384

function pixels(value: unknown, key: string, where: string): number {
  if (Number.isInteger(value) && (value as number) >= 1 && (value as number) <= maxEdge) return value as number
  throw bad(where, `${key} is ${show(value)}, expected a whole number from 1 to ${maxEdge}`)
}

function number(value: unknown, key: string, where: string): number {
  if (typeof value === 'number' && Number.isFinite(value) && value > 0) return value
  throw bad(where, `${key} is ${show(value)}, expected a number above 0`)
}

function numbers(value: unknown, key: string, where: string): number[] {
  const list = Array.isArray(value) ? value : [value]
  if (list.length > 0 && list.length <= 16 && list.every((item) => typeof item === 'number' && Number.isFinite(item))) return list
  throw bad(where, `${key} is ${show(value)}, expected a number for each channel`)
}

function positive(list: number[], key: string, where: string): number[] {
  if (list.every((item) => item > 0)) return list
  throw bad(where, `${key} is [${list}], expected numbers above 0`)
}

const show = (value: unknown) => showText(JSON.stringify(value))

function bad(where: string, what: string): OptionError {
  return new OptionError('bad-preprocessing', `${where}: ${what}`)
}
