import type { Span } from '../model.ts'

export interface PlacedSpan {
  readonly span: Span
  readonly depth: number
  readonly descendantCount: number
  readonly missingParent: boolean
}

/**
 * The spans of one trace, depth first: roots first, then spans without their parent, each by start time.
 *
 * Every span comes out exactly once. A parent's start after its child's (clocks of two machines) changes nothing, as only
 * the ids make the tree. Parents in a loop have no top: the earliest span of the loop is taken as one with a missing parent.
 */
export function orderSpans(spans: readonly Span[]): readonly PlacedSpan[] {
  const byId = new Map(spans.map((span) => [span.spanId, span]))
  const childrenOf = new Map<string, Span[]>()
  const roots: Span[] = []
  const orphans: Span[] = []
  for (const span of spans.toSorted(byStart)) {
    if (span.parentSpanId === '') roots.push(span)
    else if (!byId.has(span.parentSpanId)) orphans.push(span)
    else push(childrenOf, span.parentSpanId, span)
  }
  const placed: MutablePlaced[] = []
  const seen = new Set<string>()
  const place = (top: Span, missingParent: boolean): void =>
    placeBelow({ top, missingParent, childrenOf, placed, seen })
  for (const root of roots) place(root, false)
  for (const orphan of orphans) place(orphan, true)
  if (placed.length < spans.length)
    for (const span of spans.toSorted(byStart)) if (!seen.has(span.spanId)) place(span, true)
  return placed
}

interface MutablePlaced extends PlacedSpan {
  descendantCount: number
}

/** With its own stack, since a chain of 50,000 spans would overflow the call stack. */
function placeBelow(step: {
  readonly top: Span
  readonly missingParent: boolean
  readonly childrenOf: ReadonlyMap<string, readonly Span[]>
  readonly placed: MutablePlaced[]
  readonly seen: Set<string>
}): void {
  const { childrenOf, placed, seen } = step
  // A number on the stack says: all below the span at this place has been placed.
  const stack: ({ span: Span; depth: number } | number)[] = [{ span: step.top, depth: 0 }]
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    if (typeof next === 'number') {
      const done = placed[next]
      if (done !== undefined) done.descendantCount = placed.length - next - 1
      continue
    }
    const { span, depth } = next
    if (seen.has(span.spanId)) continue
    seen.add(span.spanId)
    const missingParent = step.missingParent && depth === 0
    stack.push(placed.push({ span, depth, missingParent, descendantCount: 0 }) - 1)
    const children = childrenOf.get(span.spanId) ?? []
    for (let i = children.length - 1; i >= 0; i--) {
      const child = children[i]
      if (child !== undefined) stack.push({ span: child, depth: depth + 1 })
    }
  }
}

function byStart(a: Span, b: Span): number {
  if (a.startTimeUnixNano !== b.startTimeUnixNano) return a.startTimeUnixNano < b.startTimeUnixNano ? -1 : 1
  return a.spanId < b.spanId ? -1 : 1
}

function push(map: Map<string, Span[]>, key: string, span: Span): void {
  const list = map.get(key)
  if (list === undefined) map.set(key, [span])
  else list.push(span)
}
