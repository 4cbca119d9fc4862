import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import { type Lens, startLens } from '@throughline/lens'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'

interface SentSpan {
  readonly id: number
  readonly parent?: number
  readonly service?: string
  readonly name?: string
  readonly kind?: number
  readonly startMs: number
  readonly endMs: number
  readonly more?: object
}

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0')
const traceIdOf = (trace: number): string => hex(trace, 32)
const spanIdOf = (span: number): string => hex(span, 16)

/** Sends spans as an application would: OTLP/HTTP with JSON. Times are relative to `originMs`, which is now. */
async function send(
  lens: Lens,
  trace: number,
  spans: readonly SentSpan[],
  originMs: number = Date.now(),
): Promise<void> {
  const originNano = BigInt(originMs) * 1_000_000n
  const nano = (ms: number): string => String(originNano + BigInt(Math.round(ms * 1e6)))
  const resourceSpans = spans.map(
    ({ id, parent, service = 'shop', name = `span ${id}`, kind = 1, startMs, endMs, more }) => ({
      resource: { attributes: [{ key: 'service.name', value: { stringValue: service } }] },
      scopeSpans: [
        {
          spans: [
            {
              traceId: traceIdOf(trace),
              spanId: spanIdOf(id),
              ...(parent !== undefined && { parentSpanId: spanIdOf(parent) }),
              name,
              kind,
              startTimeUnixNano: nano(startMs),
              endTimeUnixNano: nano(endMs),
              ...more,
            },
          ],
        },
      ],
    }),
  )
  const response = await fetch(`http://127.0.0.1:${lens.httpPort}/v1/traces`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ resourceSpans }),
  })
  assert.equal(await response.text(), '{}')
}

const attribute = (key: string, stringValue: string): object => ({ key, value: { stringValue } })

/** Publish from 20 to 40 ms, processed from 60 to 100 ms: 20 ms in the queue. */
const jobSpans: readonly SentSpan[] = [
  { id: 1, name: 'GET /jobs', kind: 2, service: 'api', startMs: 0, endMs: 100 },
  { id: 2, parent: 1, name: 'publish jobs', kind: 4, service: 'api', startMs: 20, endMs: 40 },
  {
    id: 3,
    parent: 2,
    name: 'job.process',
    kind: 5,
    service: 'worker',
    startMs: 60,
    endMs: 100,
    more: {
      attributes: [attribute('job.id', 'job-17')],
      links: [{ traceId: traceIdOf(1), spanId: spanIdOf(2) }],
      events: [
        { name: 'exception', timeUnixNano: '1', attributes: [attribute('exception.type', 'ExitError')] },
      ],
      status: { code: 2, message: 'exit code 1' },
    },
  },
  { id: 4, parent: 3, name: 'write result', service: 'worker', startMs: 80, endMs: 90 },
]

