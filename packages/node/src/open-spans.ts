import { OpenSpans } from '@throughline/trace'
import { invalidValue } from './config-error.ts'
import { type Environment, readChoice, readWholeNumber } from './environment.ts'

/** What is told of spans before they end. */
export interface OpenSpansChoice {
  /** A span that is open for longer is kept in the spool. Default 1,000. Environment: THROUGHLINE_OPEN_SPANS_AFTER_MS. */
  readonly afterMs?: number | undefined
  /**
   * Exports it as pending too, and the whole span when it has ended: for Lens; other receivers would show two spans.
   * Default false. Environment: THROUGHLINE_OPEN_SPANS=export.
   */
  readonly export?: boolean | undefined
  /** At most so many open spans are watched; with one more the oldest is forgotten. Default 10,000. */
  readonly openSpansMax?: number | undefined
}

export interface OpenSpanSettings {
  readonly list: OpenSpans
  readonly afterMs?: number
  readonly export: boolean
}

const choices = ['off', 'on', 'export'] as const

/** Undefined: off, which is the default without a spool. */
export function openSpanSettings(
  choice: OpenSpansChoice | boolean | undefined,
  { env, hasSpool }: { readonly env: Environment; readonly hasSpool: boolean },
): OpenSpanSettings | undefined {
  const said = readChoice(env, ['THROUGHLINE_OPEN_SPANS'], choices) ?? (hasSpool ? 'on' : 'off')
  const isOn = choice === undefined ? said !== 'off' : choice !== false
  const options = typeof choice === 'object' ? choice : {}
  const afterMs = options.afterMs ?? readWholeNumber(env, 'THROUGHLINE_OPEN_SPANS_AFTER_MS')
  const { openSpansMax } = options
  if (
    openSpansMax !== undefined &&
    !(Number.isInteger(openSpansMax) && openSpansMax >= 1 && openSpansMax <= 1e6)
  )
    throw invalidValue(
      { code: 'invalid_option', key: 'openSpans.openSpansMax' },
      String(openSpansMax),
      'a whole number from 1 to 1000000',
    )
  if (!isOn) return undefined
  return {
    list: new OpenSpans(openSpansMax === undefined ? {} : { openSpansMax }),
    ...(afterMs !== undefined && { afterMs }),
    export: options.export ?? said === 'export',
  }
}
