import { existsSync } from 'node:fs'
import { join } from 'node:path'
import {
  ExporterError,
  type FlushSpoolProgress,
  type FlushSpoolResult,
  flushSpool,
  type SignalName,
} from '@throughline/exporter'
import { type OtlpProtocol, otlpSettings, TracingConfigError } from '@throughline/node'
import { fail } from './output.ts'

export interface FlushFlags {
  readonly dir?: string
  readonly endpoint?: string
  readonly protocol?: OtlpProtocol
  readonly headersFile?: string
  readonly giveUpAfterMs: number
}

const signals: readonly SignalName[] = ['traces', 'logs']
const itemNames = { traces: 'spans', logs: 'log records' } as const

/** Delivers what programs have left in a spool; ends with 1 when something is left. */
export async function runFlush(flags: FlushFlags): Promise<void> {
  const dir = flags.dir ?? process.env['THROUGHLINE_SPOOL_DIR'] ?? ''
  if (dir === '') return fail('--dir is missing: the folder that programs were given as spool.dir')
  const found = signals.filter((signal) => existsSync(join(dir, signal)))
  if (found.length === 0)
    return fail(`there is no spool in ${dir}: it has neither a folder traces nor a folder logs`)
  for (const signal of found)
    try {
      await flushSignal(signal, dir, flags)
    } catch (error) {
      if (!(error instanceof ExporterError || error instanceof TracingConfigError)) throw error
      fail(error.message)
    }
}

async function flushSignal(signal: SignalName, dir: string, flags: FlushFlags): Promise<void> {
  const { endpoint, protocol, headersFile, giveUpAfterMs } = flags
  const otlp = otlpSettings(signal, { endpoint, protocol, headersFile }, process.env)
  const isTerminal = process.stderr.isTTY
  const result = await flushSpool({
    ...otlp,
    dir,
    signal,
    idleMsMax: giveUpAfterMs,
    ...(isTerminal && {
      onProgress: (progress) => process.stderr.write(`\r${progressText(signal, progress)}`),
    }),
  })
  if (isTerminal) process.stderr.write('\r\u001b[K')
  for (const line of summary(signal, otlp.endpoint, result)) process.stdout.write(`${line}\n`)
  if (result.leftRecordCount > 0)
    fail(
      `${result.leftItemCount} ${itemNames[signal]} are left in ${join(dir, signal)}${result.cause === '' ? '' : `: ${result.cause}`}`,
    )
}

function progressText(signal: SignalName, { deliveredItemCount, cause }: FlushSpoolProgress): string {
  return `${signal}: ${deliveredItemCount} ${itemNames[signal]} delivered${cause === '' ? '' : ` (${cause})`}\u001b[K`
}

function summary(signal: SignalName, endpoint: string, result: FlushSpoolResult): string[] {
  const { adopted, deliveredItemCount, deliveredRecordCount, dropped, tornCount, corruptCount } = result
  const items = itemNames[signal]
  const lines = adopted.map(({ name, pid, host, ending, reason, itemCount }) => {
    const end = ending === 'released' ? `ended by ${reason ?? ''}` : endings[ending]
    return `${signal}: ${itemCount} ${items} of ${name || 'an unknown program'}, process ${pid} on ${host || 'an unknown host'}, which ${end}`
  })
  lines.push(
    `${signal}: ${deliveredItemCount} ${items} in ${deliveredRecordCount} records delivered to ${withoutSecrets(endpoint)}, ${result.leftItemCount} left`,
  )
  for (const [reason, count] of Object.entries(dropped))
    lines.push(`${signal}: ${count} ${items} dropped: ${reason}`)
  if (tornCount + corruptCount > 0)
    lines.push(`${signal}: skipped ${tornCount} torn records and ${corruptCount} damaged places`)
  return lines
}

const endings = { died: 'died', silent: 'has not been heard of' } as const

function withoutSecrets(endpoint: string): string {
  return endpoint.replace(/\/\/[^/@]*@/, '//')
}
