import { type AddressInfo, createServer } from 'node:net'
import { LensError } from './errors.ts'

/** Where one of Lens's three servers listens, in words that its error messages use. */
export interface ListenTarget {
  readonly what: string
  readonly option: string
  readonly flag: string
  readonly host: string
  readonly port: number
}

/** Turns what `listen` fails with into an error that names the port and how to choose another. */
export function listenError(target: ListenTarget, cause: unknown): LensError {
  const text = cause instanceof Error ? cause.message : String(cause)
  const inUse = text.includes('EADDRINUSE') || text.includes('address already in use')
  const change = `choose another with ${target.flag} (option ${target.option}; 0 takes any free port)`
  return inUse
    ? new LensError(
        'port_in_use',
        `${target.what}: port ${target.port} on ${target.host} is in use; ${change}.`,
        {
          cause,
        },
      )
    : new LensError(
        'listen_failed',
        `${target.what}: cannot listen on ${target.host}:${target.port}: ${text}`,
        {
          cause,
        },
      )
}

/** Listens and stops at once. Rejects as listening for good would. */
export function assertCanListen(target: ListenTarget): Promise<void> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', (error) => reject(listenError(target, error)))
    server.listen(target.port, target.host, () => server.close(() => resolve()))
  })
}

export function portOf(address: AddressInfo | string | null): number {
  if (address === null || typeof address === 'string')
    throw new Error(`not a TCP address: ${String(address)}`)
  return address.port
}

/** `host:port` as it stands in a URL. */
export const authority = (host: string, port: number): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
