/** https://opentelemetry.io/docs/specs/otel/logs/data-model/#field-severitynumber: the first of the four of each name. */
export const severityNumbers: Readonly<
  Record<'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal', number>
> = { trace: 1, debug: 5, info: 9, warn: 13, error: 17, fatal: 21 }

const byName = new Map<string, number>([
  ...Object.entries(severityNumbers),
  ['verbose', 1],
  ['notice', 10],
  ['warning', 13],
  ['critical', 21],
])

/** The severity of a level's name in any case; 0 for one that is not known. */
export function severityOfName(name: string): number {
  return byName.get(name.toLowerCase()) ?? 0
}

/**
 * pino's levels are numbers, 10 (trace) to 60 (fatal), and programs may have levels between and beyond. Each ten of them are
 * the four severities of a name: 30 is INFO (9), 35 is INFO3 (11).
 */
export function severityOfPinoLevel(level: number): number {
  if (!(level > 0)) return 0
  const name = Math.min(6, Math.max(1, Math.floor(level / 10)))
  const within = Math.min(3, Math.max(0, Math.floor(((level - name * 10) * 4) / 10)))
  return (name - 1) * 4 + 1 + within
}
