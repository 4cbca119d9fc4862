import { AckPolicy, type ConsumerMessages } from '@nats-io/jetstream'
import type { Logger } from 'pino'
import { isTree } from '../config/tree.ts'
import type { Bus } from './bus.ts'
import type { AgentRegistry } from './client.ts'
import { ensureConsumer } from './infrastructure.ts'
import { keysOf } from './kv-names.ts'
import { looksUntilLost, lostMessage, tellLost } from './lost.ts'
import type { ResponseWatch } from './response-watch.ts'
import { retryUntilDone } from './retry.ts'
import type { Claim, JobStore } from './store.ts'
import { claimKey, isJobId, sanitise } from './subjects.ts'

export interface JanitorParts {
  readonly bus: Bus
  readonly store: JobStore
  readonly agents: AgentRegistry
  readonly responses: ResponseWatch
  readonly logger: Logger
  /** How often open jobs are compared with the registry. */
  readonly intervalMs: number
}

/**
 * Tells the outcome of jobs whose worker cannot: of a worker that has left the registry without answering, and of jobs that
 * JetStream has given up delivering. Every API server has one; the first to tell is the one that counts.
 */
export class Janitor {
  readonly #parts: JanitorParts
  readonly #stop = new AbortController()
  /** Claims without a response, by their key. */
  readonly #open = new Map<string, Claim>()
  /** In how many looks in a row their worker was missing: one look may have fallen between two heartbeats. */
  #missedLooks = new Map<string, number>()
  #timer: NodeJS.Timeout | undefined
  #looking = false
  #advisories: ConsumerMessages | undefined

  constructor(parts: JanitorParts) {
    this.#parts = parts
  }

  async start(): Promise<void> {
    const { bus, responses, intervalMs } = this.#parts
    responses.onAny = (id, host) => this.#answered(id, host)
    const claims = await bus.jobs.watch({ key: 'claims.>', ignoreDeletes: true })
    const answered = await keysOf(bus.jsm, bus.names.jobsBucket, 'responses.>')
    void this.#followClaims(claims, new Set(answered.map((key) => key.split('.').slice(1, 3).join('.'))))
    await this.#followAdvisories()
    this.#timer = setInterval(() => void this.#look(), intervalMs)
    this.#timer.unref()
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#stop.abort()
    this.#advisories?.stop()
  }

  async #followClaims(
    claims: Awaited<ReturnType<Bus['jobs']['watch']>>,
    answered: ReadonlySet<string>,
  ): Promise<void> {
    this.#stop.signal.addEventListener('abort', () => claims.stop())
    for await (const entry of claims) {
      if (entry.operation !== 'PUT') continue
      const claim = entry.json<Claim>()
      const [, id = ''] = entry.key.split('.')
      if (!answered.has(`${id}.${sanitise(claim.machine_id)}`)) this.#open.set(entry.key, claim)
    }
  }

  #answered(id: string, host: string): void {
    this.#open.delete(claimKey(id))
    this.#open.delete(claimKey(id, host))
  }

  /** Never rejects. */
  async #look(): Promise<void> {
    if (this.#looking || this.#open.size === 0) return
    this.#looking = true
    try {
      const alive = new Set((await this.#parts.agents.list()).map(({ instance }) => instance))
      const missing = [...this.#open].filter(([, claim]) => !alive.has(claim.instance))
      const before = this.#missedLooks
      this.#missedLooks = new Map(missing.map(([key]) => [key, (before.get(key) ?? 0) + 1]))
      for (const [key, claim] of missing) {
        if ((this.#missedLooks.get(key) ?? 0) >= looksUntilLost) await this.#tell(key, claim)
      }
    } catch (error) {
      this.#parts.logger.warn({ error }, 'open jobs cannot be compared with the registry')
    } finally {
      this.#looking = false
    }
  }

  async #tell(key: string, claim: Claim): Promise<void> {
    const { store, logger } = this.#parts
    const [, id = ''] = key.split('.')
    // A deleted or expired job has nobody left to be told.
    const known = (await store.definition(id)) !== undefined
    const told = known && (await tellLost(store, id, claim))
    this.#open.delete(key)
    if (told) logger.warn({ job_id: id, hostname: claim.hostname }, `job failed: ${lostMessage}`)
  }

  async #followAdvisories(): Promise<void> {
    const { bus, logger } = this.#parts
    const durable = 'osapi-janitor'
    await ensureConsumer(bus.jsm, bus.names.dlqStream, {
      durable_name: durable,
      ack_policy: AckPolicy.Explicit,
      max_deliver: -1,
    })
    const consumer = await bus.js.consumers.get(bus.names.dlqStream, durable)
    const messages = await consumer.consume({ max_messages: 10 })
    this.#advisories = messages
    const follow = async () => {
      for await (const message of messages) {
        const advisory = parseAdvisory(message.string())
        if (advisory !== undefined) {
          await retryUntilDone(() => this.#giveUp(advisory), { signal: this.#stop.signal })
        }
        message.ack()
      }
    }
    follow().catch((error: unknown) => logger.error({ error }, 'dead letters cannot be followed'))
  }

  async #giveUp({ seq, consumer, deliveries }: Advisory): Promise<void> {
    const { bus, store, agents, logger } = this.#parts
    const message = await bus.jsm.streams.getMessage(bus.names.jobsStream, { seq }).catch(() => null)
    const id = message?.string() ?? ''
    if (!isJobId(id) || (await store.definition(id)) === undefined) return
    const owner = (await agents.list()).find((agent) => consumer.endsWith(`_${sanitise(agent.machine_id)}`))
    const host = owner === undefined ? undefined : sanitise(owner.machine_id)
    // Somebody runs it or ran it: then its claim decides.
    if ((await store.claim(claimKey(id))) ?? (host && (await store.claim(claimKey(id, host))))) return
    const worker = owner ?? { machine_id: '_dlq', hostname: '_dlq' }
    const error = `not processed after ${deliveries} deliveries`
    if (await tellLost(store, id, worker, error)) logger.error({ job_id: id, error }, 'job failed')
  }
}

interface Advisory {
  readonly seq: number
  readonly consumer: string
  readonly deliveries: number
}

/** JetStream's advisory of a message that reached max deliveries. */
function parseAdvisory(text: string): Advisory | undefined {
  try {
    const advisory: unknown = JSON.parse(text)
    if (!isTree(advisory)) return undefined
    const { stream_seq: seq, consumer, deliveries } = advisory
    if (typeof seq !== 'number' || typeof consumer !== 'string') return undefined
    return { seq, consumer, deliveries: Number(deliveries) }
  } catch {
    return undefined
  }
}