describe('the page of Lens', () => {
  let lens: Lens
  let browser: Browser
  let context: BrowserContext
  let page: Page
  let faults: string[]

  before(async () => {
    lens = await startLens({ otlpGrpcPort: 0, otlpHttpPort: 0, port: 0 })
    browser = await chromium.launch({
      executablePath: process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium',
      args: ['--no-sandbox', '--disable-gpu'],
    })
  })
  beforeEach(async () => {
    await context?.close()
    context = await browser.newContext({ viewport: { width: 1400, height: 900 } })
    page = await context.newPage()
    faults = []
    page.on('pageerror', (error) => faults.push(String(error)))
    page.on('dialog', (dialog) => {
      faults.push(`dialog ${dialog.message()}`)
      void dialog.dismiss()
    })
    page.on('request', (request) => {
      if (!request.url().startsWith(lens.url)) faults.push(`request to ${request.url()}`)
    })
  })
  after(async () => {
    await browser.close()
    await lens.stop()
  })

  const rowNames = (): Promise<string[]> => page.locator('.row .title').allTextContents()
  const row = (name: string) => page.locator('.row', { hasText: name })

  it('says how to begin while there is nothing, and then shows each trace as it arrives', async () => {
    await page.goto(lens.url)
    await page.getByText('No traces yet').waitFor()
    await send(lens, 1, jobSpans)
    const entry = page.locator('.trace-row', { hasText: 'GET /jobs' })
    await entry.waitFor()
    assert.equal(await entry.locator('.chips').innerText(), 'api\nworker')
    assert.match(await entry.innerText(), /100 ms/)
    assert.match(await entry.innerText(), /1 error/)
    await send(lens, 2, [{ id: 1, name: 'second', startMs: 0, endMs: 1 }])
    await page.locator('.trace-row', { hasText: 'second' }).waitFor()
    assert.deepEqual(faults, [])
  })

  it('filters the list, and keeps the filter in the address', async () => {
    await page.goto(lens.url)
    await page.locator('.trace-row', { hasText: 'second' }).waitFor()
    await page.getByText('Errors only').click()
    await page.locator('.trace-row', { hasText: 'second' }).waitFor({ state: 'detached' })
    assert.equal(await page.locator('.trace-row').count(), 1)
    assert.match(page.url(), /\?error=true$/)
    await page.goto(`${lens.url}/?service=worker`)
    await page.locator('.trace-row', { hasText: 'GET /jobs' }).waitFor()
    assert.equal(await page.locator('.trace-row').count(), 1)
  })

  it('draws the waterfall with the queue time between publish and process', async () => {
    await page.goto(lens.url)
    await page.locator('.trace-row', { hasText: 'GET /jobs' }).click()
    await row('job.process').waitFor()
    assert.equal(new URL(page.url()).pathname, `/trace/${traceIdOf(1)}`)
    assert.deepEqual(await rowNames(), ['GET /jobs', 'publish jobs', 'job.process', 'write result'])
    const total = await boxOf(row('GET /jobs').locator('.bar'))
    const share = async (selector: string): Promise<readonly number[]> => {
      const { x, width } = await boxOf(row('job.process').locator(selector))
      return [Math.round(((x - total.x) / total.width) * 100), Math.round((width / total.width) * 100)]
    }
    assert.deepEqual(await share('.bar'), [60, 40])
    assert.deepEqual(await share('.queue'), [40, 20])
    assert.match(await row('job.process').innerText(), /worker.*consumer.*40\.0 ms ✗ queue 20\.0 ms/s)
    assert.deepEqual(faults, [])
  })

  it('shows attributes, events, links and resource of a span, and follows a link', async () => {
    await page.goto(`${lens.url}/trace/${traceIdOf(1)}`)
    await row('job.process').click()
    const details = page.getByRole('complementary', { name: 'Span details' })
    await details.getByText('job-17').waitFor()
    const text = await details.innerText()
    for (const part of [
      'job.process',
      'exit code 1',
      '20.0 ms',
      'exception.type',
      'ExitError',
      'service.name',
    ])
      assert.ok(text.includes(part), `${part} in ${text}`)
    await details.getByRole('link', { name: 'api: publish jobs' }).click()
    await details.getByRole('heading', { name: 'publish jobs' }).waitFor()
    await details.getByRole('button', { name: 'Close' }).click()
    await details.waitFor({ state: 'hidden' })
  })

  it('opens at a span by its address', async () => {
    await page.goto(`${lens.url}/trace/${traceIdOf(1)}#${spanIdOf(4)}`)
    await page.getByRole('heading', { name: 'write result' }).waitFor()
    assert.equal(await page.locator('.row.selected .title').innerText(), 'write result')
  })

  it('works by keyboard alone', async () => {
    await page.goto(`${lens.url}/trace/${traceIdOf(1)}`)
    await row('job.process').waitFor()
    const selected = page.locator('.row.selected .title')
    for (const [key, name] of [
      ['ArrowDown', 'GET /jobs'],
      ['End', 'write result'],
      ['ArrowUp', 'job.process'],
      ['ArrowRight', 'write result'],
      ['ArrowLeft', 'job.process'],
      ['Home', 'GET /jobs'],
    ] as const) {
      await page.keyboard.press(key)
      await page.waitForFunction(
        (name) => document.querySelector('.row.selected .title')?.textContent === name,
        name,
      )
    }
    await page.keyboard.press('ArrowLeft')
    await row('job.process').waitFor({ state: 'detached' })
    assert.equal(await page.locator('.row.selected').getAttribute('aria-expanded'), 'false')
    await page.keyboard.press('ArrowRight')
    await row('job.process').waitFor()
    await page.keyboard.press('Escape')
    await selected.waitFor({ state: 'detached' })
    await page.goto(lens.url)
    await page.locator('.trace-row', { hasText: 'GET /jobs' }).focus()
    await page.keyboard.press('Enter')
    await row('job.process').waitFor()
  })

  it('marks a span whose parent is missing', async () => {
    await send(lens, 3, [{ id: 5, parent: 99, name: 'orphan', startMs: 0, endMs: 1 }])
    await page.goto(`${lens.url}/trace/${traceIdOf(3)}`)
    await row('orphan').waitFor()
    assert.match(await row('orphan').innerText(), /missing parent/)
    await page.getByText('1 span with a missing parent').waitFor()
  })

  it('waits for a trace that has not arrived yet', async () => {
    await page.goto(`${lens.url}/trace/${traceIdOf(4)}`)
    await page.getByText('This trace is not here').waitFor()
    await send(lens, 4, [{ id: 1, name: 'late', startMs: 0, endMs: 1 }])
    await row('late').waitFor()
  })

  it('keeps folds, selection, scroll position and focus when spans arrive in an open trace', async () => {
    const many = Array.from(
      { length: 80 },
      (_, i): SentSpan => ({ id: i + 10, parent: 2, name: `step ${i}`, startMs: 10 + i, endMs: 11 + i }),
    )
    const originMs = Date.now()
    await send(
      lens,
      7,
      [
        { id: 1, name: 'root', startMs: 0, endMs: 300 },
        { id: 2, parent: 1, name: 'steps', startMs: 5, endMs: 290 },
        ...many,
        { id: 3, parent: 1, name: 'folded', startMs: 200, endMs: 250 },
        { id: 4, parent: 3, name: 'hidden', startMs: 201, endMs: 202 },
      ],
      originMs,
    )
    await page.goto(`${lens.url}/trace/${traceIdOf(7)}#${spanIdOf(3)}`)
    await row('folded').waitFor()
    await page.keyboard.press('ArrowLeft')
    await row('hidden').waitFor({ state: 'detached' })
    await row('step 60').click()
    await page.getByRole('heading', { name: 'step 60' }).waitFor()
    const state = (): Promise<unknown> =>
      page.evaluate(() => ({
        // Where the selected row stands in the window.
        top: Math.round(document.querySelector('.row.selected')?.getBoundingClientRect().top ?? -1),
        selected: document.querySelector('.row.selected .title')?.textContent,
        scrolled: (document.querySelector('.scroller')?.scrollTop ?? 0) > 0,
        focus: document.activeElement?.className,
        hash: location.hash,
        details: document.querySelector('.details h2')?.textContent,
      }))
    const before = await state()
    // One span above all that is in view, one below the fold.
    await send(
      lens,
      7,
      [
        { id: 100, parent: 2, name: 'late above', startMs: 6, endMs: 7 },
        { id: 101, parent: 3, name: 'late hidden', startMs: 203, endMs: 204 },
      ],
      originMs,
    )
    await page.getByText('86 spans').waitFor()
    assert.deepEqual(await state(), before)
    assert.equal(await row('hidden').count(), 0)
    assert.match(await row('folded').innerText(), /\+2/)
    await page.keyboard.press('Home')
    await row('late above').waitFor()
  })

  it('runs and loads nothing that a span brings along', async () => {
    const evil = '<img src=https://evil.invalid/x onerror="alert(1)"><script>alert(2)</script>'
    const attributes = [attribute(evil, evil), attribute('__proto__', evil)]
    const events = [{ name: evil, timeUnixNano: '1', attributes }]
    const more = { attributes, events, links: [], status: { code: 2, message: evil } }
    await send(lens, 5, [{ id: 1, name: evil, service: evil, startMs: 0, endMs: 1, more }])
    await page.goto(lens.url)
    await page.locator('.trace-row', { hasText: 'evil.invalid' }).click()
    await page.locator('.row').click()
    await page.locator('.details dt', { hasText: '__proto__' }).last().waitFor()
    assert.equal(await page.locator('.row .title').innerText(), evil)
    assert.equal((await page.locator('.details dd', { hasText: evil }).count()) > 0, true)
    assert.equal(await page.locator('main img, main script').count(), 0)
    assert.deepEqual(faults, [])
  })

  it('stays usable with 50,000 spans', async () => {
    const spans = Array.from({ length: 50_000 }, (_, i): SentSpan => {
      const parent = Math.floor((i - 1) / 5) + 1
      return { id: i + 1, ...(i > 0 && { parent }), startMs: i / 100, endMs: 600 }
    })
    for (let at = 0; at < spans.length; at += 10_000) await send(lens, 6, spans.slice(at, at + 10_000))
    await page.goto(`${lens.url}/trace/${traceIdOf(6)}`)
    await page.getByText('50,000 spans').waitFor()
    await page.locator('.row').first().waitFor()
    assert.ok((await page.locator('.row').count()) < 100)
    await page.keyboard.press('End')
    await page.waitForFunction(
      () => Number(document.querySelector<HTMLElement>('.row.selected')?.dataset['index']) === 49_999,
    )
    await page.keyboard.press('Home')
    await page.keyboard.press('ArrowLeft')
    await page.waitForFunction(() => document.querySelectorAll('.row').length === 1)
    assert.match(await page.locator('.row').innerText(), /\+49,999/)
  })

  it('fits a narrow window: nothing beside it, nothing over the selected span', async () => {
    await page.setViewportSize({ width: 800, height: 600 })
    const name = 'a-name-that-has-no-place-to-break-'.repeat(20)
    const spans = Array.from(
      { length: 40 },
      (_, i): SentSpan => ({ id: i + 1, name: `${i} ${name}`, service: name, startMs: i, endMs: i + 1 }),
    )
    await send(lens, 8, spans)
    const fits = () => page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)
    await page.goto(lens.url)
    await page.locator('.trace-row', { hasText: name }).waitFor()
    assert.ok(await fits())
    await page.goto(`${lens.url}/trace/${traceIdOf(8)}`)
    await page.locator('.row').first().waitFor()
    await page.keyboard.press('End')
    await page.locator('.details dt', { hasText: 'service.name' }).waitFor()
    assert.ok(await fits())
    const selected = await page.locator('.row.selected').boundingBox()
    const details = await page.locator('.details').boundingBox()
    assert.ok(selected && details && selected.y + selected.height <= details.y + 1)
  })

  it('writes names of services so that they can be read, in both colour schemes', async () => {
    await page.goto(lens.url)
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme })
      const contrasts = await page.evaluate(() => {
        const probe = document.body.appendChild(document.createElement('i'))
        // https://www.w3.org/TR/WCAG22/#dfn-relative-luminance
        const luminance = (variable: string): number => {
          probe.style.color = `var(${variable})`
          const [r = 0, g = 0, b = 0] = (getComputedStyle(probe).color.match(/\d+/g) ?? []).map((text) => {
            const share = Number(text) / 255
            return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
          })
          return 0.2126 * r + 0.7152 * g + 0.0722 * b
        }
        const texts = [
          'text',
          'muted',
          'error',
          'warning',
          ...Array.from({ length: 10 }, (_, i) => `service-${i}`),
        ]
        return texts.flatMap((text) =>
          ['surface', 'raised', 'accent-soft'].map((background) => {
            const [dim = 0, bright = 0] = [luminance(`--${text}`), luminance(`--${background}`)].toSorted(
              (a, b) => a - b,
            )
            return { pair: `${text} on ${background}`, contrast: (bright + 0.05) / (dim + 0.05) }
          }),
        )
      })
      assert.deepEqual(
        contrasts.filter(({ contrast }) => !(contrast >= 4.5)),
        [],
        colorScheme,
      )
    }
  })

  it('follows the colour scheme', async () => {
    const background = async (colorScheme: 'light' | 'dark'): Promise<string> => {
      await page.emulateMedia({ colorScheme })
      return page.evaluate(() => getComputedStyle(document.body).backgroundColor)
    }
    await page.goto(lens.url)
    assert.deepEqual(
      [await background('light'), await background('dark')],
      ['rgb(251, 251, 253)', 'rgb(14, 16, 23)'],
    )
  })
})

async function boxOf(
  locator: ReturnType<Page['locator']>,
): Promise<{ readonly x: number; readonly width: number }> {
  const box = await locator.boundingBox()
  assert.ok(box)
  return box
}
