import type { QueueFullPolicy, SpoolMode, SpoolOptions } from '@throughline/exporter'
import { invalidValue } from './config-error.ts'
import {
  type Environment,
  environmentSource,
  readBoolean,
  readChoice,
  readText,
  readWholeNumber,
} from './environment.ts'

/** The spool; `dir` may come from the environment. */
export interface SpoolChoice extends Omit<SpoolOptions, 'dir'> {
  /** Environment: THROUGHLINE_SPOOL_DIR. Naming a folder turns the spool on. */
  readonly dir?: string
}

/** What becomes of spans that cannot be delivered at once; each beats its THROUGHLINE_* variable. */
export interface DeliveryOptions {
  /**
   * Keeps what is not delivered on disk, for this process or the next: `{ dir, mode, bytesMax, ageMsMax, … }`. False: no
   * spool, whatever the environment says. Environment: THROUGHLINE_SPOOL_DIR, _MODE, _BYTES_MAX, _AGE_MS_MAX, _FLUSHER.
   */
  readonly spool?: SpoolChoice | false | undefined
  /** Longest wait for the collector at the natural end of the process. Default 3,000. Environment: THROUGHLINE_EXIT_TIMEOUT_MS. */
  readonly exitTimeoutMs?: number | undefined
  /**
   * The same on process.exit, an uncaught error or a signal, where the thread is blocked meanwhile. Default 1,000.
   * Environment: THROUGHLINE_ABRUPT_EXIT_TIMEOUT_MS.
   */
  readonly abruptExitTimeoutMs?: number | undefined
  /** Signals before whose end spans are saved. Default SIGTERM, SIGINT, SIGHUP. Environment: THROUGHLINE_EXIT_SIGNALS (a list, or `none`). */
  readonly exitSignals?: readonly NodeJS.Signals[] | undefined
  /** Bytes of encoded spans that may wait in memory. Default 64 MiB. Environment: THROUGHLINE_QUEUE_BYTES_MAX. */
  readonly queueBytesMax?: number | undefined
  /** What gives way then, and in a full spool. Default: with a spool the oldest, else the newest. Environment: THROUGHLINE_QUEUE_FULL. */
  readonly queueFull?: QueueFullPolicy | undefined
}

export interface DeliverySettings {
  readonly spool?: SpoolOptions
  readonly exitTimeoutMs?: number
  readonly abruptExitTimeoutMs?: number
  readonly signals?: readonly NodeJS.Signals[]
  readonly queueBytesMax?: number
  readonly queueFull?: QueueFullPolicy
}

const modes: readonly SpoolMode[] = ['off', 'on-failure', 'always']
const policies: readonly QueueFullPolicy[] = ['drop-newest', 'drop-oldest']
const signalNames = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR2', 'SIGBREAK'] as const

/** Options of the exporter about waiting, spooling and ending; the exporter checks their ranges. */
export function deliverySettings(options: DeliveryOptions, env: Environment): DeliverySettings {
  return defined({
    spool: spoolOf(options.spool, env),
    exitTimeoutMs: options.exitTimeoutMs ?? readWholeNumber(env, 'THROUGHLINE_EXIT_TIMEOUT_MS'),
    abruptExitTimeoutMs:
      options.abruptExitTimeoutMs ?? readWholeNumber(env, 'THROUGHLINE_ABRUPT_EXIT_TIMEOUT_MS'),
    signals: options.exitSignals ?? signalsOf(env),
    queueBytesMax: options.queueBytesMax ?? readWholeNumber(env, 'THROUGHLINE_QUEUE_BYTES_MAX', 1024 * 1024),
    queueFull: options.queueFull ?? readChoice(env, ['THROUGHLINE_QUEUE_FULL'], policies),
  })
}

function spoolOf(choice: SpoolChoice | false | undefined, env: Environment): SpoolOptions | undefined {
  if (choice === false) return undefined
  const dir = choice?.dir ?? readText(env, 'THROUGHLINE_SPOOL_DIR')
  const fromEnvironment = defined({
    mode: readChoice(env, ['THROUGHLINE_SPOOL_MODE'], modes),
    bytesMax: readWholeNumber(env, 'THROUGHLINE_SPOOL_BYTES_MAX', 1024 * 1024),
    ageMsMax: readWholeNumber(env, 'THROUGHLINE_SPOOL_AGE_MS_MAX', 1),
    flusher: readBoolean(env, 'THROUGHLINE_SPOOL_FLUSHER'),
  })
  if (dir !== undefined) return { ...fromEnvironment, ...choice, dir }
  if (choice === undefined || choice.mode === 'off') return undefined
  throw invalidValue(
    { code: 'invalid_option', key: 'spool.dir' },
    'undefined',
    'a folder, here or in THROUGHLINE_SPOOL_DIR',
  )
}

function signalsOf(env: Environment): readonly NodeJS.Signals[] | undefined {
  const key = 'THROUGHLINE_EXIT_SIGNALS'
  const text = readText(env, key)
  if (text === undefined) return undefined
  if (text.toLowerCase() === 'none') return []
  return text.split(',').map((part) => {
    const signal = signalNames.find((name) => name === part.trim().toUpperCase())
    if (signal === undefined)
      throw invalidValue(environmentSource(key), part.trim(), `none, ${signalNames.join(', ')}`)
    return signal
  })
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> }

function defined<T extends object>(values: T): Defined<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Defined<T> // Only what is undefined was left out.
}
