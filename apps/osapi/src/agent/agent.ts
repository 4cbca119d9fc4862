import { once } from 'node:events'
import { trace } from '@opentelemetry/api'
import type { Logger } from 'pino'
import type { Config } from '../config/index.ts'
import type { AgentStateName } from '../job/agent-info.ts'
import type { Bus } from '../job/bus.ts'
import { rfc3339Nano, unixNano } from '../job/clock.ts'
import { JobStore } from '../job/store.ts'
import type { Component } from '../process/component.ts'
import { hasFactReferences, resolveFactReferences } from '../provider/facts.ts'
import { createProviders, hostSystem, type System } from '../provider/index.ts'
import { Claims } from './claims.ts'
import { ensureJobConsumers, heartbeatMs, type JobConsumer } from './consumers.ts'
import { Heartbeat } from './heartbeat.ts'
import { type Identity, identityOf } from './identity.ts'
import { Intake } from './intake.ts'
import { JobRunner } from './job-runner.ts'
import { createWorkerMetrics, type WorkerMetrics } from './metrics.ts'
import { Slots } from './slots.ts'

/** Within the time that a process has to stop. Jobs that run longer are told as lost, since the worker leaves the registry. */
const stopMsMax = 8_000

export interface AgentOptions {
  readonly config: Config
  readonly bus: Bus
  readonly logger: Logger
  readonly version: string
  /** Default: the host itself. */
  readonly system?: System
  readonly metrics?: WorkerMetrics
}

/** Starts a worker; resolves when it takes jobs. */
export async function startAgent(options: AgentOptions): Promise<Agent> {
  const agent = new Agent(options)
  await agent.start()
  return agent
}

/** A worker: takes the jobs meant for its host, runs them and stores what came of them. */
export class Agent implements Component {
  readonly name = 'node agent'
  readonly identity: Identity
  readonly #options: AgentOptions
  readonly #logger: Logger
  readonly #slots: Slots
  readonly #runner: JobRunner
  readonly #heartbeat: Heartbeat
  readonly #metrics: WorkerMetrics
  /** Nothing new is begun, nobody is waited for. */
  readonly #stopping = new AbortController()
  /** Not even outcomes are stored any more. */
  readonly #end = new AbortController()
  #state: AgentStateName = 'Ready'
  #consumers: readonly JobConsumer[] = []
  #intake: Intake | undefined
  #timer: NodeJS.Timeout | undefined
  #beating = false

