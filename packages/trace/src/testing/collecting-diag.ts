import { DiagLogLevel, diag } from '@opentelemetry/api'

const ignore = (): void => {}

/** Collects the warnings that reach OpenTelemetry's diag while `run` runs. */
export function collectWarnings(run: () => void): string[] {
  const warnings: string[] = []
  const keep = (message: string): void => void warnings.push(message)
  diag.setLogger(
    { warn: keep, error: keep, info: ignore, debug: ignore, verbose: ignore },
    { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true },
  )
  try {
    run()
  } finally {
    diag.disable()
  }
  return warnings
}
