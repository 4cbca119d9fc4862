import { NatsServerError } from './errors.ts'
import type { NatsServerOptions } from './options.ts'
import type { NatsServer } from './server.ts'
import { readServerInfo } from './server-info.ts'

/** The handle on a server that somebody else runs. Rejects with `unreachable` when none of the addresses answers. */
export async function externalServer(urls: string, options: NatsServerOptions): Promise<NatsServer> {
  const address = await firstReachable(urls, options.readyTimeoutMs ?? 10_000)
  if (options.jetstream === true && !address.jetstream) {
    throw new NatsServerError('invalid_option', `jetstream: the server at NATS_URL ${address.url} has none`)
  }
  return {
    url: address.url,
    host: address.host,
    port: address.port,
    pid: undefined,
    monitoringUrl: undefined,
    external: true,
    stop: () => Promise.resolve(),
    kill: refuse('kill'),
    restart: refuse('restart'),
    lameDuck: refuse('lameDuck'),
    exited: () => new Promise(() => {}),
  }
}

function refuse(what: string): () => Promise<void> {
  return () => Promise.reject(new NatsServerError('external', `${what}: the server at NATS_URL is not ours`))
}

interface Address {
  readonly url: string
  readonly host: string
  readonly port: number
  readonly jetstream: boolean
}

async function firstReachable(urls: string, timeoutMs: number): Promise<Address> {
  let failure: unknown
  for (const url of urls.split(',').map((part) => part.trim())) {
    try {
      const { hostname, port } = new URL(url.includes('://') ? url : `nats://${url}`)
      const address = { host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? 4222 : Number(port) }
      const info = await readServerInfo({ ...address, timeoutMs })
      return { ...address, url, jetstream: info.jetstream }
    } catch (error) {
      failure = error
    }
  }
  const reason = failure instanceof Error ? failure.message : String(failure)
  throw new NatsServerError('unreachable', `NATS_URL "${urls}": ${reason}`, { cause: failure })
}
