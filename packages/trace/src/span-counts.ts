import type { SpanIdentity } from './identified-span.ts'

/** What the sampler said of a span, in OpenTelemetry's words for metrics. */
export type SamplingResultName = 'DROP' | 'RECORD_ONLY' | 'RECORD_AND_SAMPLE'
/** Where a span's parent is: it has none, in this process, or in another one. */
export type ParentOrigin = 'none' | 'local' | 'remote'

/** How many spans were started, by what the SDK metrics of OpenTelemetry tell apart. */
export interface StartedSpanCount {
  readonly parentOrigin: ParentOrigin
  readonly samplingResult: SamplingResultName
  readonly count: number
}

/** Spans of one sampling result that have started and not ended. */
export interface LiveSpanCount {
  readonly samplingResult: SamplingResultName
  readonly count: number
}

/** The indexes of `samplingResults`. */
export const dropped = 0
export const recordOnly = 1
export const recordAndSample = 2

const samplingResults: readonly SamplingResultName[] = ['DROP', 'RECORD_ONLY', 'RECORD_AND_SAMPLE']
const parentOrigins: readonly ParentOrigin[] = ['none', 'local', 'remote']
const resultCount = 3

/** Counts spans at their start and end: two increments a span, and nothing is made of them until somebody asks. */
export class SpanCounts {
  readonly #started = new Float64Array(parentOrigins.length * resultCount)
  readonly #ended = new Float64Array(resultCount)

  start(parent: SpanIdentity | undefined, result: number): void {
    const origin = parent === undefined ? 0 : parent.isRemote ? 2 : 1
    this.#started[origin * resultCount + result] = this.#startedAt(origin, result) + 1
  }

  end(result: number): void {
    this.#ended[result] = (this.#ended[result] ?? 0) + 1
  }

  started(): readonly StartedSpanCount[] {
    return parentOrigins.flatMap((parentOrigin, origin) =>
      samplingResults.map((samplingResult, result) => ({
        parentOrigin,
        samplingResult,
        count: this.#startedAt(origin, result),
      })),
    )
  }

  /** Only spans that record: the others' ends are nobody's business. */
  live(): readonly LiveSpanCount[] {
    return [recordOnly, recordAndSample].map((result) => ({
      samplingResult: samplingResults[result] ?? 'DROP',
      count:
        parentOrigins.reduce((sum, _, origin) => sum + this.#startedAt(origin, result), 0) -
        (this.#ended[result] ?? 0),
    }))
  }

  #startedAt(origin: number, result: number): number {
    return this.#started[origin * resultCount + result] ?? 0
  }
}
