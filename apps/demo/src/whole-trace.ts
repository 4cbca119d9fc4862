/** What this check reads of a span; Lens answers with more. */
export interface TraceSpan {
  readonly spanId: string
  readonly parentSpanId?: string | undefined
  readonly name: string
  readonly kind: string
  readonly service: string
  readonly attributes: Readonly<Record<string, unknown>>
  readonly links: readonly { readonly spanId: string }[]
}

interface Expectation {
  readonly what: string
  readonly service: string
  readonly kind: string
  readonly name: RegExp
  /** The `what` of the nearest expected ancestor; undefined for the root. */
  readonly under?: string
  readonly attributes?: readonly string[]
  readonly linksTo?: string
}

/** The chain that `osapi client node hostname` has to leave behind, origin first. */
const expectations: readonly Expectation[] = [
  { what: 'command', service: 'osapi-cli', kind: 'INTERNAL', name: /^osapi client node hostname$/ },
  { what: 'HTTP client', service: 'osapi-cli', kind: 'CLIENT', name: /^GET/, under: 'command' },
  {
    what: 'HTTP server',
    service: 'osapi-api',
    kind: 'SERVER',
    name: /^GET \/.*:\w+\/hostname$/,
    under: 'HTTP client',
  },
  {
    what: 'KV write of the job',
    service: 'osapi-api',
    kind: 'CLIENT',
    name: /^kv\.(put|create)/,
    under: 'HTTP server',
  },
  {
    what: 'publish',
    service: 'osapi-api',
    kind: 'PRODUCER',
    name: /publish/,
    under: 'HTTP server',
    attributes: ['job.id', 'job.type', 'job.target'],
  },
  {
    what: 'job.process',
    service: 'osapi-worker',
    kind: 'CONSUMER',
    name: /^job\.process$/,
    under: 'publish',
    attributes: ['job.id', 'job.operation', 'job.type', 'job.target'],
    linksTo: 'publish',
  },
  {
    what: 'KV read of the job',
    service: 'osapi-worker',
    kind: 'CLIENT',
    name: /^kv\.get/,
    under: 'job.process',
  },
  {
    what: 'provider execution',
    service: 'osapi-worker',
    kind: 'INTERNAL',
    name: /^provider\.execute/,
    under: 'job.process',
  },
  {
    what: 'result write',
    service: 'osapi-worker',
    kind: 'INTERNAL',
    name: /^job\.result\.write$/,
    under: 'job.process',
  },
]

/**
 * Says what is missing or wrong in the trace of one `osapi client node hostname`: one sentence each, none when the trace
 * is whole. Every span must be in one tree, and each expected span must stand under the one that caused it.
 */
export function missingFrom(spans: readonly TraceSpan[]): string[] {
  const problems = orphans(spans)
  const found = new Map<string, TraceSpan>()
  for (const expected of expectations) {
    const match = spans.find((span) => fits(span, expected, spans, found))
    if (match === undefined)
      problems.push(`no ${expected.what} span (${expected.kind} of ${expected.service})${place(expected)}`)
    else found.set(expected.what, match)
    for (const key of match === undefined ? [] : (expected.attributes ?? []))
      if (match?.attributes[key] === undefined)
        problems.push(`the ${expected.what} span has no attribute ${key}`)
    const target = expected.linksTo === undefined ? undefined : found.get(expected.linksTo)
    if (
      match !== undefined &&
      target !== undefined &&
      !match.links.some((link) => link.spanId === target.spanId)
    )
      problems.push(`the ${expected.what} span has no link to ${expected.linksTo}`)
  }
  return problems
}

function place({ under }: Expectation): string {
  return under === undefined ? '' : ` under ${under}`
}

function fits(
  span: TraceSpan,
  expected: Expectation,
  spans: readonly TraceSpan[],
  found: ReadonlyMap<string, TraceSpan>,
): boolean {
  if (span.kind !== expected.kind || span.service !== expected.service || !expected.name.test(span.name))
    return false
  if (expected.under === undefined) return span.parentSpanId === undefined || span.parentSpanId === ''
  const ancestor = found.get(expected.under)
  return ancestor !== undefined && isBelow(span, ancestor, spans)
}

function isBelow(span: TraceSpan, ancestor: TraceSpan, spans: readonly TraceSpan[]): boolean {
  let current: TraceSpan | undefined = span
  for (let steps = 0; current !== undefined && steps <= spans.length; steps++) {
    const parentSpanId: string | undefined = current.parentSpanId
    if (parentSpanId === ancestor.spanId) return true
    current = spans.find((candidate) => candidate.spanId === parentSpanId)
  }
  return false
}

function orphans(spans: readonly TraceSpan[]): string[] {
  const ids = new Set(spans.map((span) => span.spanId))
  const isRoot = (span: TraceSpan) => span.parentSpanId === undefined || span.parentSpanId === ''
  const roots = spans.filter(isRoot)
  const lost = spans.filter((span) => !isRoot(span) && !ids.has(span.parentSpanId ?? ''))
  return [
    ...(roots.length === 1 ? [] : [`${roots.length} root spans instead of one`]),
    ...lost.map((span) => `the parent of ${span.service} ${span.name} is not in the trace`),
  ]
}
