import { after, before } from 'node:test'
import { connect, type NatsConnection, type NodeConnectionOptions } from '@nats-io/transport-node'
import {
  type Attributes,
  type Context,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api'
import type { ReadableSpan, SpanProcessor } from '@opentelemetry/sdk-trace-base'
import { type NatsServer, startNatsServer } from '@throughline/nats-server'
import { type NatsTracingOptions, traceNats } from '../index.ts'

/** A tracer under which the contract is tried: registers its provider, context manager and W3C propagator globally. */
export interface Harness {
  readonly name: string
  register(processor: SpanProcessor): void
}

/** A span as the contract speaks of it. */
export interface SpanView {
  readonly name: string
  readonly kind: string
  readonly traceId: string
  readonly spanId: string
  readonly parentId: string | undefined
  readonly linkIds: readonly string[]
  readonly attributes: Attributes
  readonly error: string | undefined
  readonly exceptions: number
}

/** All that has started and ended; tests wait for the end of a span instead of sleeping. */
export class Spans implements SpanProcessor {
  started = 0
  ended: SpanView[] = []
  #waiting: { readonly count: number; readonly resolve: () => void } | undefined

  reset(): void {
    this.started = 0
    this.ended = []
  }

  /** Resolves with the first `count` ended spans, by name. */
  async wait(count: number): Promise<readonly SpanView[]> {
    if (this.ended.length < count) {
      await new Promise<void>((resolve) => {
        this.#waiting = { count, resolve }
      })
    }
    return this.ended
  }

  named(name: string): SpanView {
    const found = this.ended.filter((span) => span.name === name)
    const [first] = found
    if (first === undefined || found.length > 1) {
      throw new Error(`${found.length} spans named "${name}" among: ${this.names().join(', ')}`)
    }
    return first
  }

  names(): string[] {
    return this.ended.map((span) => span.name)
  }

  onStart(): void {
    this.started++
  }

  onEnd(span: ReadableSpan): void {
    this.ended.push({
      name: span.name,
      kind: SpanKind[span.kind],
      traceId: span.spanContext().traceId,
      spanId: span.spanContext().spanId,
      parentId: span.parentSpanContext?.spanId,
      linkIds: span.links.map((link) => link.context.spanId),
      attributes: span.attributes,
      error: span.status.code === SpanStatusCode.ERROR ? (span.status.message ?? '') : undefined,
      exceptions: span.events.filter((event) => event.name === 'exception').length,
    })
    const waiting = this.#waiting
    if (waiting !== undefined && this.ended.length >= waiting.count) {
      this.#waiting = undefined
      waiting.resolve()
    }
  }

  forceFlush(): Promise<void> {
    return Promise.resolve()
  }

  shutdown(): Promise<void> {
    return Promise.resolve()
  }
}

/** What the tests of one suite share: a real server, an untraced and a traced connection, the spans. */
export class World {
  readonly spans: Spans = new Spans()
  readonly #harness: Harness
  #server: NatsServer | undefined
  #untraced: NatsConnection | undefined
  #traced: NatsConnection | undefined
  #subjects = 0

  constructor(harness: Harness) {
    this.#harness = harness
    before(() => this.#start())
    after(() => this.#stop())
  }

  get server(): NatsServer {
    return defined(this.#server)
  }

  get untraced(): NatsConnection {
    return defined(this.#untraced)
  }

  get traced(): NatsConnection {
    return defined(this.#traced)
  }

  get tracer(): Tracer {
    return trace.getTracer('test')
  }

  /** Another connection, with tracing options of its own. */
  async connect(
    options?: NatsTracingOptions,
    connectOptions: NodeConnectionOptions = { reconnect: false },
  ): Promise<NatsConnection> {
    return traceNats(await connect({ servers: this.server.url, ...connectOptions }), options)
  }

  /** A subject of the test's own. */
  subject(): string {
    this.#subjects++
    return `test.s${this.#subjects}`
  }

  /** Runs `body` inside a span named `root`. */
  inRoot<T>(body: () => Promise<T>): Promise<T> {
    return this.tracer.startActiveSpan('root', async (span) => {
      try {
        return await body()
      } finally {
        span.end()
      }
    })
  }

  async #start(): Promise<void> {
    this.#harness.register(this.spans)
    this.#server = await startNatsServer({ jetstream: true, env: { PATH: process.env['PATH'] } })
    this.#untraced = await connect({ servers: this.server.url })
    this.#traced = await this.connect()
  }

  async #stop(): Promise<void> {
    await this.#traced?.close()
    await this.#untraced?.close()
    await this.#server?.stop()
  }
}

export function activeSpanId(within?: Context): string | undefined {
  const span = within === undefined ? trace.getActiveSpan() : trace.getSpan(within)
  return span?.spanContext().spanId
}

/** Promise.withResolvers, which Node 20 lacks. */
export function deferred(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve: () => void = unresolved
  const promise = new Promise<void>((settle) => {
    resolve = settle
  })
  return { promise, resolve: () => resolve() }
}

function unresolved(): void {}

/** Array.fromAsync, which Node 20 lacks. */
export async function collect<T>(iterable: AsyncIterable<T>): Promise<T[]> {
  const collected: T[] = []
  for await (const item of iterable) collected.push(item)
  return collected
}

function defined<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('the suite has not started')
  return value
}
