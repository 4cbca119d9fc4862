import type { Source, Span } from '../model.ts'

/** Two machines whose clocks differ, as one trace shows it: a span that seems to start before the one that caused it. */
export interface ClockSkew {
  /** The service whose clock is behind; with its host where the other service has the same name. */
  readonly behind: string
  readonly ahead: string
  /** The largest difference seen. The true one is larger by what the call took to arrive. */
  readonly skewMs: number
  /** How many spans show it. */
  readonly spanCount: number
}

/** Below, the difference is the resolution of clocks that count milliseconds. */
const skewNanoMin = 1_000_000n

/** Collects the clock differences of one trace. Times stay as they were sent: a corrected guess would look like a measurement. */
export class ClockSkews {
  readonly #skews = new Map<string, ClockSkew>()

  /** By how much `span` seems to start before its parent; undefined when it does not, or both have one clock. */
  add(span: Span, parent: Span | undefined): number | undefined {
    if (parent === undefined) return undefined
    const skewNano = parent.startTimeUnixNano - span.startTimeUnixNano
    if (skewNano < skewNanoMin || hasSameClock(span.source, parent.source)) return undefined
    const skewMs = Number(skewNano) / 1e6
    const [behind, ahead] = labels(span.source, parent.source)
    const key = JSON.stringify([behind, ahead])
    const known = this.#skews.get(key) ?? { behind, ahead, skewMs: 0, spanCount: 0 }
    this.#skews.set(key, {
      ...known,
      skewMs: Math.max(known.skewMs, skewMs),
      spanCount: known.spanCount + 1,
    })
    return skewMs
  }

  list(): readonly ClockSkew[] {
    return [...this.#skews.values()]
  }
}

const idKeys = ['host.name', 'host.id', 'k8s.node.name'] as const

/** Another service counts as another machine unless both say on which they are. */
function hasSameClock(a: Source, b: Source): boolean {
  if (a.resource === b.resource) return true
  for (const key of idKeys) {
    const here = a.resource[key]
    const there = b.resource[key]
    if (here !== undefined && there !== undefined) return here === there
  }
  return a.service === b.service
}

function labels(behind: Source, ahead: Source): readonly [string, string] {
  if (behind.service !== ahead.service) return [behind.service, ahead.service]
  return [withHost(behind), withHost(ahead)]
}

const withHost = ({ service, resource }: Source): string => {
  const host = idKeys.map((key) => resource[key]).find((value) => typeof value === 'string')
  return host === undefined ? service : `${service} on ${host}`
}
