// What the suite takes for its transport: Node's, traced or not.
import { type ConnectionOptions, connect as untraced } from '@nats-io/transport-node'
import { traceNats } from '@throughline/nats'

const isTraced = process.env['NATS_JS_SUITE_TRACED'] === '1'

export async function connect(options?: ConnectionOptions): ReturnType<typeof untraced> {
  const connection = await untraced(atHome(options))
  return isTraced ? traceNats(connection) : connection
}

/** Some tests want a server on the internet; any will do. */
function atHome(options: ConnectionOptions | undefined): ConnectionOptions | undefined {
  if (options?.servers === undefined) return options
  const servers = [options.servers]
    .flat()
    .map((one) => one.replace(/^(nats:\/\/)?demo\.nats\.io(:4222)?$/, demo))
  return { ...options, servers: typeof options.servers === 'string' ? (servers[0] ?? '') : servers }
}

const demo = process.env['NATS_JS_SUITE_DEMO'] ?? 'demo.nats.io'