  constructor(options: AgentOptions) {
    const { config, bus, logger, version, system = hostSystem() } = options
    this.#options = options
    this.#logger = logger
    this.identity = identityOf(config.agent)
    this.#slots = new Slots(config.agent.max_jobs)
    this.#metrics = options.metrics ?? createWorkerMetrics()
    const { identity } = this
    this.#heartbeat = new Heartbeat({ bus, system, identity, config, version, state: () => this.#state })
    const store = new JobStore({ kv: bus.jobs, jsm: bus.jsm, bucket: bus.names.jobsBucket })
    this.#runner = new JobRunner({
      store,
      claims: new Claims({ store, registry: bus.registry, identity, pollMs: this.#beatMs }),
      providers: createProviders(system, identity.labels),
      resolveFacts: async (data) =>
        hasFactReferences(data) ? resolveFactReferences(data, await this.#heartbeat.facts()) : data,
      identity,
      logger,
      tracer: trace.getTracer('osapi-worker', version),
      metrics: this.#metrics,
      subjectPrefix: bus.names.subjectPrefix,
      version,
      stopping: this.#stopping.signal,
      end: this.#end.signal,
    })
  }

  /** Three heartbeats fit into the time after which the registry forgets. */
  get #beatMs(): number {
    return Math.max(100, Math.floor(this.#options.config.nats.registry.ttl / 3))
  }

  async start(): Promise<void> {
    const { bus, config } = this.#options
    const { machineId, hostname, labels } = this.identity
    const { queue_group, max_jobs } = config.agent
    this.#logger.info(
      { machine_id: machineId, hostname, queue_group, max_jobs, labels },
      'agent configuration',
    )
    this.#consumers = await ensureJobConsumers(bus.jsm, { names: bus.names, identity: this.identity, config })
    await this.#recordEvent('started', `agent ${hostname} started`)
    await this.#beat()
    if (this.#state === 'Ready') this.#openIntake()
    this.#watchReconnects()
    this.#timer = setInterval(() => void this.#beat(), this.#beatMs)
    this.#timer.unref()
  }

  /** Takes nothing more and lets what runs come to its end. */
  async stop(): Promise<void> {
    clearInterval(this.#timer)
    this.#stopping.abort()
    await this.#closeIntake()
    const limit = AbortSignal.timeout(stopMsMax)
    await Promise.race([this.#slots.whenIdle(), once(limit, 'abort')])
    if (this.#slots.taken > 0) this.#logger.warn({ jobs: this.#slots.taken }, 'jobs are left running')
    this.#end.abort()
    await this.#heartbeat.end().catch((error: unknown) => {
      this.#logger.warn({ error }, 'failed to leave the registry')
    })
  }

  get state(): AgentStateName {
    return this.#state
  }

  /** One heartbeat; never rejects. */
  async #beat(): Promise<void> {
    if (this.#beating) return
    this.#beating = true
    try {
      await this.#followDrain()
      await this.#heartbeat.beat()
      this.#metrics.heartbeatAt = Date.now()
    } catch (error) {
      this.#logger.warn({ error }, 'failed to write heartbeat')
    } finally {
      this.#beating = false
    }
  }

  /**
   * The registry may have forgotten this worker while the server was away, and the heartbeat that was under way then
   * waits for an answer that is lost: says at once that it is still there. Never rejects.
   */
  async #reappear(): Promise<void> {
    try {
      await this.#heartbeat.beat()
    } catch (error) {
      this.#logger.warn({ error }, 'failed to write heartbeat')
    }
  }

  /** Ready -> Draining (nothing new is taken) -> Cordoned (nothing runs any more), and back when the mark is gone. */
  async #followDrain(): Promise<void> {
    const mark = await this.#options.bus.state.get(`drain.${this.identity.host}`)
    const drained = mark !== null && mark.operation === 'PUT'
    if (drained && this.#state === 'Ready') {
      this.#state = 'Draining'
      await this.#recordEvent('draining', `agent ${this.identity.hostname} stops taking jobs`)
      await this.#closeIntake()
    }
    if (drained && this.#state === 'Draining' && this.#slots.taken === 0) {
      this.#state = 'Cordoned'
      await this.#recordEvent('cordoned', `agent ${this.identity.hostname} runs no job any more`)
    }
    if (!drained && this.#state !== 'Ready') {
      this.#state = 'Ready'
      await this.#recordEvent('ready', `agent ${this.identity.hostname} takes jobs again`)
      this.#openIntake()
    }
  }

  async #recordEvent(event: string, message: string): Promise<void> {
    const { hostname, host } = this.identity
    const nano = unixNano()
    const entry = { timestamp: rfc3339Nano(nano), event, hostname, message }
    await this.#options.bus.state.put(`timeline.${host}.${event}.${nano}`, JSON.stringify(entry))
    this.#logger.info({ event }, message)
  }

  #openIntake(): void {
    const { bus, config } = this.#options
    if (this.#stopping.signal.aborted) return
    this.#intake = new Intake({
      js: bus.js,
      stream: bus.names.jobsStream,
      consumers: this.#consumers,
      runner: this.#runner,
      slots: this.#slots,
      logger: this.#logger,
      heartbeatMs: heartbeatMs(config.agent.consumer),
    })
  }

  async #closeIntake(): Promise<void> {
    const intake = this.#intake
    this.#intake = undefined
    await intake?.stop()
  }

  #watchReconnects(): void {
    const watch = async () => {
      for await (const status of this.#options.bus.nc.status()) {
        if (this.#end.signal.aborted) return
        if (status.type !== 'reconnect') continue
        this.#intake?.repull()
        void this.#reappear()
      }
    }
    watch().catch((error: unknown) => this.#logger.error({ error }, 'nats status cannot be watched'))
  }
}
