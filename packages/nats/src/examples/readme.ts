// The example of the README; it is compiled with the package and run by its tests.
import { jetstream } from '@nats-io/jetstream'
import { Kvm } from '@nats-io/kv'
import { connect } from '@nats-io/transport-node'
import { processMessage, traceNats } from '@throughline/nats'

export async function main(servers: string): Promise<string> {
  const nc = traceNats(await connect({ servers }), {
    destinationTemplate: (subject) => (subject.startsWith('orders.') ? 'orders.{id}' : undefined),
  })
  const js = jetstream(nc)
  const kv = await new Kvm(nc).create('orders')

  const manager = await js.jetstreamManager()
  await manager.streams.add({ name: 'ORDERS', subjects: ['orders.*'] })
  await manager.consumers.add('ORDERS', { durable_name: 'billing' })

  await js.publish('orders.4711', 'paid') // PRODUCER `publish orders.{id}`, ends with the server's ack

  const consumer = await js.consumers.get('ORDERS', 'billing')
  for await (const message of await consumer.consume()) {
    // CONSUMER `process orders.{id}`: child of the publish span and linked to it; the body runs inside of it
    await kv.put('last', message.string()) // CLIENT `kv.put orders`
    message.ack()
    break
  }

  await js.publish('orders.4712', 'sent')
  const message = await consumer.next()
  if (message !== null) {
    // A span with a name and attributes of your own; it ends with the handler, and records what that throws.
    await processMessage(message, { name: 'job.process', attributes: { 'job.id': '4712' } }, async () => {
      await message.ackAck()
    })
  }
  const last = await kv.get('last') // CLIENT `kv.get orders`, linked to the writer
  await nc.drain()
  return last?.string() ?? ''
}
