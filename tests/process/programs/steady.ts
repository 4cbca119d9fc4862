// Ends spans at a steady rate and tells on stdout, after each tick and in one write, how many have ended and when, and what memory
// it takes. SIGKILL comes between two ticks or in one: what was written is true.
// SIGUSR2: no more spans, and the natural end.
// Arguments: the URL of a set-up module, or "none"; spans per second; how many in all, then it ends by itself.
import { writeSync } from 'node:fs'
import { trace } from '@opentelemetry/api'
import { setUpFrom } from './set-up.ts'

const [, , setUp = 'none', rateText = '', countText = ''] = process.argv
const spansPerSecond = Number(rateText)
let countMax = Number(countText)
await setUpFrom(setUp)
const tracer = trace.getTracer('program')
const startMs = performance.now()
let count = 0

const timer = setInterval(tick, 5)

process.on('SIGUSR2', () => {
  countMax = count
})

function tick(): void {
  // What has come due, also when a tick came late.
  const due = Math.min(countMax, Math.ceil(((performance.now() - startMs) / 1000) * spansPerSecond))
  const attributes = {
    'http.request.method': 'GET',
    'http.response.status_code': 200,
    'url.path': '/orders/4711',
  }
  while (count < due) tracer.startSpan(`work ${count++}`, { attributes }).end()
  const { rss, heapUsed } = process.memoryUsage()
  writeSync(1, `${count} ${(performance.timeOrigin + performance.now()).toFixed(1)} ${rss} ${heapUsed}\n`)
  if (count < countMax) return
  clearInterval(timer)
  if (process.env['PROOF_WAIT_MS'] !== undefined) setTimeout(() => {}, Number(process.env['PROOF_WAIT_MS']))
}
