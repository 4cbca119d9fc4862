import type { JsMsg } from '@nats-io/jetstream'
import type { Span, Tracer } from '@opentelemetry/api'
import { processMessage } from '@throughline/nats'
import type { Logger } from 'pino'
import { unixNano } from '../job/clock.ts'
import type { JobEventName, JobResponse, ResponseStatus } from '../job/model.ts'
import { retryUntilDone } from '../job/retry.ts'
import type { JobStore } from '../job/store.ts'
import { isJobId, kindOf, parseSubject } from '../job/subjects.ts'
import { type Providers, UnsupportedError } from '../provider/index.ts'
import type { Claims } from './claims.ts'
import type { Identity } from './identity.ts'
import type { WorkerMetrics } from './metrics.ts'
import { type ParsedJob, parseJob } from './parse-job.ts'
import { failSpan, inSpan } from './spans.ts'

export interface RunnerParts {
  readonly store: JobStore
  readonly claims: Claims
  readonly providers: Providers
  /** Replaces `@fact.…` in the data of an operation. */
  readonly resolveFacts: (data: unknown) => Promise<unknown>
  readonly identity: Identity
  readonly logger: Logger
  readonly tracer: Tracer
  readonly metrics: WorkerMetrics
  readonly subjectPrefix: string
  readonly version: string
  /** Aborted when nothing new may be begun. */
  readonly stopping: AbortSignal
  /** Aborted when not even outcomes may be waited for. */
  readonly end: AbortSignal
}

/** How a message is answered: done with, never to be delivered again, or once more after a while. */
export type Disposition = 'ack' | 'term' | 'retry' | 'none'

interface Outcome {
  readonly status: ResponseStatus
  readonly data?: unknown
  readonly changed?: boolean
  readonly error?: string
  readonly cause?: unknown
}

interface Job extends Partial<ParsedJob> {
  readonly id: string
  readonly target: string
}

/** Runs the job of a message, once, and stores what came of it. */
export class JobRunner {
  readonly #parts: RunnerParts
  /** By id: a message that is delivered again while its job runs here waits for it. */
  readonly #running = new Map<string, Promise<Disposition>>()

  constructor(parts: RunnerParts) {
    this.#parts = parts
  }

  /** Never rejects. The message itself is answered by the caller. */
  run(message: JsMsg): Promise<Disposition> {
    const id = message.string()
    const running = this.#running.get(id)
    if (running !== undefined) return running
    const done = processMessage(message, { name: 'job.process' }, async (span) => {
      try {
        return await this.#process(message, id, span)
      } catch (error) {
        this.#parts.logger.error({ error }, 'job processing failed')
        failSpan(span, error)
        return 'retry'
      }
    }).finally(() => this.#running.delete(id))
    this.#running.set(id, done)
    return done
  }

  async #process(message: JsMsg, id: string, span: Span): Promise<Disposition> {
    const { logger, store, claims, stopping, subjectPrefix } = this.#parts
    const subject = parseSubject(message.subject, subjectPrefix)
    if (subject === undefined || !isJobId(id)) {
      return this.#refuse(span, `malformed message on ${message.subject}`)
    }
    logger.info({ subject: message.subject, job_key: `jobs.${id}` }, 'received job notification')
    const { target } = subject
    span.setAttributes({ 'job.id': id, 'job.target': target, 'job.attempt': message.info.deliveryCount })
    const text = await store.definitionText(id)
    if (text === undefined) return this.#refuse(span, `job not found: ${id}`)
    const decision = await claims.decide(id, target, stopping)
    if (decision === 'stopped') return 'none'
    if (decision === 'settled') {
      logger.info({ job_id: id }, 'job has an outcome already')
      return 'ack'
    }
    const parsed = parseJob(text)
    if ('error' in parsed) {
      await this.#finish({ id, target }, { status: 'failed', error: parsed.error }, span)
      return 'ack'
    }
    await this.#perform({ id, target, ...parsed }, message.subject, span)
    return 'ack'
  }

