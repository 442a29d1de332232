// The page: hands the chosen files to a worker, and shows what that says. Names in a report come from the data, so they are set as text.
const find = (id) => document.getElementById(id)
let worker = null

find('files').addEventListener('change', ({ target }) => {
  worker?.terminate() // an audit that is still running
  worker = new Worker(new URL('./audit-worker.js', import.meta.url), { type: 'module' })
  find('report').textContent = ''
  worker.addEventListener('message', ({ data: { progress, text, verdict, problem } }) => {
    if (progress) {
      find('bar').value = progress.done / progress.total
      find('stage').textContent = progress.stage
    } else {
      find('stage').textContent = problem ? 'This data cannot be audited' : verdict
      find('report').textContent = problem ?? text
    }
  })
  worker.postMessage([...target.files])
})
