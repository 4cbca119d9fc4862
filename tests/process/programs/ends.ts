// Ends spans, says so, and ends in the way that it is told. Knows OpenTelemetry's API only; what is behind it comes with the
// set-up, so that the same program runs with and without tracing.
// Arguments: the URL of a set-up module, or "none"; the way to end; how many spans to end before.
import { Worker } from 'node:worker_threads'
import { settle, setUpFrom } from './set-up.ts'
import { endSpans } from './spans.ts'

const [, , setUp = 'none', way = '', countText = '0'] = process.argv
const count = Number(countText)
const tracing = await setUpFrom(setUp)

const ways: Readonly<Record<string, () => unknown>> = {
  natural: () => {},
  'natural-code': () => {
    process.exitCode = 7
  },
  'exit-0': () => process.exit(),
  'exit-3': () => process.exit(3),
  throw: () => {
    setImmediate(() => {
      throw new Error('thrown by the program')
    })
  },
  'throw-at-once': () => {
    throw new RangeError('thrown at once')
  },
  'throw-no-error': () => {
    setImmediate(() => {
      // oxlint-disable-next-line no-throw-literal -- Programs do that, too.
      throw { kind: 'no error at all' }
    })
  },
  reject: () => {
    void Promise.reject(new Error('rejected by the program'))
  },
  'caught-then-exit': () => {
    process.on('uncaughtException', (error) => {
      console.error(`the program caught: ${error.message}`)
      process.exit(9)
    })
    setImmediate(() => {
      throw new Error('to be caught')
    })
  },
  'spans-in-exit-handler': () => {
    process.on('exit', () => endSpans(5, 'late'))
    process.exit(4)
  },
  'exit-in-before-exit': () => {
    process.on('beforeExit', () => {
      endSpans(5, 'late')
      process.exit(6)
    })
  },
  wait: () => {
    setInterval(() => {}, 1_000_000)
    console.log('waits')
  },
  'wait-then-exit': () => {
    process.on('SIGUSR2', () => process.exit(0))
    setInterval(() => {}, 1_000_000)
    console.log('waits')
  },
  'wait-for': () => {
    setTimeout(() => {}, Number(process.env['PROOF_WAIT_MS']))
  },
  block: () => {
    const endMs = performance.now() + 200
    while (performance.now() < endMs);
    endSpans(1, 'late')
    console.log('blocks')
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
  },
  abort: () => process.abort(),
  'out-of-memory': () => {
    const held: unknown[] = []
    for (let index = 0; ; index++) held.push({ index, text: `a string of its own ${index}` })
  },
  'abort-later': () => {
    setTimeout(() => process.abort(), 1_000)
  },
  'out-of-memory-later': () => {
    setTimeout(() => ways['out-of-memory']?.(), 1_000)
  },
  'thread-throws': () => runThread('throw', { isErrorHandled: true }),
  'thread-throws-unhandled': () => runThread('throw', { isErrorHandled: false }),
  'thread-exits': () => runThread('exit', { isErrorHandled: true }),
  'thread-ends': () => runThread('natural', { isErrorHandled: true }),
  'thread-terminated': () => runThread('wait', { isErrorHandled: true }),
  'exit-with-thread': () => runThread('wait', { isErrorHandled: true, exitsWhenThreadWaits: true }),
}

function runThread(end: string, options: { isErrorHandled: boolean; exitsWhenThreadWaits?: boolean }): void {
  const workerData = { setUp, end, count }
  const worker = new Worker(new URL('thread.js', import.meta.url), { workerData })
  if (options.isErrorHandled) worker.on('error', (error: Error) => console.log(`thread: ${error.message}`))
  worker.on('exit', (code) => console.log(`thread ended with ${code}`))
  worker.on('message', () => {
    if (options.exitsWhenThreadWaits === true) process.exit(5)
    void worker.terminate()
  })
}

/** Where this runs as root; with all that it needs loaded. */
function becomeNobody(): void {
  if (process.getuid?.() !== 0) return
  process.setegid?.(65_534)
  process.seteuid?.(65_534)
}

endSpans(count, 'work')
console.log(`ended ${count} spans`)
await settle(tracing)
if (process.env['PROOF_DROP_USER'] === '1') becomeNobody()
const end = ways[way]
if (end === undefined) throw new Error(`no way to end is called "${way}"`)
end()
