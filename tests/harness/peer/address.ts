import { platform } from 'node:os'

/**
 * A loopback address of this process alone, where there are such addresses: a port that a test closes, so that it refuses
 * connections, cannot be given to anybody else before the test opens it again.
 */
export const ownAddress: string = platform() === 'linux' ? addressOf(process.pid) : '127.0.0.1'

/** Counted by hand, and away from those that the system gives out for connections. */
let lastPort = 10_000

export function nextPort(): number {
  return ++lastPort
}

function addressOf(pid: number): string {
  // Never 127.0.x.y, where everybody else is.
  return `127.${1 + ((pid >> 16) % 254)}.${(pid >> 8) & 255}.${1 + (pid % 254)}`
}
