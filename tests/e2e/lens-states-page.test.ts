import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { type Lens, startLens } from '@throughline/lens'
import { type Browser, chromium, type Locator, type Page } from 'playwright-core'

const traceIdOf = (trace: number): string => trace.toString(16).padStart(32, '0')
const spanIdOf = (span: number): string => span.toString(16).padStart(16, '0')
const text = (key: string, stringValue: string): object => ({ key, value: { stringValue } })
const pending = (openMs: number): readonly object[] => [
  text('throughline.span.state', 'pending'),
  { key: 'throughline.span.open_ms', value: { doubleValue: openMs } },
]
const interrupted = (reason: string): readonly object[] => [
  text('throughline.span.state', 'interrupted'),
  text('throughline.span.interruption', reason),
]

interface Sent {
  readonly id?: number
  readonly parent?: number
  readonly name: string
  readonly startMs?: number
  /** Absent: it has not ended. */
  readonly endMs?: number
  readonly attributes?: readonly object[]
  readonly message?: string
}

/** A job that began a minute before the tests did. */
const originMs = Date.now() - 60_000

const nano = (ms: number): string => String(BigInt(originMs + ms) * 1_000_000n)

async function send(lens: Lens, trace: number, spans: readonly Sent[]): Promise<void> {
  const resource = {
    attributes: [text('service.name', 'worker'), text('host.name', 'web-01'), text('process.pid', '4711')],
  }
  const scopeSpans = [
    {
      spans: spans.map(({ id = 1, parent, name, startMs = 0, endMs, attributes = [], message }) => ({
        traceId: traceIdOf(trace),
        spanId: spanIdOf(id),
        ...(parent !== undefined && { parentSpanId: spanIdOf(parent) }),
        name,
        kind: 1,
        startTimeUnixNano: nano(startMs),
        endTimeUnixNano: endMs === undefined ? '0' : nano(endMs),
        attributes,
        ...(message !== undefined && { status: { code: 2, message } }),
      })),
    },
  ]
  const response = await fetch(`http://127.0.0.1:${lens.httpPort}/v1/traces`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ resourceSpans: [{ resource, scopeSpans }] }),
  })
  assert.equal(await response.text(), '{}')
}

/** Where its right edge is, in pixels. */
async function right(locator: Locator): Promise<number> {
  const box = await locator.boundingBox()
  assert.ok(box)
  return Math.round(box.x + box.width)
}

describe('the page of Lens shows spans that have not ended', () => {
  let lens: Lens
  let browser: Browser
  let page: Page
  const faults: string[] = []

  before(async () => {
    lens = await startLens({ otlpGrpcPort: 0, otlpHttpPort: 0, port: 0 })
    browser = await chromium.launch({
      executablePath: process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium',
      args: ['--no-sandbox', '--disable-gpu'],
    })
    page = await browser.newPage({ viewport: { width: 1400, height: 900 } })
    page.on('pageerror', (error) => faults.push(String(error)))
  })
  after(async () => {
    await browser.close()
    await lens.stop()
  })

  const row = (name: string): Locator => page.locator('.row', { hasText: name })
  it('in the list, though a running span is all that has come of a trace', async () => {
    await send(lens, 1, [{ name: 'import of orders', attributes: pending(2_000) }])
    await page.goto(lens.url)
    const entry = page.locator('.trace-row', { hasText: 'import of orders' })
    await entry.getByText('1 running').waitFor()
    assert.match(await entry.innerText(), /2\.00 s/)
  })

  it('with an open end and since when they run', async () => {
    await send(lens, 1, [
      { id: 2, parent: 1, name: 'read file', startMs: 100, endMs: 1_000 },
      { id: 3, parent: 1, name: 'write rows', startMs: 1_000, attributes: pending(500) },
    ])
    await page.goto(`${lens.url}/trace/${traceIdOf(1)}`)
    await page.getByText('2 running').waitFor()
    const since = await page.evaluate((ms) => new Date(ms).toLocaleTimeString(), originMs)
    assert.match(await row('import of orders').innerText(), new RegExp(`running since ${since}`))
    const edge = await right(row('import of orders').locator('.time'))
    // Whatever was seen of them, both go on to the edge, and what has ended does not.
    assert.equal(await right(row('import of orders').locator('.bar')), edge)
    assert.equal(await right(row('write rows').locator('.bar')), edge)
    assert.ok((await right(row('read file').locator('.bar'))) < edge - 100)
    await row('write rows').click()
    await page.getByText('for 500 ms; it has not ended, as far as is known').waitFor()
  })

  it('and, in an open page, how they ended: by their own end, or by the death of their process', async () => {
    await send(lens, 1, [
      { name: 'import of orders', endMs: 4_000, attributes: interrupted('SIGTERM'), message: 'SIGTERM' },
      { id: 3, parent: 1, name: 'write rows', startMs: 1_000, endMs: 3_000 },
    ])
    await page.getByText('1 interrupted').waitFor()
    assert.equal(await page.getByText('running').count(), 0)
    assert.match(await row('import of orders').innerText(), /4\.00 s ✗ interrupted/)
    assert.match(await row('write rows').innerText(), /2\.00 s$/)
    await row('import of orders').click()
    const failure = page.locator('.failure')
    await failure.waitFor()
    assert.equal(await failure.innerText(), 'Interrupted: SIGTERM (process 4711 on web-01)')
  })

  it('and finds traces of which a span was interrupted in the list', async () => {
    await send(lens, 2, [{ name: 'all well', endMs: 10 }])
    await page.goto(lens.url)
    const entry = page.locator('.trace-row', { hasText: 'import of orders' })
    await entry.getByText('1 interrupted').waitFor()
    assert.doesNotMatch(
      await page.locator('.trace-row', { hasText: 'all well' }).innerText(),
      /interrupted|running/,
    )
    assert.deepEqual(faults, [])
  })

  it('until their own end arrives, which says more than that they were interrupted', async () => {
    await send(lens, 1, [{ name: 'import of orders', endMs: 5_000 }])
    await page.locator('.trace-row', { hasText: 'interrupted' }).waitFor({ state: 'detached' })
    await page.goto(`${lens.url}/trace/${traceIdOf(1)}`)
    await row('import of orders').getByText('5.00 s').waitFor()
    assert.equal(await page.locator('.row.interrupted').count(), 0)
  })
})
