import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { type Attributes, context, trace } from '@opentelemetry/api'
import { withSendAttributes } from '@throughline/nats'
import type { Logger } from 'pino'
import type { AgentInfo } from './agent-info.ts'
import { answerTimeoutMs } from './answer-timeout.ts'
import type { Bus } from './bus.ts'
import { type AgentRegistry, type JobClient, JobError } from './client.ts'
import { rfc3339 } from './clock.ts'
import { createJobQueries } from './job-queries.ts'
import type { JobDefinition, JobOutcome, JobResponse, Operation } from './model.ts'
import { isNamed } from './nats-registry.ts'
import type { ResponseWatch } from './response-watch.ts'
import { retryUntilDone } from './retry.ts'
import { apiHost } from './state.ts'
import type { JobStore } from './store.ts'
import {
  isBroadcast,
  isJobId,
  jobSubject,
  kindOf,
  labelMatches,
  parseSubject,
  routeOf,
  sanitise,
} from './subjects.ts'

export interface JobClientParts {
  readonly bus: Bus
  readonly store: JobStore
  readonly agents: AgentRegistry
  readonly responses: ResponseWatch
  readonly logger: Logger
  /** How long a request waits for its answers, unless its operation says that it may take longer. */
  readonly timeoutMs: number
}

export function createJobClient(parts: JobClientParts): JobClient {
  const { bus, store, agents, logger } = parts
  const publisher = new Publisher(parts)
  const client: JobClient = {
    ...createJobQueries({ bus, store }),
    run: (operation, target) =>
      isBroadcast(target)
        ? client.publishAndCollect(operation, target)
        : client.publishAndWait(operation, target),
    publishAndWait: (operation, target) => publisher.wait(operation, target),
    publishAndCollect: async (operation, target) => {
      const expected = await expectedAgents(agents, target, logger)
      if (expected?.length === 0) throw new JobError('no_agents', `no agents match target "${target}"`)
      return publisher.collect(operation, target, expected)
    },
    add: async (operation, target) => {
      const job = await publisher.prepare(operation, target)
      const revision = await publisher.send(job)
      return { job_id: job.id, status: 'created', revision, timestamp: job.created }
    },
    retry: async (given, target) => {
      const id = /^\d+$/.test(given) ? await idOfSequence(bus, Number(given)) : given
      const old = await store.definition(id)
      if (old === undefined) throw new JobError('job_not_found', `job not found: ${id}`)
      const created = await client.add(old.operation, target)
      const data = { new_job_id: created.job_id, target_hostname: target }
      await publisher.event(id, 'retried', data)
      return created
    },
  }
  return client
}

/** What the publish span says of a job, as the spans of the worker do. */
function jobAttributes({ id, subject, operation }: JobDefinition, { names }: Bus): Attributes {
  const target = parseSubject(subject, names.subjectPrefix)?.target
  return { 'job.id': id, 'job.type': operation.type, ...(target !== undefined && { 'job.target': target }) }
}

class Publisher {
  readonly #parts: JobClientParts

  constructor(parts: JobClientParts) {
    this.#parts = parts
  }

  async prepare(operation: Operation, target: string): Promise<JobDefinition> {
    const { bus, agents, logger } = this.#parts
    const known =
      target.startsWith('_') || isBroadcast(target) ? target : await hostOf(agents, target, logger)
    const subject = jobSubject(bus.names.subjectPrefix, kindOf(operation.type), routeOf(known))
    const id = randomUUID()
    // The span of the request: the API's part of a job is found by the job's id, as the worker's is.
    trace.getActiveSpan()?.setAttributes({ 'job.id': id, 'job.type': operation.type, 'job.target': target })
    return { id, status: 'unprocessed', created: rfc3339(), subject, operation }
  }

  /** Stores the job, then publishes its id; both may be done twice. Resolves with the definition's revision. */
  async send(
    job: JobDefinition,
    signal: AbortSignal = AbortSignal.timeout(this.#parts.timeoutMs),
  ): Promise<number> {
    const { bus, store, logger } = this.#parts
    const { id, subject } = job
    try {
      const revision = await retryUntilDone(() => store.putDefinition(job), { signal })
      logger.debug({ key: `jobs.${id}`, job_id: id }, 'kv.put')
      // The event may be late, but must not make the job late.
      const submitted = this.event(id, 'submitted')
      // JetStream drops what it has got with this id already, so that trying again sends nothing twice.
      await withSendAttributes(jobAttributes(job, bus), () =>
        retryUntilDone(() => bus.js.publish(subject, id, { msgID: id }), { signal }),
      )
      await submitted
      return revision
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause)
      throw new JobError('unavailable', `failed to publish job: ${reason}`, { jobId: id, cause })
    }
  }

  async event(
    id: string,
    event: 'submitted' | 'retried',
    data: Readonly<Record<string, unknown>> = {},
  ): Promise<void> {
    try {
      await this.#parts.store.appendEvent({ id, event, host: apiHost, hostname: apiHost, data })
    } catch (error) {
      this.#parts.logger.warn({ error, job_id: id }, `failed to write ${event} event`)
    }
  }

