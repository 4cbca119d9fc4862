import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { stripVTControlCharacters } from 'node:util'
import type { Span } from '../model.ts'
import { buildTraceView } from '../query/trace-view.ts'
import { jobTrace, sampleOriginNano, sampleSpan } from '../testing/sample.ts'
import { renderTrace } from './render-trace.ts'
import { renderTraces } from './render-traces.ts'
import { widthOf } from './text.ts'

const traceId = '0af7651916cd43dd8448eb211c80319c'
const at = (ms: number): bigint => sampleOriginNano + BigInt(ms * 1e6)
const escape = '\x1b'
const draw = (spans: readonly Span[], { width = 100, color = false, truncated = false } = {}): string =>
  renderTrace(buildTraceView(traceId, { spans, logs: [], truncated }), { width, color })

const goldenJob = `trace 0af7651916cd43dd8448eb211c80319c
osapi client node hostname · 48.2 ms · 11 spans · 3 services

SERVICE      NAME                               KIND     DURATION STATUS
osapi-cli    osapi client node hostname         INTERNAL  48.2 ms unset  ━━━━━━━━━━━━━━━━━━━━━━━━━━
osapi-cli      GET                              CLIENT    40.8 ms unset     ━━━━━━━━━━━━━━━━━━━━━━━
osapi-api        GET /api/node/:target/hostname SERVER    37.4 ms unset      ━━━━━━━━━━━━━━━━━━━━━
osapi-api          put job-queue                CLIENT    2.40 ms unset       ━
osapi-api          publish jobs.query._any      PRODUCER  2.50 ms unset         ━
osapi-worker         job.process                CONSUMER  16.5 ms unset          ░░░░░━━━━━━━━━━
                       ░ waited 9.60 ms in the queue
osapi-worker           get job-queue            CLIENT    2.40 ms unset                ━
osapi-worker           provider.execute         INTERNAL  6.70 ms unset                 ━━━━
osapi-worker           job.result.write         INTERNAL  5.50 ms unset                     ━━━
osapi-worker             put job-responses      CLIENT    4.90 ms unset                     ━━━
osapi-api          get job-responses            CLIENT    2.50 ms unset                         ━`

