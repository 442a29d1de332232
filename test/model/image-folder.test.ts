import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { memorySource } from '../../src/io/byte-source.js'
import { arrangePictures } from '../../src/model/arrange-pictures.js'
import { openFolderPictures } from '../../src/model/folder-pictures.js'
import { nodeInputPlace, nodeInputTools } from '../../src/model/node-input-place.js'
import { readPictureLabels } from '../../src/model/picture-labels.js'

const scratch = mkdtempSync(join(tmpdir(), 'assay-image-folder-'))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

const place = (folder: string) =>
  nodeInputPlace(folder, async () => {
    throw new Error('nothing is to be opened')
  })
const arranged = async (folder: string) => arrangePictures(await (await place(folder)).listPictures(), folder)

let count = 0
function folderOf(files: Readonly<Record<string, string>>): string {
  const folder = join(scratch, `f${count++}`)
  for (const [name, text] of Object.entries({ ...files })) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), text)
  }
  return folder
}

test('classes are the sorted folders, and pictures are in the order of torchvision’s ImageFolder', async () => {
  const folder = folderOf({
    'dog/b.png': '1',
    'dog/a.JPG': '2',
    'dog/x/0.png': '3',
    'dog/x-y/0.png': '4',
    'Cat/2.bmp': '5',
    'Cat/10.webp': '6',
    'Cat/notes.txt': '7',
    '.cache/z.png': '8',
    'éclair/a.jpeg': '9',
  })
  const found = await arranged(folder)
  // sorted(os.walk(…)) goes by the paths of folders, where "dog/x" comes before "dog/x-y"
  expect(found?.names).toEqual(['Cat/10.webp', 'Cat/2.bmp', 'dog/a.JPG', 'dog/b.png', 'dog/x/0.png', 'dog/x-y/0.png', 'éclair/a.jpeg'])
  expect(found?.classes).toEqual({ names: ['Cat', 'dog', 'éclair'], labels: [0, 0, 1, 1, 1, 1, 2] })
})

test('names are sorted by code points, not by code units', async () => {
  const found = await arranged(folderOf({ '\u{1f600}.png': '1', '\uff5e.png': '2', 'a.png': '3' }))
  expect(found?.names).toEqual(['a.png', '\uff5e.png', '\u{1f600}.png'])
  expect(found?.classes).toBeNull()
})

test('the digest is that of OpenSSF Model Signing over the files, whatever was read before', async () => {
  const folder = folderOf({ 'b/1.png': 'one', 'a/2.png': 'two' })
  const pixels = { width: 1, height: 1, channels: 1, data: Uint8Array.of(0) } as const
  const labels = memorySource('aa.csv', new TextEncoder().encode('label\n1\n2\n'))
  const flat = { ...(await place(folder)), listed: ['labels.csv'], open: async () => labels }
  const listPictures = async () => ({ pictures: ['1.png', '2.png'], folders: [] })
  const readPicture = async (name: string) => new TextEncoder().encode(name === '1.png' ? 'one' : 'two')
  const tools = { ...nodeInputTools, decodePicture: async () => pixels }
  const found = await openFolderPictures({ ...flat, listPictures, readPicture }, tools)
  await found?.read(1)
  const sha256 = (...parts: (string | Uint8Array)[]) => {
    const hash = createHash('sha256')
    for (const part of parts) hash.update(part)
    return hash.digest()
  }
  const ofFiles = sha256(sha256('one'), sha256('two'), sha256('label\n1\n2\n')).toString('hex')
  expect(await found?.digests()).toEqual([{ name: folder.split('/').at(-1), sha256: ofFiles, files: 3 }])
})

test('links are followed, and a circle of them is refused', async () => {
  const folder = folderOf({ 'a/1.png': '1' })
  symlinkSync(join(folder, 'a/1.png'), join(folder, 'a/2.png'))
  expect((await arranged(folder))?.names).toEqual(['a/1.png', 'a/2.png'])
  symlinkSync(join(folder, 'a'), join(folder, 'a/again'))
  await expect(arranged(folder)).rejects.toMatchObject({ code: 'bad-folder' })
})

test.each([
  ['an empty class', { 'a/1.png': '1', 'b/notes.txt': '' }, 'empty-class', /: b without a picture/],
  ['pictures beside classes', { 'a/1.png': '1', '2.png': '' }, 'bad-folder', /1 pictures beside .*\(a\)/],
])('%s is refused', async (_, files, code, message) => {
  await expect(arranged(folderOf(files))).rejects.toMatchObject({ code, message: expect.stringMatching(message) })
})

test('a folder without pictures is none', async () => {
  expect(await arranged(folderOf({ 'a/1.txt': '1' }))).toBeNull()
})

const labelsOf = (text: string, name = 'labels.csv') =>
  readPictureLabels(memorySource(name, new TextEncoder().encode(text)), ['a.png', 'b.png'], name)

test.each([
  ['a table by file name, in any order', 'split,file_name,label\nx,b.png,1\nx,c.png,9\nx,a.png,0\n', [0, 1]],
  ['a table by file name with words', 'filename,class\na.png,cat\nb.png,dog\n', ['cat', 'dog']],
  ['a label a line', 'label\n3\n4\n', [3, 4]],
])('labels: %s', async (_, text, expected) => {
  expect(await labelsOf(text)).toEqual(expected)
})

test.each([
  ['a picture that is not named', 'file_name,label\na.png,0\n', 'missing-label', /b\.png/],
  ['a picture that is named twice', 'file_name,label\na.png,0\na.png,1\nb.png,1\n', 'duplicate-name', /a\.png/],
  ['names without labels', 'file_name,size\na.png,0\n', 'no-column', /label/],
  ['too few labels', 'label\n3\n', 'row-count', /1 labels, expected 2/],
])('labels: %s is refused', async (_, text, code, message) => {
  await expect(labelsOf(text)).rejects.toMatchObject({ code, message: expect.stringMatching(message) })
})
