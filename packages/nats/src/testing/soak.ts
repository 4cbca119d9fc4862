import { once } from 'node:events'
import { AckPolicy, type JetStreamClient, type JsMsg, jetstream, jetstreamManager } from '@nats-io/jetstream'
import { type KV, Kvm } from '@nats-io/kv'
import type { NatsConnection } from '@nats-io/nats-core'
import { type ObjectStore, Objm } from '@nats-io/obj'
import { connect } from '@nats-io/transport-node'
import type { NatsServer } from '@throughline/nats-server'
import { processMessage, traceNats } from '../index.ts'

/** What a soak does in its loops, counted. */
export type SoakCount =
  | 'published'
  | 'publishFailed'
  | 'processed'
  | 'redelivered'
  | 'deadLettered'
  | 'confirmed'
  | 'fetched'
  | 'nexts'
  | 'requests'
  | 'requestFailed'
  | 'slow'
  | 'kvOperations'
  | 'kvSeen'
  | 'objects'
  | 'storeFailed'
  | 'disconnects'
  | 'reconnects'
  | 'restarts'

export interface SoakOptions {
  readonly server: NatsServer
  /** Resolves when the next turn of a loop may come; how long that is, is the caller's. */
  readonly pause: (milliseconds: number) => Promise<void>
  /** Called whenever something was counted. */
  readonly onCount?: () => void
}

const payload = Buffer.alloc(1_024, 'x')
const requestTimeoutMs = 1_000

/**
 * Work as services do it, on one traced connection, until stop(): JetStream messages that are acknowledged, refused,
 * forgotten and given up, batches, requests, slow loops, KV and objects, over server crashes.
 */
export class Soak {
  readonly counts: Record<SoakCount, number> = {
    published: 0,
    publishFailed: 0,
    processed: 0,
    redelivered: 0,
    deadLettered: 0,
    confirmed: 0,
    fetched: 0,
    nexts: 0,
    requests: 0,
    requestFailed: 0,
    slow: 0,
    kvOperations: 0,
    kvSeen: 0,
    objects: 0,
    storeFailed: 0,
    disconnects: 0,
    reconnects: 0,
    restarts: 0,
  }
  readonly #options: SoakOptions
  readonly #connection: NatsConnection
  readonly #js: JetStreamClient
  readonly #kv: KV
  readonly #objects: ObjectStore
  readonly #loops: Promise<void>[] = []
  readonly #stopping = new AbortController()

  private constructor(
    options: SoakOptions,
    parts: { connection: NatsConnection; kv: KV; objects: ObjectStore },
  ) {
    this.#options = options
    this.#connection = parts.connection
    this.#js = jetstream(parts.connection, { timeout: requestTimeoutMs })
    this.#kv = parts.kv
    this.#objects = parts.objects
  }

  static async start(options: SoakOptions): Promise<Soak> {
    const connection = traceNats(
      await connect({ servers: options.server.url, reconnectTimeWait: 20, maxReconnectAttempts: -1 }),
    )
    const manager = await jetstreamManager(connection)
    await manager.streams.add({ name: 'SOAK', subjects: ['soak.>'], max_msgs: 20_000 })
    const kinds = ['work', 'batch', 'single']
    for (const kind of kinds) {
      await manager.consumers.add('SOAK', {
        durable_name: kind,
        filter_subject: `soak.${kind}.*`,
        ack_policy: AckPolicy.Explicit,
        ack_wait: 1_000 * 1e6,
      })
    }
    const js = jetstream(connection, { timeout: requestTimeoutMs })
    const parts = {
      connection,
      kv: await new Kvm(js).create('soak', { history: 3 }),
      objects: await new Objm(js).create('soak'),
    }
    const soak = new Soak(options, parts)
    soak.#run()
    return soak
  }

  /** Ends every loop, and resolves when what was under way has ended too. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#connection.drain()
    await Promise.all(this.#loops)
  }

  /** Ends the server as a crash would, and resolves when the connection is back on a new one. */
  async crash(): Promise<void> {
    const back = this.#status('reconnect')
    await this.#options.server.kill()
    await this.#options.server.restart()
    this.#count('restarts')
    await back
  }

