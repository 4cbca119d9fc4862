import type { WorkerConfig } from './messages.ts'
import { flusherVariable } from './worker/control.ts'
import { FlusherClaim } from './worker/flusher-claim.ts'

/** What TLS and the system need; everything else of the environment is the program's own. */
const passedVariables = ['NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE', 'SSL_CERT_DIR', 'SystemRoot']

/**
 * Starts a process that delivers what is in the spool's folder, unless there is one, or the collector was away just now. It
 * outlives this process, ends by itself, and has no terminal. Works in the dying moment, too, and never throws: without it
 * the next process delivers.
 */
export function startFlusher(config: WorkerConfig): void {
  if (config.spool === undefined) return
  const claim = new FlusherClaim(config.spool.dir)
  try {
    if (!claim.tryTake()) return
  } catch {
    return
  }
  try {
    const env: NodeJS.ProcessEnv = {}
    for (const name of passedVariables) if (process.env[name] !== undefined) env[name] = process.env[name]
    // Not among the arguments, which everybody on the machine can read: there are keys in it.
    env[flusherVariable] = JSON.stringify(config)
    const program = process
      .getBuiltinModule('node:url')
      .fileURLToPath(new URL('./worker/flusher.js', import.meta.url))
    const child = process
      .getBuiltinModule('node:child_process')
      .spawn(process.execPath, [program], { detached: true, stdio: 'ignore', env, windowsHide: true })
    child.on('error', () => release(claim))
    child.unref()
    if (child.pid === undefined) release(claim)
    else claim.holdAs(child.pid)
  } catch {
    release(claim)
  }
}

function release(claim: FlusherClaim): void {
  try {
    claim.release()
  } catch {
    // It is nobody's after a while.
  }
}
