// Throughline as its README says; collector and protocol by OpenTelemetry's variables, the spool by PROOF_SPOOL_*.
import { initTracer, type Tracing } from '@throughline/node'

export const tracing: Tracing = initTracer('program')

export const ledger = (): unknown => tracing.ledger()

export async function settled(): Promise<void> {
  while ((tracing.ledger()?.pending ?? 0) > 0) await new Promise((resolve) => setTimeout(resolve, 2))
}
