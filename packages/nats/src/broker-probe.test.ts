import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { it } from 'node:test'
import { connect } from '@nats-io/transport-node'
import { supportsTracing } from './broker-events.ts'
import { probeSubject, traceBrokerHops, traceNats } from './index.ts'
import { BrokerSpans } from './testing/broker-spans.ts'

const spans = new BrokerSpans()

it('message tracing begins with 2.11', () => {
  const versions = ['', '2.9.10', '2.10.29', '2.11.0', '2.12.0-dev', '3.0.0', 'unknown']
  assert.deepEqual(versions.map(supportsTracing), [false, false, false, true, true, true, false])
})

it('a server that would deliver the probe, or hand the header on, gets neither', async () => {
  const received: Buffer[] = []
  const old = createServer((socket) => {
    socket.write(
      'INFO {"server_id":"old","version":"2.10.29","headers":true,"max_payload":1048576,"proto":1}\r\n',
    )
    socket.on('error', () => {})
    socket.on('data', (chunk: Buffer) => {
      received.push(chunk)
      for (const _ of chunk.toString().matchAll(/^PING\r$/gm)) socket.write('PONG\r\n')
    })
  }).listen(0, '127.0.0.1')
  await once(old, 'listening')
  const address = old.address()
  assert.ok(address !== null && typeof address === 'object')
  const connection = await connect({ servers: `127.0.0.1:${address.port}`, reconnect: false })
  const result = await probeSubject(connection, 'orders')
  assert.deepEqual(result.answered ? result : result.reason, 'unsupported_server')
  traceNats(connection, { brokerTraceDest: 'hops' }).publish('orders', 'hi')
  const hops = traceBrokerHops(connection, { subject: 'hops' })
  await connection.flush()
  hops.stop()
  await connection.close()
  old.close()
  const text = Buffer.concat(received).toString()
  assert.match(text, /HPUB orders/)
  assert.doesNotMatch(text, /Nats-Trace/)
  assert.deepEqual(
    spans.ended.map(({ name }) => name),
    ['publish orders'],
  )
})
