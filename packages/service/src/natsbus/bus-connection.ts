import type { ConnectionOptions, NatsConnection } from '@nats-io/nats-core'
import { connect } from '@nats-io/transport-node'
import { BusError } from './bus-error.ts'

/** How the bus reaches NATS. */
export interface BusConnectionOptions {
  /** `nats://host:port`, or several. */
  readonly servers: string | readonly string[]
  /** Shown by the server. */
  readonly name?: string | undefined
  /** Any other option of the client, for example for authentication. */
  readonly connection?: ConnectionOptions | undefined
}

/** Waits for a server that is not there yet; tries 10 times, 2 s apart, to come back to one that went away. */
export async function connectBus({
  servers,
  name,
  connection,
}: BusConnectionOptions): Promise<NatsConnection> {
  if (servers.length === 0)
    throw new BusError('invalid_option', 'servers is empty; nats://host:port is needed')
  return connect({
    servers: typeof servers === 'string' ? servers : [...servers],
    ...(name !== undefined && { name }),
    waitOnFirstConnect: true,
    maxReconnectAttempts: 10,
    reconnectTimeWait: 2_000,
    ...connection,
  })
}
