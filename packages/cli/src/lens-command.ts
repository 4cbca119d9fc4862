import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { type Lens, LensError, startLens } from '@throughline/lens'
import { fail } from './output.ts'

export interface LensFlags {
  readonly port: number
  readonly otlpGrpcPort: number
  readonly otlpHttpPort: number
  readonly host: string
  readonly dataDir?: string
  readonly memory: boolean
  readonly retentionHours: number
}

/** Starts Lens and stays until SIGINT or SIGTERM, then writes everything and ends with 0. */
export async function runLens(flags: LensFlags): Promise<void> {
  if (flags.memory && flags.dataDir !== undefined)
    return fail('--memory and --data-dir exclude each other: choose one.')
  const { memory, dataDir: given, ...options } = flags
  const dataDir = memory ? ':memory:' : (given ?? defaultDataDir())
  let lens: Lens
  try {
    lens = await startLens({ ...options, dataDir })
  } catch (error) {
    if (error instanceof LensError) return fail(error.message)
    throw error
  }
  stopOnSignal(lens)
  process.stdout.write(banner(lens, { flags, dataDir }))
}

/** https://specifications.freedesktop.org/basedir-spec/latest/ */
function defaultDataDir(): string {
  const base = process.env['XDG_DATA_HOME']
  return join(base && isAbsolute(base) ? base : join(homedir(), '.local', 'share'), 'throughline', 'lens')
}

function stopOnSignal(lens: Lens): void {
  let stopping = false
  const stop = (signal: NodeJS.Signals): void => {
    // Somebody who presses Ctrl-C twice does not want to wait.
    if (stopping) process.exit(signal === 'SIGINT' ? 130 : 143)
    stopping = true
    lens.stop().catch((error: unknown) => fail(`stopping failed: ${String(error)}`))
  }
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
}

function banner(
  lens: Lens,
  { flags, dataDir }: { readonly flags: LensFlags; readonly dataDir: string },
): string {
  const host = flags.host.includes(':') ? `[${flags.host}]` : flags.host
  const data = dataDir === ':memory:' ? 'in memory' : dataDir
  const lines = [
    'Lens is ready. Ctrl-C stops it.',
    `  page and API  ${lens.url}`,
    `  OTLP/gRPC     http://${host}:${lens.grpcPort}`,
    `  OTLP/HTTP     http://${host}:${lens.httpPort}`,
    `  data          ${data}, kept for ${flags.retentionHours} h`,
  ]
  return `${lines.join('\n')}\n`
}
