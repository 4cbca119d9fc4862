import type { OpenSpans } from '@throughline/trace'
import { checkedInteger } from './option-checks.ts'

/** What becomes of spans that have not ended. */
export interface OpenSpanOptions {
  /** The list that the tracer provider keeps. */
  readonly list: OpenSpans
  /**
   * With a spool: spans that are open for longer than this are kept there, and told of as interrupted by the next process if
   * this one is killed. Looked at once a second. Default 1,000.
   */
  readonly afterMs?: number
  /**
   * Exports them as pending too, beside the whole span later. For receivers that know what that means, as Lens does; others
   * show two spans. Default false.
   */
  readonly export?: boolean
}

export interface OpenSpanConfig {
  readonly list: OpenSpans
  readonly afterMs: number
  readonly isExported: boolean
}

export function resolveOpenSpans(options: OpenSpanOptions | undefined): OpenSpanConfig | undefined {
  if (options === undefined) return undefined
  return {
    list: options.list,
    afterMs: checkedInteger('openSpans.afterMs', options.afterMs ?? 1_000, 0),
    isExported: options.export === true,
  }
}
