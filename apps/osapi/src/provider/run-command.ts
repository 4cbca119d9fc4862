import { type ChildProcess, spawn } from 'node:child_process'
import { statSync } from 'node:fs'
import { constants } from 'node:os'

export interface CommandRequest {
  readonly command: string
  readonly args?: readonly string[]
  readonly cwd?: string
  readonly timeoutMs: number
  /** Of each of stdout and stderr; the rest is read and dropped. Default: 256 KiB. */
  readonly outputBytesMax?: number
}

export interface CommandOutcome {
  readonly stdout: string
  readonly stderr: string
  readonly exitCode: number
  readonly durationMs: number
  readonly truncated: boolean
}

/** The command ran longer than it may and was killed with all its children. */
export class CommandTimeoutError extends Error {
  override readonly name = 'CommandTimeoutError'
}

const outputBytesMaxDefault = 256 * 1024
/** How long pipes may stay open after the command itself has ended: a daemon it left behind may hold them for ever. */
const drainMsMax = 500

/**
 * Runs a command in a process group of its own and resolves with its outcome, whatever the exit code; a signal counts as
 * 128 + its number, as in a shell. Rejects when it cannot start, and with CommandTimeoutError.
 */
export function runCommand(request: CommandRequest): Promise<CommandOutcome> {
  const { command, args = [], cwd, timeoutMs } = request
  const limit = request.outputBytesMax ?? outputBytesMaxDefault
  return new Promise((resolve, reject) => {
    const startedAt = performance.now()
    const child = spawn(command, args, {
      ...(cwd === undefined ? {} : { cwd }),
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    })
    const stdout = collect(child.stdout, limit)
    const stderr = collect(child.stderr, limit)
    let timedOut = false
    const timer = setTimeout(() => {
      timedOut = true
      killGroup(child)
    }, timeoutMs)
    let drain: NodeJS.Timeout | undefined
    child.once('exit', () => {
      drain = setTimeout(() => {
        child.stdout.destroy()
        child.stderr.destroy()
      }, drainMsMax)
    })
    child.once('error', (error) => {
      clearTimeout(timer)
      if (child.pid === undefined) reject(startError(error, request))
    })
    child.once('close', (code, signal) => {
      clearTimeout(timer)
      clearTimeout(drain)
      if (child.pid === undefined) return
      if (timedOut) {
        reject(new CommandTimeoutError(`command timed out after ${timeoutMs / 1000}s`))
        return
      }
      resolve({
        stdout: stdout.text(),
        stderr: stderr.text(),
        exitCode: code ?? 128 + (signal === null ? 0 : signalNumber(signal)),
        durationMs: Math.round(performance.now() - startedAt),
        truncated: stdout.truncated() || stderr.truncated(),
      })
    })
  })
}

/** Node names the command also when it is the directory that is not there. The code stays. */
function startError(error: NodeJS.ErrnoException, { command, cwd }: CommandRequest): Error {
  const isDirectory = cwd === undefined || statSync(cwd, { throwIfNoEntry: false })?.isDirectory() === true
  const text = isDirectory ? startProblems[error.code ?? '']?.concat(command) : `cwd is no directory: ${cwd}`
  if (text === undefined) return error
  return Object.assign(new Error(text, { cause: error }), { code: error.code })
}

const startProblems: Readonly<Record<string, string>> = {
  ENOENT: 'command not found: ',
  EACCES: 'permission denied: ',
}

function collect(stream: NodeJS.ReadableStream, limit: number) {
  const chunks: Buffer[] = []
  let sizeBytes = 0
  let truncated = false
  stream.on('data', (chunk: Buffer) => {
    const kept = chunk.subarray(0, limit - sizeBytes)
    if (kept.length < chunk.length) truncated = true
    if (kept.length === 0) return
    chunks.push(kept)
    sizeBytes += kept.length
  })
  return { text: () => Buffer.concat(chunks).toString('utf8'), truncated: () => truncated }
}

/** The negative pid is the group: the command's own children must not outlive its time. */
function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return
  try {
    process.kill(-child.pid, 'SIGKILL')
  } catch {
    // Ended by itself at this very moment.
  }
}

function signalNumber(signal: NodeJS.Signals): number {
  return constants.signals[signal]
}
