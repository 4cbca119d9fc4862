import type { JetStreamManager } from '@nats-io/jetstream'
import type { KV } from '@nats-io/kv'
import { rfc3339Nano, unixNano } from './clock.ts'
import { keysOf, removeKeys } from './kv-names.ts'
import type { JobDefinition, JobEvent, JobEventName, JobResponse } from './model.ts'
import { type EventKey, type JobRecord, parseEventKey } from './state.ts'
import { claimKey, definitionKey, eventKey, responseKey } from './subjects.ts'

/** Who may run a job: written before it runs, never rewritten. `instance` is the worker process's. */
export interface Claim {
  readonly machine_id: string
  readonly hostname: string
  readonly instance: string
  readonly timestamp: string
}

export interface NewEvent {
  readonly id: string
  readonly event: JobEventName
  /** The host part of the key. */
  readonly host: string
  readonly hostname: string
  readonly data?: Readonly<Record<string, unknown>>
}

/** The entries of jobs in their bucket. */
export class JobStore {
  readonly #kv: KV
  readonly #jsm: JetStreamManager
  readonly #bucket: string

  constructor(parts: { readonly kv: KV; readonly jsm: JetStreamManager; readonly bucket: string }) {
    this.#kv = parts.kv
    this.#jsm = parts.jsm
    this.#bucket = parts.bucket
  }

  /** The text of a definition, or undefined when there is none: it is the reader who knows what is well formed. */
  async definitionText(id: string): Promise<string | undefined> {
    const entry = await this.#kv.get(definitionKey(id))
    return entry === null || entry.operation !== 'PUT' ? undefined : entry.string()
  }

  putDefinition(definition: JobDefinition): Promise<number> {
    return this.#kv.put(definitionKey(definition.id), JSON.stringify(definition))
  }

  async appendEvent({ id, event, host, hostname, data = {} }: NewEvent): Promise<void> {
    const nano = unixNano()
    const entry: JobEvent = {
      job_id: id,
      event,
      hostname,
      timestamp: rfc3339Nano(nano),
      unix_nano: Number(nano),
      data,
    }
    await this.#kv.put(eventKey(id, event, host, nano), JSON.stringify(entry))
  }

  /** May be repeated with the same time, which is part of the key. */
  async putResponse(host: string, response: JobResponse, nano: bigint): Promise<void> {
    await this.#kv.put(responseKey(response.job_id, host, nano), JSON.stringify(response))
  }

  /** The response of a host that cannot answer any more. False when somebody has told it before. */
  async createLostResponse(host: string, response: JobResponse): Promise<boolean> {
    return created(this.#kv.create(responseKey(response.job_id, host, 0), JSON.stringify(response)))
  }

  /** True when the job is now this one's to run, false when there is a claim already. */
  createClaim(key: string, claim: Claim): Promise<boolean> {
    return created(this.#kv.create(key, JSON.stringify(claim)))
  }

  async claim(key: string): Promise<Claim | undefined> {
    const entry = await this.#kv.get(key)
    return entry === null || entry.operation !== 'PUT' ? undefined : entry.json<Claim>()
  }

  /** Keys of the events of one job, or of all jobs. */
  async eventKeys(id = '*'): Promise<readonly EventKey[]> {
    const keys = await keysOf(this.#jsm, this.#bucket, `status.${id}.>`)
    return keys.map(parseEventKey).filter((key) => key !== undefined)
  }

  async responseHosts(id: string): Promise<readonly string[]> {
    const keys = await keysOf(this.#jsm, this.#bucket, `responses.${id}.>`)
    return keys.map((key) => key.split('.')[2] ?? '')
  }

  /** Ids of all jobs, in no order. */
  async ids(): Promise<readonly string[]> {
    const keys = await keysOf(this.#jsm, this.#bucket, 'jobs.*')
    return keys.map((key) => key.slice('jobs.'.length))
  }

  async responses(id: string): Promise<JobRecord['responses']> {
    const keys = await keysOf(this.#jsm, this.#bucket, `responses.${id}.>`)
    const found = await Promise.all(keys.map((key) => this.#json<JobResponse>(key)))
    return keys.flatMap((key, index) => {
      const response = found[index]
      return response === undefined ? [] : [[key.split('.')[2] ?? '', response] as const]
    })
  }

  async definition(id: string): Promise<JobDefinition | undefined> {
    return this.#json<JobDefinition>(definitionKey(id))
  }

  /** Everything about a job, or undefined when it has no definition (any more). */
  async record(id: string): Promise<JobRecord | undefined> {
    const [definition, keys, responses] = await Promise.all([
      this.definition(id),
      keysOf(this.#jsm, this.#bucket, `status.${id}.>`),
      this.responses(id),
    ])
    if (definition === undefined) return undefined
    const events = await Promise.all(keys.map((key) => this.#json<JobEvent>(key)))
    return {
      definition,
      events: events.filter((event) => event !== undefined),
      eventKeys: keys.map(parseEventKey).filter((key) => key !== undefined),
      responses,
    }
  }

  /** Removes a job with all that belongs to it. False when it had no definition. */
  async remove(id: string): Promise<boolean> {
    const removed = await removeKeys(this.#jsm, this.#bucket, definitionKey(id))
    for (const filter of [`status.${id}.>`, `responses.${id}.>`, claimKey(id), `${claimKey(id)}.>`]) {
      await removeKeys(this.#jsm, this.#bucket, filter)
    }
    return removed > 0
  }

  async #json<T>(key: string): Promise<T | undefined> {
    const entry = await this.#kv.get(key)
    if (entry === null || entry.operation !== 'PUT') return undefined
    try {
      return entry.json<T>()
    } catch {
      return undefined
    }
  }
}

/** A KV create that another one has forestalled is an answer; other failures are thrown on. */
async function created(creation: Promise<number>): Promise<boolean> {
  try {
    await creation
    return true
  } catch (error) {
    if (error instanceof Error && /wrong last sequence/i.test(error.message)) return false
    throw error
  }
}
