import { eventually } from '../eventually.ts'
import { scanSpans } from './scan-spans.ts'

/** What came to a collector: how many requests, and each span once. */
export class Received {
  /** Requests that came in whole, however they were answered. */
  requestCount: number = 0
  /** When each request was in, by a monotonic clock. */
  readonly requestTimesMs: number[] = []
  /** How often a span came in accepted requests, by span id. */
  readonly deliveries: Map<string, number> = new Map()
  /** Name by span id, of completed spans in accepted requests. */
  readonly spans: Map<string, string> = new Map()
  /** Name by span id, of all that came, accepted or not. */
  readonly seen: Map<string, string> = new Map()
  /** Called after each request. */
  readonly watchers: Set<() => void> = new Set()

  /** `rejectedCount`: so many of the request's spans, the first ones, are not accepted. */
  take(body: Uint8Array, rejectedCount: number): void {
    this.requestCount++
    this.requestTimesMs.push(performance.now())
    const spans = scanSpans(body).filter(({ isComplete }) => isComplete)
    for (const { spanId, name } of spans) this.seen.set(spanId, name)
    for (const { spanId, name } of spans.slice(rejectedCount)) {
      this.deliveries.set(spanId, (this.deliveries.get(spanId) ?? 0) + 1)
      this.spans.set(spanId, name)
    }
    for (const watch of this.watchers) watch()
  }

  /** The names of accepted spans, one for each distinct span id. */
  get names(): string[] {
    return [...this.spans.values()]
  }

  /** How often the span that came most often was accepted. */
  get deliveriesMax(): number {
    return Math.max(0, ...this.deliveries.values())
  }

  /** Resolves when so many distinct spans have been accepted. */
  async untilSpans(count: number): Promise<void> {
    const look = (): true | undefined => (this.spans.size >= count ? true : undefined)
    await eventually(look, this.watchers, () => `${this.spans.size} of ${count} spans came`)
  }

  /** Resolves when so many distinct spans have come, accepted or not. */
  async untilSeen(count: number): Promise<void> {
    const look = (): true | undefined => (this.seen.size >= count ? true : undefined)
    await eventually(look, this.watchers, () => `${this.seen.size} of ${count} spans were seen`)
  }

  async untilRequests(count: number): Promise<void> {
    const look = (): true | undefined => (this.requestCount >= count ? true : undefined)
    await eventually(look, this.watchers, () => `${this.requestCount} of ${count} requests came`)
  }
}