  async wait(operation: Operation, target: string): Promise<JobOutcome> {
    const { logger } = this.#parts
    const timeoutMs = answerTimeoutMs(operation, this.#parts.timeoutMs)
    const job = await this.prepare(operation, target)
    const answers = this.#collectFor({ id: job.id, timeoutMs }, () => true)
    logger.info({ job_id: job.id, subject: job.subject, type: operation.type }, 'publishing job request')
    try {
      await this.send(job, answers.signal)
      await answers.done
    } finally {
      answers.close()
    }
    const [response] = answers.received.values()
    if (response === undefined) {
      throw new JobError(
        'timeout',
        'failed to publish and wait: timeout waiting for job response: context deadline exceeded',
        { jobId: job.id, cause: new Error(`no answer within ${timeoutMs} ms`) },
      )
    }
    logger.info({ job_id: job.id, status: response.status }, 'received job response')
    if (response.status === 'failed') {
      throw new JobError('job_failed', `job failed: ${response.error ?? 'unknown error'}`, { jobId: job.id })
    }
    return { job_id: job.id, responses: [response] }
  }

  async collect(
    operation: Operation,
    target: string,
    expected: readonly AgentInfo[] | undefined,
  ): Promise<JobOutcome> {
    const { logger } = this.#parts
    const job = await this.prepare(operation, target)
    const missing = (received: ReadonlyMap<string, JobResponse>) =>
      expected?.filter((agent) => ![...received.keys()].some((host) => isHost(agent, host))) ?? []
    const timeoutMs = answerTimeoutMs(operation, this.#parts.timeoutMs)
    const answers = this.#collectFor({ id: job.id, timeoutMs }, (received, host) => {
      const { hostname = host, status } = received.get(host) ?? {}
      logger.info({ job_id: job.id, hostname, status }, 'received broadcast response')
      return expected !== undefined && missing(received).length === 0
    })
    const { subject } = job
    logger.info({ job_id: job.id, subject, type: operation.type }, 'publishing broadcast job request')
    try {
      await this.send(job, answers.signal)
      await answers.done
    } finally {
      answers.close()
    }
    if (answers.received.size === 0) {
      const reason = 'timeout waiting for broadcast responses: no agents responded'
      throw new JobError('no_agents', reason, { jobId: job.id })
    }
    const silent = missing(answers.received).map((agent) => silentResponse(job.id, agent))
    const responses = [...answers.received.values(), ...silent]
    return { job_id: job.id, responses: responses.toSorted(byHostname) }
  }

  /** `done` resolves when `isComplete` says so or the time is up, at which `signal` is aborted. */
  #collectFor(
    { id, timeoutMs }: { readonly id: string; readonly timeoutMs: number },
    isComplete: (received: ReadonlyMap<string, JobResponse>, host: string) => boolean,
  ) {
    const received = new Map<string, JobResponse>()
    const limit = new AbortController()
    const finished = new AbortController()
    const done = once(finished.signal, 'abort')
    const timer = setTimeout(() => {
      limit.abort()
      finished.abort()
    }, timeoutMs)
    // Responses come out of the watch's context; what is said of them belongs to the request's.
    const take = context.bind(context.active(), (host: string, response: JobResponse) => {
      received.set(host, response)
      if (isComplete(received, host)) finished.abort()
    })
    const forget = this.#parts.responses.expect(id, take)
    const close = () => {
      clearTimeout(timer)
      forget()
    }
    return { received, done, signal: limit.signal, close }
  }
}

/** Undefined when the registry cannot be read: then there is nobody to wait for in particular. */
async function expectedAgents(
  agents: AgentRegistry,
  target: string,
  logger: Logger,
): Promise<readonly AgentInfo[] | undefined> {
  try {
    const ready = (await agents.list()).filter(({ state }) => state === 'Ready')
    return target === '_all' ? ready : ready.filter(({ labels }) => labelMatches(labels, target))
  } catch (error) {
    logger.warn({ error }, 'failed to list agents for broadcast count, using full timeout')
    return undefined
  }
}

/** The machine id of a hostname; what the registry does not know is taken as it is. */
async function hostOf(agents: AgentRegistry, target: string, logger: Logger): Promise<string> {
  try {
    return (await agents.list()).find((agent) => isNamed(agent, target))?.machine_id ?? target
  } catch (error) {
    logger.warn({ error, target }, 'failed to look the target up, using it as it is')
    return target
  }
}

function isHost(agent: AgentInfo, host: string): boolean {
  return sanitise(agent.machine_id) === host || sanitise(agent.hostname) === host
}

/** Answers come in any order; people compare two calls line by line. */
function byHostname(one: JobResponse, other: JobResponse): number {
  return one.hostname < other.hostname ? -1 : Number(one.hostname > other.hostname)
}

function silentResponse(id: string, agent: AgentInfo): JobResponse {
  return {
    job_id: id,
    status: 'failed',
    error: 'timeout: agent did not respond',
    hostname: agent.hostname,
    timestamp: new Date().toISOString(),
  }
}

/** The job of a message in the jobs stream, whose number the advisories of the DLQ have. */
async function idOfSequence(bus: Bus, seq: number): Promise<string> {
  const message = await bus.jsm.streams.getMessage(bus.names.jobsStream, { seq }).catch(() => null)
  const id = message?.string() ?? ''
  if (!isJobId(id))
    throw new JobError('job_not_found', `job not found: no message ${seq} in ${bus.names.jobsStream}`)
  return id
}
