import assert from 'node:assert/strict'
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, it } from 'node:test'
import type * as JetStream from '@nats-io/jetstream'
import { jetstream } from '@nats-io/jetstream'
import { connect, type NatsConnection } from '@nats-io/transport-node'
import { SpanKind } from '@opentelemetry/api'
import type { ReadableSpan } from '@opentelemetry/sdk-trace-base'
import { type NatsServer, startNatsServer } from '@throughline/nats-server'
import { TracerProvider } from '@throughline/trace'
import { tracedJetstream, traceNats } from './index.ts'

const require = createRequire(import.meta.url)
let server: NatsServer
let traced: NatsConnection
let plain: NatsConnection
let folder: string
let names: string[] = []

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'nats-copies-'))
  server = await startNatsServer({ jetstream: true, env: { PATH: process.env['PATH'] } })
  new TracerProvider({
    spanProcessors: [
      {
        onStart: () => {},
        onEnd: (span: ReadableSpan) => void names.push(`${SpanKind[span.kind]} ${span.name}`),
        forceFlush: () => Promise.resolve(),
        shutdown: () => Promise.resolve(),
      },
    ],
  }).register()
  plain = await connect({ servers: server.url })
  traced = traceNats(await connect({ servers: server.url }))
  const manager = await jetstream(plain).jetstreamManager()
  await manager.streams.add({ name: 'S', subjects: ['s'] })
})
after(async () => {
  await traced.close()
  await plain.close()
  await server.stop()
  rmSync(folder, { recursive: true })
})

/** Another copy of the JetStream package below `scope`, loaded after the connection was wrapped. */
function copyBelow(scope: string): typeof JetStream {
  const original = dirname(dirname(require.resolve('@nats-io/jetstream')))
  const modules = join(folder, scope, 'node_modules')
  const copy = join(modules, scope, 'jetstream')
  mkdirSync(join(modules, '@nats-io'), { recursive: true })
  cpSync(original, copy, { recursive: true })
  symlinkSync(join(dirname(original), 'nats-core'), join(modules, '@nats-io', 'nats-core'))
  return require(join(copy, 'lib', 'mod.js')) as typeof JetStream
}

async function spansOf(client: JetStream.JetStreamClient): Promise<string[]> {
  names = []
  await client.publish('s', 'x')
  return names
}

it('import and require find one client, traced on a traced connection only', async () => {
  const required = require('@nats-io/jetstream') as typeof JetStream
  assert.equal(required.jetstream, jetstream)
  assert.deepEqual(await spansOf(jetstream(traced)), ['PRODUCER publish s'])
  assert.deepEqual(await spansOf(jetstream(plain)), [])
})

it('a second copy, loaded after the connection was wrapped, is traced as the first', async () => {
  const copy = copyBelow('@nats-io')
  assert.notEqual(copy.jetstream, jetstream)
  assert.deepEqual(await spansOf(copy.jetstream(traced)), ['PRODUCER publish s'])
  assert.deepEqual(await spansOf(copy.jetstream(plain)), [])
})

it('a copy that cannot be found carries the context in a request, and is traced by its wrapper', async () => {
  const copy = copyBelow('bundled')
  assert.deepEqual(await spansOf(copy.jetstream(traced)), ['CLIENT request s'])
  assert.deepEqual(await spansOf(tracedJetstream(copy.jetstream(traced))), ['PRODUCER publish s'])
  assert.deepEqual(await spansOf(copy.jetstream(plain)), [])
})

it('a hooked class looks like the client’s own', () => {
  const prototype: object = Object.getPrototypeOf(jetstream(plain))
  const descriptor = Object.getOwnPropertyDescriptor(prototype, 'publish')
  assert.ok(descriptor)
  const { enumerable, writable, configurable } = descriptor
  assert.deepEqual([enumerable, writable, configurable], [false, true, true])
  const { name, length } = descriptor.value as { name: string; length: number }
  assert.deepEqual([name, length], ['publish', 1])
})
