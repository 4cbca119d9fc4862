import { type Context, trace } from '@opentelemetry/api'
import { type SpanIdentity, sampledFlag } from './identified-span.ts'
import { idsFromHex, spanFromSpanContext } from './non-recording-span.ts'
import { type Sampler, SamplingDecision, type SamplingResult } from './sampler.ts'
import { invalidOption } from './trace-error.ts'
import type { IdWords } from './words.ts'

/**
 * The short way to a decision, for samplers that need no more than the parent and the new ids: no hex is made and no
 * attributes object. `parent` is undefined for a root span; `ids` holds the trace id of the span to be.
 */
export type FastDecision = (parent: SpanIdentity | undefined, ids: Readonly<IdWords>) => boolean

class BuiltInSampler implements Sampler {
  readonly decide: FastDecision
  readonly #description: string

  constructor(description: string, decide: FastDecision) {
    this.#description = description
    this.decide = decide
  }

  shouldSample(context: Context, traceId: string): SamplingResult {
    // A span id is not looked at by any of these; 1 stands for "there is one".
    const ids = idsFromHex(traceId, '0000000000000001')
    return ids !== undefined && this.decide(parentOf(context), ids) ? recordAndSampled : notRecorded
  }

  toString(): string {
    return this.#description
  }
}

const recordAndSampled: SamplingResult = { decision: SamplingDecision.RECORD_AND_SAMPLED }
const notRecorded: SamplingResult = { decision: SamplingDecision.NOT_RECORD }

/** The short way of a sampler, if it has one. */
export function fastDecisionOf(sampler: Sampler): FastDecision | undefined {
  return sampler instanceof BuiltInSampler ? sampler.decide : undefined
}

/** Every span. */
export function alwaysOnSampler(): Sampler {
  return new BuiltInSampler('AlwaysOnSampler', () => true)
}

/** No span. */
export function alwaysOffSampler(): Sampler {
  return new BuiltInSampler('AlwaysOffSampler', () => false)
}

/**
 * A fixed share of all traces, the same ones in every process with the same ratio: a trace is taken when the last 56
 * bits of its id, as a number, are not below (1 - ratio) * 2^56. That is the rule of OpenTelemetry's consistent
 * probability sampling, and 56 bits are what the W3C random flag promises.
 * https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/
 *
 * @param ratio 0 (none) to 1 (all); anything else throws a TraceError.
 */
export function traceIdRatioSampler(ratio: number): Sampler {
  if (typeof ratio !== 'number' || !(ratio >= 0 && ratio <= 1)) {
    throw invalidOption('traceIdRatioSampler ratio', ratio, 'a number from 0 to 1')
  }
  // 56 bits do not fit a double: the threshold is compared as 24 upper and 32 lower bits.
  const threshold = BigInt(Math.round((1 - ratio) * 2 ** 56))
  const upperThreshold = Number(threshold >> 32n)
  const lowerThreshold = Number(threshold & 0xffff_ffffn)
  return new BuiltInSampler(`TraceIdRatioBased{${ratio}}`, (_parent, ids) => {
    const upper = ids.traceId2 & 0xff_ffff
    if (upper !== upperThreshold) return upper > upperThreshold
    return ids.traceId3 >>> 0 >= lowerThreshold
  })
}

/** One sampler for each kind of parent; only `root` is required. */
export interface ParentBasedSamplerOptions {
  /** Decides for spans without a parent. */
  readonly root: Sampler
  /** Default: always on. */
  readonly remoteParentSampled?: Sampler
  /** Default: always off. */
  readonly remoteParentNotSampled?: Sampler
  /** Default: always on. */
  readonly localParentSampled?: Sampler
  /** Default: always off. */
  readonly localParentNotSampled?: Sampler
}

/** Does as the parent did: one delegate for each kind of parent. */
export function parentBasedSampler(options: ParentBasedSamplerOptions): Sampler {
  if (typeof options?.root?.shouldSample !== 'function') {
    throw invalidOption('parentBasedSampler root', options?.root, 'a Sampler')
  }
  const delegates: Delegates<Sampler> = {
    root: options.root,
    remoteSampled: options.remoteParentSampled ?? alwaysOnSampler(),
    remoteNotSampled: options.remoteParentNotSampled ?? alwaysOffSampler(),
    localSampled: options.localParentSampled ?? alwaysOnSampler(),
    localNotSampled: options.localParentNotSampled ?? alwaysOffSampler(),
  }
  const description =
    `ParentBased{root=${delegates.root.toString()}, remoteParentSampled=${delegates.remoteSampled.toString()}, ` +
    `remoteParentNotSampled=${delegates.remoteNotSampled.toString()}, localParentSampled=${delegates.localSampled.toString()}, ` +
    `localParentNotSampled=${delegates.localNotSampled.toString()}}`
  const decisions = fastDecisions(delegates)
  if (decisions !== undefined) {
    return new BuiltInSampler(description, (parent, ids) => delegateFor(decisions, parent)(parent, ids))
  }
  return {
    shouldSample: (context, ...rest) =>
      delegateFor(delegates, parentOf(context)).shouldSample(context, ...rest),
    toString: () => description,
  }
}

interface Delegates<T> {
  readonly root: T
  readonly remoteSampled: T
  readonly remoteNotSampled: T
  readonly localSampled: T
  readonly localNotSampled: T
}

function delegateFor<T>(delegates: Delegates<T>, parent: SpanIdentity | undefined): T {
  if (parent === undefined) return delegates.root
  const sampled = (parent.traceFlags & sampledFlag) !== 0
  if (parent.isRemote) return sampled ? delegates.remoteSampled : delegates.remoteNotSampled
  return sampled ? delegates.localSampled : delegates.localNotSampled
}

/** Undefined unless every delegate has the short way. */
function fastDecisions(delegates: Delegates<Sampler>): Delegates<FastDecision> | undefined {
  const root = fastDecisionOf(delegates.root)
  const remoteSampled = fastDecisionOf(delegates.remoteSampled)
  const remoteNotSampled = fastDecisionOf(delegates.remoteNotSampled)
  const localSampled = fastDecisionOf(delegates.localSampled)
  const localNotSampled = fastDecisionOf(delegates.localNotSampled)
  if (!root || !remoteSampled || !remoteNotSampled || !localSampled || !localNotSampled) return undefined
  return { root, remoteSampled, remoteNotSampled, localSampled, localNotSampled }
}

function parentOf(context: Context): SpanIdentity | undefined {
  const spanContext = trace.getSpanContext(context)
  return spanContext === undefined ? undefined : spanFromSpanContext(spanContext)
}
