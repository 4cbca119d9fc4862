// Throughline as its README says; collector and protocol by OpenTelemetry's variables, the rest by PROOF_*.
import { type InitTracerOptions, initTracer, type Tracing } from '@throughline/node'

const { env } = process
const dir = env['PROOF_SPOOL_DIR']
const timeoutMs = env['PROOF_EXIT_TIMEOUT_MS']
const bytesMax = env['PROOF_SPOOL_BYTES_MAX']

const options: InitTracerOptions = {
  ...(dir !== undefined && {
    spool: {
      dir,
      mode: env['PROOF_SPOOL_MODE'] as 'on-failure' | 'always', // The harness sets it.
      ...(bytesMax !== undefined && { bytesMax: Number(bytesMax) }),
    },
  }),
  ...(timeoutMs !== undefined && {
    exitTimeoutMs: Number(timeoutMs),
    abruptExitTimeoutMs: Number(timeoutMs),
  }),
}

export const tracing: Tracing = initTracer('program', options)

export const ledger = (): unknown => tracing.ledger()

export async function settled(where: 'memory' | 'spool'): Promise<void> {
  for (;;) {
    const { pending, spooled } = tracing.ledger() ?? { pending: 0, spooled: 0 }
    if (pending + (where === 'spool' ? spooled : 0) === 0) return
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}
