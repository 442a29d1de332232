import { type Element, h } from '../views/element.js'

/** What a page shows first: what it is for, where to drop files, and what those have to be. */
export function startView(): Element {
  return h(
    'section',
    { id: 'start', 'aria-labelledby': 'start-title' },
    h('h1', { id: 'start-title', tabindex: -1 }, 'Has somebody poisoned your training data?'),
    h(
      'p',
      { class: 'lede' },
      'A few mislabelled rows are enough to teach a model a hidden rule: a sticker on a stop sign, a word in a text, and it answers what an attacker chose. Assay looks at what your model sees in each row, and shows the classes, rows and marks that do not belong.',
    ),
    h(
      'div',
      { id: 'drop', class: 'drop' },
      h('svg', { viewBox: '0 0 48 48', 'aria-hidden': 'true' }, h('path', { d: 'M24 32 V8 M14 18 L24 8 L34 18 M8 30 V40 H40 V30' })),
      h('p', { class: 'drop-title' }, 'Drop your audit folder or files here'),
      h(
        'p',
        { class: 'buttons' },
        picker('choose-folder', 'Choose a folder', { webkitdirectory: true }),
        picker('choose-files', 'Choose files', { multiple: true }),
      ),
      h(
        'p',
        { class: 'note' },
        '.npy · .npz · .safetensors · Parquet · CSV and JSON for labels. Of any size: files are read piece by piece.',
      ),
    ),
    h(
      'p',
      { class: 'promise' },
      h('svg', { viewBox: '0 0 24 24', 'aria-hidden': 'true' }, h('path', { d: 'M6 11 V8 A6 6 0 0 1 18 8 V11 M4 11 H20 V21 H4 Z' })),
      h(
        'span',
        {},
        h('b', {}, 'Nothing leaves this machine.'),
        ' The page is loaded; it asks for nothing more, and its own security policy forbids it to. You can go offline now.',
      ),
    ),
    h(
      'ol',
      { class: 'how' },
      step(
        'You give it two arrays',
        'What a late layer of the model answers to each training row (its activations), and the label of each row.',
      ),
      step(
        'Your machine does the work',
        'On the graphics card where the browser has WebGPU, else on all processor cores. Seconds to minutes.',
      ),
      step(
        'You see what was found',
        'A verdict for every class, the suspected rows with their pictures or texts, and the suspected trigger.',
      ),
    ),
    h(
      'details',
      { class: 'needs' },
      h('summary', {}, 'What exactly do I need, and how do I get it?'),
      h('p', {}, 'Two NumPy files in one folder are enough; all others make the verdict surer or the report clearer.'),
      h(
        'dl',
        { class: 'files' },
        need('activations.npy', 'One row of numbers for each training row: the input of the last layer.'),
        need('labels.npy', 'The label of each row, as it was given to training: numbers or strings.'),
        need('trusted_activations.npy, trusted_labels.npy', 'A hundred rows of each class that you know to be clean. They help most.'),
        need('preds.npy', 'What the model answers for each row.'),
        need('class_names.json', 'Names for people, such as ["stop", "60 km/h"].'),
        need('images.npz', 'The pictures (uint8): needed to show the trigger. Or texts.jsonl, for texts.'),
      ),
      h('pre', { tabindex: 0, 'aria-label': 'Python example' }, recipe),
      h(
        'p',
        { class: 'note' },
        'One .npz, .safetensors or Parquet file with arrays of the same names does as well. Other names can be chosen after the drop.',
      ),
    ),
  )
}

const recipe = `# PyTorch: keep what goes into the last layer
kept = []
model.fc.register_forward_hook(lambda layer, inputs, output: kept.append(inputs[0].cpu().numpy()))
with torch.no_grad():
    for images, _ in loader:       # the training set, not shuffled
        model(images)
numpy.save("activations.npy", numpy.concatenate(kept))
numpy.save("labels.npy", labels)`

function picker(id: string, text: string, attributes: Readonly<Record<string, boolean>>): Element {
  return h('label', { class: 'button', for: id }, text, h('input', { type: 'file', id, class: 'hidden', ...attributes }))
}

const step = (title: string, text: string) => h('li', {}, h('b', {}, title), h('span', {}, text))
const need = (name: string, text: string) => h('div', {}, h('dt', {}, h('code', {}, name)), h('dd', {}, text))
