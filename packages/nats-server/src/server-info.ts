import { connect } from 'node:net'
import { NatsServerError } from './errors.ts'

/** What a NATS server says of itself on connect, as far as this package needs it. */
export interface ServerInfo {
  readonly version: string
  readonly jetstream: boolean
}

/** Connects, reads the INFO line that every NATS server writes first, hangs up. Rejects with `unreachable`. */
export function readServerInfo(address: {
  readonly host: string
  readonly port: number
  readonly timeoutMs: number
}): Promise<ServerInfo> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address.host, port: address.port })
    const where = `${address.host}:${address.port}`
    const fail = (reason: string): void => {
      socket.destroy()
      reject(new NatsServerError('unreachable', `no NATS server at ${where}: ${reason}`))
    }
    let received = ''
    socket.setTimeout(address.timeoutMs, () => fail(`no INFO within ${address.timeoutMs} ms`))
    socket.on('error', (error) => fail(error.message))
    socket.on('close', () => fail('closed before INFO'))
    socket.on('data', (chunk: Buffer) => {
      received += chunk.toString('latin1')
      const end = received.indexOf('\r\n')
      if (end < 0 && received.length < infoSizeMax) return
      const info = parseInfo(received.slice(0, end))
      if (info === undefined) return fail('it does not speak NATS')
      socket.removeAllListeners()
      socket.on('error', () => {})
      socket.destroy()
      resolve(info)
    })
  })
}

const infoSizeMax = 1 << 20

function parseInfo(line: string): ServerInfo | undefined {
  if (!line.startsWith('INFO ')) return undefined
  try {
    const info = JSON.parse(line.slice('INFO '.length)) as { version?: unknown; jetstream?: unknown }
    const version = typeof info.version === 'string' ? info.version : ''
    return { version, jetstream: info.jetstream === true }
  } catch {
    return undefined
  }
}
