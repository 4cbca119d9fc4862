/**
 * How long it takes to open a trace of 50,000 spans in Chromium: from the navigation to the first drawn rows of the
 * waterfall, with Lens and browser on this machine, browser and page cold in the first run and warm in the others.
 *
 * Usage: node bench/dist/load/lens-open-trace.js [--spans 50000] [--runs 5]
 */
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { startLens } from '@throughline/lens'
import { chromium } from 'playwright-core'

const { values } = parseArgs({
  options: { spans: { type: 'string', default: '50000' }, runs: { type: 'string', default: '5' } },
})
const spanCount = Number(values.spans)
const traceId = '0af7651916cd43dd8448eb211c80319c'
const lens = await startLens({ otlpGrpcPort: 0, otlpHttpPort: 0, port: 0 })
for (let first = 0; first < spanCount; first += 10_000) await send(first, Math.min(10_000, spanCount - first))

const apiStartMs = performance.now()
const sizeBytes = (await (await fetch(`${lens.url}/api/traces/${traceId}?compact=true`)).arrayBuffer())
  .byteLength
const apiMs = performance.now() - apiStartMs

const browser = await chromium.launch({
  executablePath: process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu'],
})
const page = await browser.newPage({ viewport: { width: 1400, height: 900 } })
const openMs: number[] = []
const scrollMs: number[] = []
for (let run = 0; run < Number(values.runs); run++) {
  await page.goto('about:blank')
  const startMs = performance.now()
  await page.goto(`${lens.url}/trace/${traceId}`, { waitUntil: 'commit' })
  await page.locator('.row').first().waitFor()
  openMs.push(Math.round(performance.now() - startMs))
  const jumpMs = performance.now()
  await page.keyboard.press('End')
  await page.locator(`.row[data-index="${spanCount - 1}"]`).waitFor()
  scrollMs.push(Math.round(performance.now() - jumpMs))
}
console.log(
  JSON.stringify({
    what: 'lens-open-trace',
    spanCount,
    openMs,
    medianOpenMs: median(openMs),
    medianJumpToEndMs: median(scrollMs),
    apiMs: Math.round(apiMs),
    apiBytes: sizeBytes,
    browser: browser.version(),
    node: process.version,
    cpu: cpus()[0]?.model,
    cores: cpus().length,
  }),
)
await browser.close()
await lens.stop()

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN
}

function id(index: number): string {
  return (index + 1).toString(16).padStart(16, '0')
}

/** A tree in which each span has four children, in eight services, with six attributes a span. */
async function send(first: number, count: number): Promise<void> {
  const originNano = 1_790_000_000_000_000_000n
  const span = (index: number): object => ({
    traceId,
    spanId: id(index),
    ...(index > 0 && { parentSpanId: id(Math.floor((index - 1) / 4)) }),
    name: `operation ${index % 37}`,
    kind: (index % 5) + 1,
    startTimeUnixNano: String(originNano + BigInt(index) * 20_000n),
    endTimeUnixNano: String(originNano + BigInt(index) * 20_000n + 5_000_000n),
    attributes: ['method', 'route', 'scheme', 'path', 'host', 'version'].map((key) => ({
      key: `http.request.${key}`,
      value: { stringValue: `value ${index}` },
    })),
  })
  const services = Array.from({ length: 8 }, (_, service) => ({
    resource: { attributes: [{ key: 'service.name', value: { stringValue: `service-${service}` } }] },
    scopeSpans: [
      {
        spans: Array.from({ length: count }, (_, i) => first + i)
          .filter((index) => index % 8 === service)
          .map(span),
      },
    ],
  }))
  const body = JSON.stringify({ resourceSpans: services })
  const headers = { 'content-type': 'application/json' }
  const response = await fetch(`http://127.0.0.1:${lens.httpPort}/v1/traces`, {
    method: 'POST',
    body,
    headers,
  })
  if ((await response.text()) !== '{}') throw new Error(`Lens answered ${response.status}`)
}
