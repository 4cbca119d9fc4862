import type { CommandResult } from '../job/results.ts'
import type { System } from './system.ts'

export interface CommandInput {
  readonly command: string
  readonly args: readonly string[]
  /** '' is the worker's own. */
  readonly cwd: string
  /** 0 is the default. */
  readonly timeoutSeconds: number
}

const timeoutSecondsDefault = 30
const timeoutSecondsMax = 300

/** A non-zero exit is a result. Rejects when the command cannot start or runs longer than it may. */
export async function execCommand(system: System, input: CommandInput): Promise<CommandResult> {
  const timeoutSeconds = input.timeoutSeconds || timeoutSecondsDefault
  if (timeoutSeconds < 1 || timeoutSeconds > timeoutSecondsMax) {
    throw new Error(`timeout: ${timeoutSeconds}; allowed: 1 to ${timeoutSecondsMax} seconds`)
  }
  const outcome = await system.run({
    command: input.command,
    args: input.args,
    timeoutMs: timeoutSeconds * 1000,
    ...(input.cwd === '' ? {} : { cwd: input.cwd }),
  })
  return {
    stdout: outcome.stdout,
    stderr: outcome.stderr,
    exit_code: outcome.exitCode,
    duration_ms: outcome.durationMs,
    changed: true,
    ...(outcome.truncated ? { truncated: true } : {}),
  }
}

export function shellCommand(system: System, input: Omit<CommandInput, 'args'>): Promise<CommandResult> {
  return execCommand(system, { ...input, command: '/bin/sh', args: ['-c', input.command] })
}
