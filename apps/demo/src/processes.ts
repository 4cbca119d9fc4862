import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'

/** One long-running part of the scene, with its log in a file. */
export interface Part {
  readonly name: string
  readonly logPath: string
  readonly child: ChildProcess
}

export interface PartOptions {
  readonly name: string
  /** A JavaScript file and its arguments; run by this Node.js. */
  readonly args: readonly string[]
  readonly logPath: string
  readonly env: NodeJS.ProcessEnv
}

export function startPart({ name, args, logPath, env }: PartOptions): Part {
  const log = openSync(logPath, 'w')
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', log, log] })
  closeSync(log)
  return { name, logPath, child }
}

export function hasEnded({ child }: Part): boolean {
  return child.exitCode !== null || child.signalCode !== null
}

/** SIGTERM, and SIGKILL for what is still there after `timeoutMs`. Resolves when all have ended. */
export async function stopParts(parts: readonly Part[], timeoutMs: number): Promise<void> {
  for (const part of parts.toReversed()) {
    if (hasEnded(part)) continue
    const ended = once(part.child, 'exit')
    const timer = setTimeout(() => part.child.kill('SIGKILL'), timeoutMs)
    part.child.kill('SIGTERM')
    await ended
    clearTimeout(timer)
  }
}

/**
 * Asks `probe` every 50 ms until it gives a value. Rejects after `timeoutMs`, or at once when one of `parts` has ended,
 * with the last lines of its log.
 */
export async function waitFor<T>(
  what: string,
  probe: () => Promise<T | undefined>,
  { parts, timeoutMs }: { readonly parts: readonly Part[]; readonly timeoutMs: number },
): Promise<T> {
  const deadlineMs = performance.now() + timeoutMs
  for (;;) {
    const value = await probe().catch(() => undefined)
    if (value !== undefined) return value
    const dead = parts.find(hasEnded)
    if (dead !== undefined)
      throw new Error(`${dead.name} ended while waiting for ${what}\n${lastLines(dead.logPath)}`)
    if (performance.now() > deadlineMs) {
      const logs = parts.map((part) => `${part.name}:\n${lastLines(part.logPath)}`).join('\n')
      throw new Error(`${what} did not come within ${timeoutMs / 1000} s\n${logs}`)
    }
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

function lastLines(path: string): string {
  const lines = readFileSync(path, 'utf8').trimEnd().split('\n').slice(-8)
  return lines.map((line) => `  ${line}`).join('\n')
}

export interface CommandResult {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
  readonly durationMs: number
}

/** Runs a JavaScript file to its end. */
export async function runCommand(args: readonly string[], env: NodeJS.ProcessEnv): Promise<CommandResult> {
  const startMs = performance.now()
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  await once(child, 'close')
  return { code: child.exitCode, stdout, stderr, durationMs: performance.now() - startMs }
}