  #refuse(span: Span, reason: string): Disposition {
    this.#parts.logger.error({ error: reason }, 'job processing failed')
    failSpan(span, new Error(reason))
    return 'term'
  }

  async #perform(job: Job & ParsedJob, subject: string, span: Span): Promise<void> {
    const { logger, metrics, version } = this.#parts
    const { id, type, category, operation } = job
    span.setAttributes({ 'job.category': category, 'job.operation': operation, 'job.type': type })
    const started = performance.now()
    metrics.active.inc()
    try {
      // The events are written while the provider works: only the claim had to be there before.
      const acknowledged = this.#event(job, 'acknowledged', { subject, category, operation })
      logger.info({ job_id: id, type, category, operation }, 'processing job')
      const begun = acknowledged.then(() =>
        this.#event(job, 'started', { agent_version: version, pid: process.pid }),
      )
      const outcome = await this.#execute(job)
      await begun
      await this.#finish(job, outcome, span, Math.round(performance.now() - started))
      metrics.processed.inc({ status: outcome.status })
    } finally {
      metrics.active.dec()
      metrics.duration.observe((performance.now() - started) / 1000)
    }
  }

  async #execute(job: Job & ParsedJob): Promise<Outcome> {
    const { logger, providers, resolveFacts, tracer } = this.#parts
    const { category, operation } = job
    logger.debug({ category, operation }, 'dispatching to provider')
    try {
      const handler = providers.handler(category, operation)
      const [provider = category] = handler.name.split('.')
      const attributes = { 'provider.name': provider, 'job.id': job.id, 'job.type': job.type }
      const data = await inSpan(tracer, 'provider.execute', attributes, async () => {
        const input = await resolveFacts(job.data)
        logger.debug(`executing ${handler.name}`)
        return handler.run(input)
      })
      const changed = kindOf(job.type) === 'modify' ? changedOf(data) : undefined
      return { status: 'completed', data, ...(changed === undefined ? {} : { changed }) }
    } catch (cause) {
      const error = cause instanceof Error ? cause.message : String(cause)
      return { status: cause instanceof UnsupportedError ? 'skipped' : 'failed', error, cause }
    }
  }

  /** Stores the response, then the terminal event: whoever sees the event finds the response. */
  async #finish(job: Job, outcome: Outcome, span: Span, durationMs = 0): Promise<void> {
    const { store, tracer, identity, end, logger } = this.#parts
    const { status, error } = outcome
    span.setAttribute('job.status', status)
    if (status === 'failed') failSpan(span, outcome.cause ?? new Error(error))
    const nano = unixNano()
    const response: JobResponse = {
      job_id: job.id,
      status,
      ...(outcome.data === undefined ? {} : { data: outcome.data }),
      ...(error === undefined ? {} : { error }),
      ...(outcome.changed === undefined ? {} : { changed: outcome.changed }),
      hostname: identity.hostname,
      timestamp: new Date().toISOString(),
    }
    await inSpan(tracer, 'job.result.write', { 'job.id': job.id, 'job.status': status }, async () => {
      await retryUntilDone(() => store.putResponse(identity.host, response, nano), {
        signal: end,
        onError: (cause) => logger.warn({ error: cause }, 'failed to write response, trying again'),
      })
      await this.#event(job, status, {
        duration_ms: durationMs,
        ...(error === undefined ? { result_size: JSON.stringify(outcome.data ?? null).length } : { error }),
      })
    })
    this.#log(job, outcome)
  }

  #log({ id, category, operation }: Job, { status, error }: Outcome): void {
    const { logger } = this.#parts
    if (status === 'completed') logger.info({ job_id: id, status }, 'job processing completed')
    if (status === 'failed') logger.error({ job_id: id, category, operation, error }, 'job processing failed')
    if (status === 'skipped') {
      logger.warn({ job_id: id, category, operation, error }, 'job skipped: unsupported on this OS family')
    }
  }

  /** An event that cannot be written is logged and stops nothing. */
  async #event(job: Job, event: JobEventName, data: Readonly<Record<string, unknown>>): Promise<void> {
    const { store, identity, logger } = this.#parts
    try {
      await store.appendEvent({ id: job.id, event, host: identity.host, hostname: identity.hostname, data })
    } catch (error) {
      logger.error({ error }, `failed to write ${event} event`)
    }
  }
}

function changedOf(data: unknown): boolean | undefined {
  if (typeof data !== 'object' || data === null || !('changed' in data)) return undefined
  return typeof data.changed === 'boolean' ? data.changed : undefined
}
