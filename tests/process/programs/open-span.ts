// Starts a job and a step of it that do not end by themselves, and ends in the way that it is told.
// Arguments: the endpoint; the folder of the spool, or "none"; the way; "export" to export what runs as pending.
import { once } from 'node:events'
import { context, SpanStatusCode, trace } from '@opentelemetry/api'
import { initTracer } from '@throughline/node'

const [, , otlpEndpoint = '', dir = '', way = '', mode = ''] = process.argv
const tracing = initTracer('jobs', {
  otlpEndpoint,
  http: false,
  ...(dir !== 'none' && { spool: { dir } }),
  openSpans: { afterMs: 0, export: mode === 'export' },
  // A loaded machine must not reach these.
  exitTimeoutMs: 50_000,
  abruptExitTimeoutMs: 50_000,
  eagerExport: way === 'deliver',
})

function startSpans() {
  const tracer = trace.getTracer('test')
  const job = tracer.startSpan('job', { attributes: { 'job.id': 17 } })
  job.addEvent('begun')
  const step = tracer.startSpan('step', {}, trace.setSpan(context.active(), job))
  step.setStatus({ code: SpanStatusCode.ERROR, message: 'no such host' })
  console.log(`trace ${job.spanContext().traceId}`)
  return { job, step }
}

const stay = (): void => void setInterval(() => {}, 1_000_000)

const ways: Readonly<Record<string, () => unknown>> = {
  wait() {
    startSpans()
    stay()
  },
  'exit-3'() {
    startSpans()
    process.exit(3)
  },
  throw() {
    startSpans()
    setImmediate(() => {
      throw new Error('boom')
    })
  },
  reject() {
    startSpans()
    void Promise.reject(new TypeError('rejected'))
  },
  natural() {
    startSpans()
  },
  async shutdown() {
    startSpans()
    await tracing.shutdown({ timeoutMs: 50_000 })
  },
  'handled-signal'() {
    process.on('SIGTERM', () => setImmediate(() => process.exit(0)))
    startSpans()
    stay()
  },
  async 'ends-then-wait'() {
    const { job, step } = startSpans()
    stay()
    await once(process, 'SIGUSR2')
    step.end()
    job.end()
    await tracing.forceFlush({ timeoutMs: 50_000 })
    console.log(`ended ${JSON.stringify(tracing.ledger())}`)
  },
  'ends-in-exit-handler'() {
    const { job, step } = startSpans()
    process.on('exit', () => {
      step.end()
      job.end()
    })
    process.exit(4)
  },
  'out-of-memory'() {
    startSpans()
    process.on('SIGUSR2', () => {
      const held: unknown[] = []
      for (let index = 0; ; index++) held.push({ index, text: `a string of its own ${index}` })
    })
    stay()
  },
  /** The next start of the program: takes over what the others have left. */
  deliver() {
    const timer = setInterval(() => {
      const { adopted, waiting } = tracing.adopted() ?? { adopted: 0, waiting: 0 }
      if (adopted === 0 || waiting > 0) return
      clearInterval(timer)
      console.log(`delivered ${JSON.stringify([tracing.ledger(), tracing.adopted()])}`)
    }, 5)
  },
}

await ways[way]?.()
