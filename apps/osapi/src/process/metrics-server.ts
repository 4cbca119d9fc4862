import { once } from 'node:events'
import { createServer } from 'node:http'
import type { MetricsConfig } from '../config/index.ts'

export interface MetricsServer {
  readonly port: number
  stop(): Promise<void>
}

export interface MetricsSource {
  /** The Prometheus text. */
  readonly metrics: () => Promise<string>
  /** Why the process cannot serve, or undefined when it can. */
  readonly unreadiness: () => Promise<string | undefined>
}

/** Serves `/metrics`, `/health` and `/health/ready` on the port of a process; undefined where that is switched off. */
export async function startMetricsServer(
  { enabled, host, port }: MetricsConfig,
  source: MetricsSource,
): Promise<MetricsServer | undefined> {
  if (!enabled) return undefined
  const server = createServer((request, response) => {
    answer(request.url ?? '/', source)
      .catch((error: unknown) => json(500, { error: error instanceof Error ? error.message : String(error) }))
      .then(({ status, type, body }) => {
        response.writeHead(status, { 'content-type': type }).end(body)
      })
      .catch(() => response.destroy())
  })
  server.listen(port, host)
  try {
    await once(server, 'listening')
  } catch (error) {
    throw new Error(`metrics server cannot listen on ${host}:${port}`, { cause: error })
  }
  server.unref()
  const address = server.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : port,
    stop: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

interface Answer {
  readonly status: number
  readonly type: string
  readonly body: string
}

async function answer(url: string, source: MetricsSource): Promise<Answer> {
  switch (url.split('?', 1)[0]) {
    case '/metrics':
      return { status: 200, type: 'text/plain; version=0.0.4; charset=utf-8', body: await source.metrics() }
    case '/health':
      return json(200, { status: 'ok' })
    case '/health/ready': {
      const error = await source.unreadiness()
      return error === undefined ? json(200, { status: 'ready' }) : json(503, { status: 'not_ready', error })
    }
    default:
      return json(404, { error: 'not found' })
  }
}

function json(status: number, body: unknown): Answer {
  return { status, type: 'application/json', body: JSON.stringify(body) }
}
