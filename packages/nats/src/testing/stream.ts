import assert from 'node:assert/strict'
import { before } from 'node:test'
import {
  AckPolicy,
  type Consumer,
  type ConsumerConfig,
  type JetStreamClient,
  type JetStreamManager,
  jetstream,
  jetstreamManager,
} from '@nats-io/jetstream'
import { tracedJetstream } from '../index.ts'
import type { SpanView, World } from './harness.ts'

/** A stream that the tests of one suite share, with an untraced manager and a traced client. */
export class Stream {
  readonly name: string
  readonly #world: World
  #manager: JetStreamManager | undefined
  #js: JetStreamClient | undefined
  #consumers = 0

  constructor(world: World, name: string) {
    this.#world = world
    this.name = name
    before(async () => {
      this.#manager = await jetstreamManager(world.untraced)
      await this.#manager.streams.add({ name, subjects: [`${name.toLowerCase()}.>`] })
      this.#js = tracedJetstream(jetstream(world.traced))
    })
  }

  get manager(): JetStreamManager {
    assert.ok(this.#manager)
    return this.#manager
  }

  get js(): JetStreamClient {
    assert.ok(this.#js)
    return this.#js
  }

  /** A traced durable consumer of a subject of its own; its making leaves no spans. */
  async consumer(
    config: Partial<ConsumerConfig> = {},
  ): Promise<{ subject: string; name: string; consumer: Consumer }> {
    this.#consumers++
    const name = `c${this.#consumers}`
    const subject = `${this.name.toLowerCase()}.${name}`
    await this.manager.consumers.add(this.name, {
      durable_name: name,
      ack_policy: AckPolicy.Explicit,
      filter_subject: subject,
      ...config,
    })
    const consumer = await this.js.consumers.get(this.name, name)
    this.#world.spans.reset()
    return { subject, name, consumer }
  }

  /** Resolves when the server has heard of every message of the consumer; acks are not answered. */
  async settled(consumer: string): Promise<void> {
    for (let rounds = 0; rounds < 10_000; rounds++) {
      const info = await this.manager.consumers.info(this.name, consumer)
      if (info.num_pending + info.num_ack_pending === 0) return
    }
    assert.fail(`messages of ${consumer} are never settled`)
  }

  /** Publishes with the traced client, one message for each text; gives the ids of the PRODUCER spans, and forgets them. */
  async publish(subject: string, texts: readonly string[]): Promise<string[]> {
    for (const text of texts) await this.js.publish(subject, text)
    const published = this.#world.spans.ended.filter((span) => span.name === `publish ${subject}`)
    assert.equal(published.length, texts.length)
    this.#world.spans.reset()
    return published.map((span) => span.spanId)
  }
}

/** The spans of a kind, in the order in which they ended. */
export function ofKind(spans: readonly SpanView[], kind: string): SpanView[] {
  return spans.filter((span) => span.kind === kind)
}
