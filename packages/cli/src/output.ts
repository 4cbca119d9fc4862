import type { RenderOptions } from '@throughline/lens'

/** Says why on stderr, and lets the process end with 1. */
export function fail(reason: string): void {
  process.stderr.write(`throughline: ${reason}\n`)
  process.exitCode = 1
}

/** The width of the terminal, or COLUMNS, or 120; colour on a terminal only, and not with https://no-color.org */
export function renderOptions(): RenderOptions {
  const { stdout, env } = process
  return {
    width: stdout.columns || Number(env['COLUMNS']) || 120,
    color: stdout.isTTY && (env['NO_COLOR'] ?? '') === '',
  }
}
