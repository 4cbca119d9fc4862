import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type CommandOutcome, type CommandRequest, runCommand } from './run-command.ts'

/** The machine as the providers see it: tests give a folder as root and a runner of their own. */
export interface System {
  /** Reads a text file by its absolute path. */
  readonly read: (path: string) => Promise<string>
  /** New files are for root's eyes only. */
  readonly write: (path: string, text: string) => Promise<void>
  readonly remove: (path: string) => Promise<void>
  readonly run: (request: CommandRequest) => Promise<CommandOutcome>
}

export function hostSystem(root = '/', run: System['run'] = runCommand): System {
  return {
    read: (path) => readFile(join(root, path), 'utf8'),
    write: (path, text) => writeFile(join(root, path), text, { mode: 0o600 }),
    remove: (path) => rm(join(root, path), { force: true }),
    run,
  }
}

/** The machine or the operating system has no way to do this: the job is skipped, not failed. */
export class UnsupportedError extends Error {
  override readonly name = 'UnsupportedError'

  constructor(detail?: string) {
    super(`operation not supported on this OS family${detail === undefined ? '' : `: ${detail}`}`)
  }
}

/** True for the error of a file or program that is not there. */
export function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}

const toolMsMax = 10_000

/** The outcome of a tool of the operating system, or undefined where the host does not have it. */
export async function tryTool(
  system: System,
  command: string,
  args: readonly string[],
): Promise<CommandOutcome | undefined> {
  try {
    return await system.run({ command, args, timeoutMs: toolMsMax })
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

/** What a failed tool says for itself. */
export function toolError(command: string, { stderr, stdout, exitCode }: CommandOutcome): Error {
  return new Error(`${command}: ${stderr.trim() || stdout.trim() || `exit code ${exitCode}`}`)
}
