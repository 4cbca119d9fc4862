import { NatsServerError } from './errors.ts'
import type { ResolveOptions } from './resolve.ts'

/** How nats-server is to run; those of ResolveOptions say where it is found. */
export interface NatsServerOptions extends ResolveOptions {
  /** Default: 127.0.0.1. */
  readonly host?: string
  /** Default: 0, which lets the system choose a free port. */
  readonly port?: number
  /** Switches JetStream on. Default: true when `storeDir` is given. */
  readonly jetstream?: boolean
  /** JetStream's files. Default: a temporary folder that lives until stop() and through restart(). */
  readonly storeDir?: string
  /** What clients must present. It is handed over in a file that only this user can read. */
  readonly auth?: { readonly user: string; readonly password: string }
  /** HTTP monitoring; 0 lets the system choose. Default: none. */
  readonly monitoringPort?: number
  /** A configuration file of nats-server. Excludes `auth` and `configText`. Host, port and store above overrule it. */
  readonly config?: string
  /** Further lines of configuration. */
  readonly configText?: string
  /** Further command line flags, last. */
  readonly args?: readonly string[]
  /** Gets every line of the server's log, or names the file to which they are appended. Default: dropped. */
  readonly log?: string | ((line: string) => void)
  /** How long a start may take. Default: 10,000. */
  readonly readyTimeoutMs?: number
  /** How long a stop may take before the server is killed. Default: 5,000. */
  readonly stopTimeoutMs?: number
}

export function checkOptions(options: NatsServerOptions): void {
  checkPort('port', options.port)
  checkPort('monitoringPort', options.monitoringPort)
  if (options.config !== undefined && (options.auth !== undefined || options.configText !== undefined)) {
    throw new NatsServerError('invalid_option', 'config: excludes auth and configText; put them in the file')
  }
  if (options.jetstream === false && options.storeDir !== undefined) {
    throw new NatsServerError(
      'invalid_option',
      'storeDir: needs JetStream, which jetstream: false switches off',
    )
  }
}

function checkPort(name: string, port: number | undefined): void {
  if (port === undefined || (Number.isInteger(port) && port >= 0 && port <= 65_535)) return
  throw new NatsServerError('invalid_option', `${name}: got ${port}; allowed: a whole number from 0 to 65535`)
}

/** The generated configuration: what must not stand on a command line that every user of the machine can read. */
export function configTextOf(options: NatsServerOptions): string {
  const lines: string[] = []
  if (options.auth !== undefined) {
    const { user, password } = options.auth
    lines.push(`authorization { user: ${quote(user)}, password: ${quote(password)} }`)
  }
  if (options.configText !== undefined) lines.push(options.configText)
  return `${lines.join('\n')}\n`
}

/** nats-server takes JSON's escapes in double quotes. */
function quote(text: string): string {
  return JSON.stringify(text)
}
