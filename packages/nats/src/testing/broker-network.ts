import { once } from 'node:events'
import { createServer } from 'node:net'
import { connect, type NatsConnection } from '@nats-io/transport-node'
import { type NatsServer, startNatsServer } from '@throughline/nats-server'

/** Two servers in a cluster, a leaf node on the second, and an account that imports a stream of the other. */
export interface BrokerNetwork {
  readonly first: NatsServer
  readonly second: NatsServer
  readonly leaf: NatsServer
  connect(server: 'first' | 'second' | 'leaf', account?: 'app' | 'other'): Promise<NatsConnection>
  stop(): Promise<void>
}

/** With `traceDest` the servers trace each sampled message of the account app, the leaf node excepted. */
export async function startBrokerNetwork(binary: string, traceDest?: string): Promise<BrokerNetwork> {
  const [firstRoutes, secondRoutes, leafs] = [await freePort(), await freePort(), await freePort()]
  const env = { PATH: process.env['PATH'] }
  const start = (name: string, configText: string, jetstream = false): Promise<NatsServer> =>
    startNatsServer({ binary, env, jetstream, configText: `server_name: ${name}\n${configText}` })
  const first = await start('first', `${accounts(traceDest)}\n${cluster(firstRoutes, secondRoutes)}`)
  const second = await start(
    'second',
    `${accounts(traceDest)}\n${cluster(secondRoutes, firstRoutes)}\nleafnodes { listen: "127.0.0.1:${leafs}" }`,
  )
  const leaf = await start('leaf', `leafnodes { remotes: [{ url: "nats://app:p@127.0.0.1:${leafs}" }] }`)
  const servers = { first, second, leaf }
  const connections: NatsConnection[] = []
  return {
    ...servers,
    async connect(server, account = 'app') {
      const login = server === 'leaf' ? undefined : { user: account, pass: 'p' }
      const connection = await connect({
        servers: servers[server].url,
        name: `${account} on ${server}`,
        ...login,
      })
      connections.push(connection)
      return connection
    },
    async stop() {
      for (const connection of connections) await connection.close()
      for (const server of [leaf, second, first]) await server.stop()
    },
  }
}

/** One server with JetStream and the account app. */
export function startBrokerStore(binary: string): Promise<NatsServer> {
  return startNatsServer({
    binary,
    env: { PATH: process.env['PATH'] },
    jetstream: true,
    configText: 'server_name: store',
  })
}

function accounts(traceDest: string | undefined): string {
  const trace = traceDest === undefined ? '' : `msg_trace { dest: "${traceDest}" }`
  return `
    accounts {
      APP {
        users: [{ user: app, password: p }]
        ${trace}
        exports: [{ stream: "pub.>" }]
        mappings: { "old.x": "pub.x" }
      }
      OTHER {
        users: [{ user: other, password: p }]
        imports: [{ stream: { account: APP, subject: "pub.>" }, to: "in.>", allow_trace: true }]
      }
      SYS { users: [{ user: sys, password: p }] }
    }
    system_account: SYS`
}

function cluster(own: number, other: number): string {
  return `cluster { name: C, listen: "127.0.0.1:${own}", routes: ["nats://127.0.0.1:${other}"] }`
}

/** The servers must know each other's before they start. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}
