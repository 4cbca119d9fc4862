import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { describe, it } from 'node:test'
import { createStdoutExporter } from './stdout-exporter.ts'
import { testSpan } from './testing/span.ts'

const clock = { originUnixNano: 1_700_000_000_000_000_000n }
const resource = { 'service.name': 'shop', 'not.set': undefined }

function printed(...changes: Parameters<typeof testSpan>[1][]): unknown[] {
  const texts: string[] = []
  const exporter = createStdoutExporter({ resource, clock, write: (text) => texts.push(text) })
  for (const [index, change] of changes.entries()) exporter.onEnd(testSpan(index, change))
  return texts.map((text) => JSON.parse(text))
}

describe('stdout exporter', () => {
  it('prints the fields of an OpenTelemetry span', () => {
    const [span] = printed({
      parentSpanId1: 0xff,
      otlpKind: 2,
      traceStateText: 'a=b',
      flatAttributes: ['n', Number.NaN, 'list', ['x', null], '__proto__', 'safe'],
      attributeBlock: { entries: ['shared', true], encoded: undefined },
      eventRecords: [{ name: 'e', timeMs: 2, flatAttributes: ['k', 1], droppedAttributesCount: 3 }],
      linkRecords: [
        {
          traceId: 'a'.repeat(32),
          spanId: 'b'.repeat(16),
          traceFlags: 1,
          isRemote: true,
          traceStateText: '',
          flatAttributes: [],
          droppedAttributesCount: 0,
        },
      ],
      statusCode: 2,
      statusMessage: 'bad',
    })
    assert.deepEqual(span, {
      traceId: '4bf92f3577b34da6a3ce929d00000000',
      parentId: '00000000000000ff',
      traceState: 'a=b',
      name: 'span 0',
      id: '00f067aa00000001',
      kind: 1,
      timestamp: 1_700_000_000_001_500,
      duration: 1250,
      attributes: JSON.parse('{"shared":true,"n":"NaN","list":["x",null],"__proto__":"safe"}'),
      status: { code: 2, message: 'bad' },
      events: [
        { name: 'e', time: [1_700_000_000, 2_000_000], attributes: { k: 1 }, droppedAttributesCount: 3 },
      ],
      links: [
        {
          context: { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), traceFlags: 1, isRemote: true },
          attributes: {},
          droppedAttributesCount: 0,
        },
      ],
      resource: { attributes: { 'service.name': 'shop' } },
      instrumentationScope: { name: 'test', version: '' },
    })
  })

  it('leaves the parent of a root out', () => {
    const [span] = printed({})
    assert.ok(typeof span === 'object' && span !== null && !('parentId' in span))
  })

  it('counts what cannot be written, and what comes after shutdown', async () => {
    let fails = true
    const exporter = createStdoutExporter({
      resource,
      clock,
      write: () => {
        if (fails) throw new Error('EPIPE')
      },
    })
    exporter.onEnd(testSpan(0))
    fails = false
    exporter.onEnd(testSpan(1))
    await exporter.shutdown()
    exporter.onEnd(testSpan(2))
    assert.deepEqual(exporter.ledger(), {
      ended: 3,
      delivered: 1,
      pending: 0,
      spooled: 0,
      dropped: { write_error: 1, after_shutdown: 1 },
    })
  })

  it('has printed everything when the process exits in the next line', () => {
    const program = `
      import { createStdoutExporter } from ${JSON.stringify(new URL('./index.js', import.meta.url).href)}
      import { testSpan } from ${JSON.stringify(new URL('./testing/span.js', import.meta.url).href)}
      const exporter = createStdoutExporter({ resource: {}, clock: { originUnixNano: 0n } })
      for (let index = 0; index < 2000; index++) exporter.onEnd(testSpan(index))
      process.exit(3)`
    const child = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
      encoding: 'utf8',
      maxBuffer: 64 * 1024 * 1024,
    })
    assert.equal(child.status, 3, child.stderr)
    const spans = child.stdout.split('\n}\n').filter((text) => text !== '')
    assert.equal(spans.length, 2000)
    assert.equal(JSON.parse(`${spans.at(-1)}}`).name, 'span 1999')
  })
})
