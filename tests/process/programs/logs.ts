// Writes log lines inside and outside of a span and ends at once, in the way that the first argument says. The collector
// is named by OTEL_EXPORTER_OTLP_ENDPOINT.
import { trace } from '@opentelemetry/api'
import { withTraceIds } from '@throughline/logs'
import { initTracer } from '@throughline/node'
import { pino } from 'pino'

// The collector is there: a busy machine may take its time, what is awaited ends it.
initTracer('logs', { http: false, exitTimeoutMs: 60_000, abruptExitTimeoutMs: 60_000 })
const logger = pino(withTraceIds({ base: null, timestamp: false }))

trace.getTracer('logs').startActiveSpan('work', (span) => {
  logger.info({ job: 7 }, 'inside the span')
  span.end()
})
logger.warn('the last words')

const [ending] = process.argv.slice(2)
if (ending === 'exit') process.exit(3)
if (ending === 'throw') throw new Error('planted')
if (ending === 'SIGTERM') process.kill(process.pid, 'SIGTERM')
