import { AssayError, audit, openAudit, renderTerminal } from 'assay'

// Computing belongs in a worker: the page stays responsive, and ending the worker cancels the audit.
addEventListener('message', async ({ data: files }) => {
  try {
    const set = await openAudit(files)
    const report = await audit(set, { onProgress: (progress) => postMessage({ progress }) })
    postMessage({ verdict: report.verdict, text: renderTerminal(report, { color: false, width: 96 }) })
  } catch (error) {
    if (!(error instanceof AssayError)) throw error
    postMessage({ problem: error.message }) // says what was got, what was expected, and how to mend it
  }
})