  #count(name: SoakCount): void {
    this.counts[name]++
    this.#options.onCount?.()
  }

  get #running(): boolean {
    return !this.#stopping.signal.aborted
  }

  #run(): void {
    this.#subscribe()
    this.#loops.push(
      this.#watchStatus(),
      this.#publish(),
      this.#consume(),
      this.#fetch(),
      this.#next(),
      this.#request(),
      this.#useKv(),
      this.#watchKv(),
      this.#useObjects(),
    )
  }

  async #status(type: 'reconnect'): Promise<void> {
    for await (const status of this.#connection.status()) if (status.type === type) return
  }

  async #watchStatus(): Promise<void> {
    for await (const { type } of this.#connection.status()) {
      if (type === 'disconnect') this.#count('disconnects')
      if (type === 'reconnect') this.#count('reconnects')
    }
  }

  /** Counts `work`, or its failure: with a server that crashes, everything may fail, and nothing may stay open. */
  async #attempt(done: SoakCount, failed: SoakCount, work: () => Promise<unknown>): Promise<void> {
    try {
      await work()
      this.#count(done)
    } catch {
      this.#count(failed)
    }
  }

  async #publish(): Promise<void> {
    for (let turn = 0; this.#running; turn++) {
      const kind = (['work', 'work', 'work', 'batch', 'single'] as const)[turn % 5]
      await this.#attempt('published', 'publishFailed', () =>
        this.#js.publish(`soak.${kind}.${turn}`, payload, {
          retries: 2,
          msgID: `m${turn - (turn % 50 === 0 ? 1 : 0)}`,
        }),
      )
      if (turn % 500 === 0)
        for (let burst = 0; burst < 200; burst++) this.#connection.publish('slow.one', payload)
      await this.#options.pause(5)
    }
  }

  async #consume(): Promise<void> {
    const consumer = await this.#js.consumers.get('SOAK', 'work')
    const messages = await consumer.consume({ max_messages: 50, expires: 5_000 })
    this.#whenStopping(() => messages.stop())
    for await (const message of messages) {
      if (message.redelivered) this.#count('redelivered')
      await this.#settle(message)
      this.#count('processed')
    }
  }

  async #settle(message: JsMsg): Promise<void> {
    const turn = this.counts.processed
    if (message.info.deliveryCount >= 3) {
      await this.#attempt('deadLettered', 'publishFailed', () =>
        this.#js.publish(
          'soak.dead.letter',
          message.data,
          message.headers === undefined ? {} : { headers: message.headers },
        ),
      )
      message.term()
    } else if (turn % 100 === 7) return
    else if (turn % 10 === 3) message.nak(turn % 20 === 3 ? 20 : undefined)
    else if (turn % 10 === 5) {
      message.working()
      await this.#attempt('confirmed', 'publishFailed', () => message.ackAck())
    } else message.ack()
  }

  async #fetch(): Promise<void> {
    const consumer = await this.#js.consumers.get('SOAK', 'batch')
    for (let turn = 0; this.#running; turn++) {
      try {
        const messages = await consumer.fetch({ max_messages: 10, expires: 1_000 })
        for await (const message of messages) {
          message.ack()
          this.#count('fetched')
          if (turn % 3 === 0) break
        }
      } catch {
        this.#count('requestFailed')
      }
      await this.#options.pause(20)
    }
  }

  async #next(): Promise<void> {
    const consumer = await this.#js.consumers.get('SOAK', 'single')
    while (this.#running) {
      try {
        const message = await consumer.next({ expires: 1_000 })
        if (message === null) continue
        await processMessage(message, { name: 'soak.single' }, async () => {
          await this.#options.pause(1)
          message.ack()
        })
        this.#count('nexts')
      } catch {
        this.#count('requestFailed')
        await this.#options.pause(20)
      }
    }
  }

  #subscribe(): void {
    this.#connection.subscribe('soaked.echo', {
      queue: 'echo',
      callback: (error, message) => {
        if (error === null) message.respond(message.data)
      },
    })
    this.#loops.push(
      (async () => {
        for await (const _ of this.#connection.subscribe('slow.one')) {
          await this.#options.pause(2)
          this.#count('slow')
        }
      })(),
    )
  }

  async #request(): Promise<void> {
    for (let turn = 0; this.#running; turn++) {
      const subject = turn % 20 === 0 ? 'nobody.here' : 'soaked.echo'
      await this.#attempt('requests', 'requestFailed', () =>
        this.#connection.request(subject, payload, { timeout: requestTimeoutMs }),
      )
      await this.#options.pause(25)
    }
  }

  async #useKv(): Promise<void> {
    for (let turn = 0; this.#running; turn++) {
      const key = `key.${turn % 50}`
      await this.#attempt('kvOperations', 'storeFailed', () =>
        turn % 3 === 0
          ? this.#kv.put(key, String(turn))
          : turn % 30 === 1
            ? this.#kv.delete(key)
            : this.#kv.get(key),
      )
      await this.#options.pause(25)
    }
  }

  async #watchKv(): Promise<void> {
    const entries = await this.#kv.watch()
    this.#whenStopping(() => entries.stop())
    for await (const _ of entries) this.#count('kvSeen')
  }

  async #useObjects(): Promise<void> {
    for (let turn = 0; this.#running; turn++) {
      const name = `object ${turn % 5}`
      await this.#attempt('objects', 'storeFailed', () => this.#useObject(name, turn))
      await this.#options.pause(500)
    }
  }

  async #useObject(name: string, turn: number): Promise<void> {
    await this.#objects.putBlob({ name }, Buffer.alloc(300_000, turn))
    // A body of which a chunk is lost in a crash is never read to its end by the client: it is cancelled.
    const result = await this.#objects.get(name)
    if (result === null) return
    const reader = result.data.getReader()
    if (turn % 2 === 1) return reader.cancel()
    const timeout = this.#options.pause(5_000).then(() => reader.cancel())
    const read = (async () => {
      while (!(await reader.read()).done);
    })()
    await Promise.race([read, timeout])
    await result.error
  }

  #whenStopping(stop: () => void): void {
    void once(this.#stopping.signal, 'abort').then(stop)
  }
}
