// A worker thread of the user's: ends spans with a tracer of its own, then ends as it is told.
import { parentPort, workerData } from 'node:worker_threads'
import { settle, setUpFrom } from './set-up.ts'
import { endSpans } from './spans.ts'

const { setUp, end, count } = workerData as { setUp: string; end: string; count: number }
const tracing = await setUpFrom(setUp)
endSpans(count, 'thread')
await settle(tracing)
if (end === 'throw') {
  throw new Error('thrown in the thread')
} else if (end === 'exit') {
  process.exit(2)
} else if (end === 'wait') {
  setInterval(() => {}, 1_000_000)
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- The port of a thread has no origin.
  parentPort?.postMessage('waits')
}
