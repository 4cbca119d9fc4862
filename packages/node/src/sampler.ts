import {
  alwaysOffSampler,
  alwaysOnSampler,
  parentBasedSampler,
  type Sampler,
  traceIdRatioSampler,
} from '@throughline/trace'
import { invalidValue, type ValueSource } from './config-error.ts'
import { type Environment, environmentSource, readText } from './environment.ts'

const allowedSamplers =
  'always_on, always_off, traceidratio, parentbased_always_on, parentbased_always_off, parentbased_traceidratio, ' +
  'name:ratio, or a bare ratio from 0 to 1'
const allowedRatio = 'a number from 0 to 1'

/** OTEL_TRACES_SAMPLER with OTEL_TRACES_SAMPLER_ARG; undefined where neither says anything. */
export function samplerFromEnvironment(env: Environment): Sampler | undefined {
  const argument = readText(env, 'OTEL_TRACES_SAMPLER_ARG')
  const text =
    readText(env, 'OTEL_TRACES_SAMPLER') ?? (argument === undefined ? undefined : 'parentbased_traceidratio')
  if (text === undefined) return undefined
  return parseSampler({
    text,
    argument,
    source: environmentSource('OTEL_TRACES_SAMPLER'),
    argumentSource: environmentSource('OTEL_TRACES_SAMPLER_ARG'),
  })
}

export interface SamplerText {
  readonly text: string
  readonly argument?: string | undefined
  readonly source: ValueSource
  readonly argumentSource?: ValueSource
}

/**
 * A sampler by name, in any case and with `-` for `_`; `traceidratio:0.1` gives the ratio in line, and a bare number is
 * a parent-based ratio. Ratio samplers without a ratio take 1.
 */
export function parseSampler({ text, argument, source, argumentSource = source }: SamplerText): Sampler {
  const colon = text.indexOf(':')
  const name = (colon < 0 ? text : text.slice(0, colon)).trim().toLowerCase().replaceAll('-', '_')
  const inline = colon < 0 ? undefined : text.slice(colon + 1)
  const ratio = () =>
    inline === undefined ? parseRatio(argument ?? '1', argumentSource) : parseRatio(inline, source)
  if (inline !== undefined && !name.endsWith('traceidratio'))
    throw invalidValue(source, text, allowedSamplers)

  switch (name) {
    case 'always_on':
      return alwaysOnSampler()
    case 'always_off':
      return alwaysOffSampler()
    case 'traceidratio':
      return traceIdRatioSampler(ratio())
    case 'parentbased_always_on':
      return parentBasedSampler({ root: alwaysOnSampler() })
    case 'parentbased_always_off':
      return parentBasedSampler({ root: alwaysOffSampler() })
    case 'parentbased_traceidratio':
      return parentBasedSampler({ root: traceIdRatioSampler(ratio()) })
    default:
      if (!isNumberText(text)) throw invalidValue(source, text, allowedSamplers)
      return parentBasedSampler({ root: traceIdRatioSampler(parseRatio(text, source)) })
  }
}

function parseRatio(text: string, source: ValueSource): number {
  const ratio = isNumberText(text) ? Number(text) : Number.NaN
  if (ratio >= 0 && ratio <= 1) return ratio
  throw invalidValue(source, text, allowedRatio)
}

function isNumberText(text: string): boolean {
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text.trim())
}
