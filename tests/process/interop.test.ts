import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { SpanKind } from '@opentelemetry/api'
import { startNatsServer } from '@throughline/nats-server'
import { Collector } from '../harness/collector.ts'
import { inRepository, runNode } from '../harness/processes.ts'

// Every operation of our HTTP and NATS packages under OpenTelemetry's SDK is tested in packages/http (*-opentelemetry.test.ts) and
// packages/nats (opentelemetry.test.ts); its processors on our provider, field by field, in packages/trace (span-processor.test.ts).
// Here are whole programs, set up as the documentation of those packages says.

interface PrintedSpan {
  readonly name: string
  readonly kind: number
  readonly scope: string
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId: string
  readonly attributes: Readonly<Record<string, unknown>>
}

async function spansPrintedBy(program: string, args: readonly string[] = []): Promise<PrintedSpan[]> {
  const { code, stdout, stderr } = await runNode([program, ...args])
  assert.equal(code, 0, stderr)
  return JSON.parse(stdout) as PrintedSpan[]
}

const compiled = (name: string): string => fileURLToPath(new URL(`programs/${name}.js`, import.meta.url))

/** The spans from the root down, each the only child of the one before. */
function chainOf(spans: readonly PrintedSpan[]): PrintedSpan[] {
  const chain: PrintedSpan[] = []
  for (let parent = ''; chain.length < spans.length; parent = chain.at(-1)?.spanId ?? '') {
    const children = spans.filter(({ parentSpanId }) => parentSpanId === parent)
    assert.equal(children.length, 1, JSON.stringify(spans, undefined, 2))
    chain.push(...children)
  }
  assert.equal(new Set(chain.map(({ traceId }) => traceId)).size, 1)
  return chain
}

test('@opentelemetry/instrumentation-http in a CommonJS program traces over our provider', async () => {
  const program = inRepository('tests/process/programs/foreign-instrumentation.cjs')
  const chain = chainOf(await spansPrintedBy(program))
  const theirs = '@opentelemetry/instrumentation-http'
  assert.deepEqual(
    chain.map(({ name, kind, scope }) => [name, kind, scope]),
    [
      ['GET', SpanKind.CLIENT, theirs],
      ['GET', SpanKind.SERVER, theirs],
      ['work', SpanKind.INTERNAL, 'program'],
    ],
  )
  assert.equal(
    chain[0]?.attributes['http.status_code'] ?? chain[0]?.attributes['http.response.status_code'],
    200,
  )
})

test('our HTTP and NATS packages make one trace under the OpenTelemetry SDK', async (t) => {
  const server = await startNatsServer()
  t.after(() => server.stop())
  const chain = chainOf(await spansPrintedBy(compiled('opentelemetry-sdk'), [server.url]))
  assert.deepEqual(
    chain.map(({ name, kind, scope }) => [name, kind, scope]),
    [
      ['GET', SpanKind.CLIENT, '@throughline/http'],
      ['GET', SpanKind.SERVER, '@throughline/http'],
      ['publish work', SpanKind.PRODUCER, '@throughline/nats'],
      ['process work', SpanKind.CONSUMER, '@throughline/nats'],
      ['work now', SpanKind.INTERNAL, 'program'],
    ],
  )
})

test('ConsoleSpanExporter and OTLPTraceExporter, simple and batched, get whole spans from our provider', async (t) => {
  const collector = await Collector.start()
  t.after(() => collector.stop())
  const { code, stdout, stderr } = await runNode([compiled('foreign-exporters'), collector.httpEndpoint])
  assert.deepEqual([code, stderr], [0, ''])

  const [child, parent] = collector.spans
  assert.ok(child !== undefined && parent !== undefined && collector.spans.length === 2)
  assert.deepEqual([parent.name, parent.kind, parent.parentSpanId], ['parent', 'SERVER', ''])
  assert.equal(parent.attributes['answer'], '42')
  assert.deepEqual([parent.service, parent.resource['zone']], ['program', 'a'])
  assert.deepEqual([child.name, child.parentSpanId, child.traceId], ['child', parent.spanId, parent.traceId])
  assert.equal(child.statusCode, 2)
  assert.deepEqual(child.links, [{ traceId: parent.traceId, spanId: parent.spanId }])
  assert.ok(child.endUnixNano >= child.startUnixNano && child.startUnixNano >= parent.startUnixNano)

  for (const printed of [
    `traceId: '${parent.traceId}'`,
    `id: '${child.spanId}'`,
    "name: 'half way'",
    "'exception.message': 'too far'",
    "status: { code: 2, message: 'too far' }",
    'attributes: { answer: 42 }',
    "zone: 'a'",
  ])
    assert.ok(stdout.includes(printed), `${printed} in\n${stdout}`)
})
