// What the suite takes for its transport: Node's, traced or not.
import { connect as untraced } from '@nats-io/transport-node'
import { traceNats } from '@throughline/nats'

export const connect: typeof untraced =
  process.env['NATS_JS_SUITE_TRACED'] === '1'
    ? async (options) => traceNats(await untraced(options))
    : untraced