describe('renderTrace', () => {
  it('draws the trace of a job', () => {
    assert.equal(draw(jobTrace(traceId)), goldenJob)
  })

  it('marks errors with their message, missing parents, and a cut trace', () => {
    const failed = sampleSpan({ name: 'fails', statusCode: 2, statusMessage: 'no such\nhost' })
    const done = sampleSpan({
      spanId: '00000000000000cc',
      parentSpanId: '00000000000000aa',
      name: 'orphan',
      statusCode: 1,
      startTimeUnixNano: sampleOriginNano + 1_000_000n,
      endTimeUnixNano: sampleOriginNano + 2_000_000n,
    })
    assert.equal(
      draw([failed, done], { width: 70, truncated: true }),
      `trace 0af7651916cd43dd8448eb211c80319c
fails · 2.00 ms · 2 spans · 1 service · 1 error

SERVICE NAME   KIND     DURATION STATUS
sample  fails  INTERNAL  1.00 ms ERROR  ━━━━━━━━━━━━━━━
          ✗ no such host
        ? missing parent 00000000000000aa
sample  orphan INTERNAL  1.00 ms OK                    ━━━━━━━━━━━━━━

Only the earliest 2 spans are shown.
1 span without a parent: it was not sent, or not yet.`,
    )
  })

  it('shows what runs with an open end, and what was interrupted with the reason and its process', () => {
    const spans = [
      sampleSpan({ name: 'job', state: 'pending', endTimeUnixNano: at(10) }),
      sampleSpan({
        spanId: '00000000000000c1',
        parentSpanId: sampleSpan().spanId,
        name: 'step',
        startTimeUnixNano: at(2),
        endTimeUnixNano: at(8),
        state: 'interrupted',
        interruption: 'process.exit(3)',
        statusCode: 2,
        statusMessage: 'process.exit(3)',
      }),
      sampleSpan({
        spanId: '00000000000000c2',
        parentSpanId: sampleSpan().spanId,
        name: 'failing',
        startTimeUnixNano: at(4),
        endTimeUnixNano: at(20),
        state: 'interrupted',
        statusCode: 2,
        statusMessage: 'no such host',
        source: { ...sampleSpan().source, resource: {} },
      }),
    ]
    assert.equal(
      draw(spans, { width: 80 }),
      `trace 0af7651916cd43dd8448eb211c80319c
job · 20.0 ms · 3 spans · 1 service · 2 errors · 1 running · 2 interrupted

SERVICE NAME      KIND     DURATION STATUS
sample  job       INTERNAL  10.0 ms open   ━━━━━━━━━━━━━━━━━━╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌▸
          … running since 2026-09-21 14:13:20 UTC, seen for 10.0 ms
sample    step    INTERNAL  6.00 ms ERROR     ━━━━━━━━━━━
            ✗ interrupted: process.exit(3) (process 4711 on web-01)
sample    failing INTERNAL  16.0 ms ERROR         ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━
            ✗ interrupted: its process died
            ✗ no such host`,
    )
  })

  it('shows a trace of which only a running span is known', () => {
    const span = sampleSpan({ name: 'job', state: 'pending', endTimeUnixNano: sampleOriginNano })
    assert.match(
      draw([span]),
      /job +INTERNAL +0 ms open +━╌+▸\n +… running since 2026-09-21 14:13:20 UTC, seen for 0 ms/,
    )
  })

  it('keeps every line within the width, however long names are and deep the tree', () => {
    const spans = Array.from({ length: 60 }, (_, i) =>
      sampleSpan({
        spanId: (i + 1).toString(16).padStart(16, '0'),
        parentSpanId: i === 0 ? '' : i.toString(16).padStart(16, '0'),
        name: `${'long 日本 '.repeat(9)}${i}`,
        statusCode: 2,
        statusMessage: 'message '.repeat(40),
        source: { ...sampleSpan().source, service: 'a-service-with-a-very-long-name-indeed' },
      }),
    )
    for (const width of [60, 81, 120, 300])
      for (const line of draw(spans, { width }).split('\n')) assert.ok(widthOf(line) <= width, line)
  })

  it('passes nothing on that a terminal would obey', () => {
    const evil = '\x1b]0;owned\x07\x9b31m\u202e'
    const span = sampleSpan({
      name: evil,
      parentSpanId: '00000000000000aa',
      statusCode: 2,
      statusMessage: evil,
      source: { ...sampleSpan().source, service: evil },
    })
    // Only line breaks, and those are ours.
    assert.doesNotMatch(draw([span]).replaceAll('\n', ''), /[\p{Cc}\p{Cf}]/u)
  })

  it('colours only when asked to', () => {
    assert.ok(!draw(jobTrace(traceId)).includes(escape))
    const colored = draw(jobTrace(traceId), { color: true })
    assert.ok(colored.includes(`${escape}[36mosapi-cli`))
    assert.equal(stripVTControlCharacters(colored).replace(/ +$/gm, ''), draw(jobTrace(traceId)))
  })
})

describe('renderTraces', () => {
  const entry = {
    traceId,
    rootName: 'job\x1b[2J',
    rootService: 'cli',
    services: ['cli'],
    spanCount: 11,
    errorCount: 1,
    pendingCount: 0,
    interruptedCount: 0,
    startTimeUnixNano: '1790000000123456789',
    durationMs: 48.2,
  }

  it('draws one line a trace', () => {
    assert.equal(
      renderTraces([entry], { width: 100, color: false }),
      `START (UTC)         TRACE                            DURATION  SPANS  ERR ROOT
2026-09-21 14:13:20 0af7651916cd43dd8448eb211c80319c  48.2 ms     11    1 cli: job�[2J`,
    )
    assert.equal(renderTraces([], { width: 100, color: false }), 'No traces.')
  })

  it('says what runs and what was interrupted, and cuts the name rather than that', () => {
    const long = { ...entry, rootName: 'x'.repeat(80), pendingCount: 2, interruptedCount: 1 }
    const [, line = ''] = renderTraces([long], { width: 110, color: false }).split('\n')
    assert.match(line, / cli: x+… · 2 running · 1 interrupted$/)
    assert.equal(line.length, 110)
  })

  it('shows a time that no calendar holds as it came', () => {
    const text = renderTraces([{ ...entry, startTimeUnixNano: '9'.repeat(25) }], { width: 100, color: false })
    assert.match(text, /999999/)
  })
})
