import type { RecordedSpan, SpanSink } from '../records.ts'

/** A sink that keeps what it gets, for tests. */
export class CollectingSink implements SpanSink {
  readonly spans: RecordedSpan[] = []
  flushCount = 0
  shutdownCount = 0

  onEnd(span: RecordedSpan): void {
    this.spans.push(span)
  }

  async forceFlush(): Promise<void> {
    this.flushCount += 1
  }

  async shutdown(): Promise<void> {
    this.shutdownCount += 1
  }

  /** The span of this name; throws when there is none or more than one. */
  named(name: string): RecordedSpan {
    const found = this.spans.filter((span) => span.name === name)
    const [span] = found
    if (span === undefined || found.length > 1) throw new Error(`${found.length} spans named ${name}`)
    return span
  }
}
