import { codeOf } from './failure.ts'

/** Enough to recognise a process later, and not to mistake another one with its number for it. */
export interface ProcessIdentity {
  readonly pid: number
  /** Clock ticks from the machine's start to the process's; empty where the system does not tell. */
  readonly startTime: string
  /** Differs after each start of the machine; empty where the system does not tell. */
  readonly bootId: string
  /** Numbers of processes mean something within one namespace only; empty where there are none. */
  readonly pidNamespace: string
  readonly host: string
}

/** What a spool asks about processes. */
export interface ProcessProbe {
  /** This process. */
  self(): ProcessIdentity
  /** True only when it is certain that the process has ended. `lastSeenMs`: its last sign of life, milliseconds since 1970. */
  isGone(identity: ProcessIdentity, lastSeenMs: number): boolean
}

let self: ProcessIdentity | undefined

/** Asks the system: /proc where there is one, else whether a process has the number. */
export const systemProbe: ProcessProbe = {
  self(): ProcessIdentity {
    self ??= {
      pid: process.pid,
      startTime: processStat('self')?.startTime ?? '',
      bootId: readText('/proc/sys/kernel/random/boot_id'),
      pidNamespace: readPidNamespace(),
      host: readText('/proc/sys/kernel/hostname') || process.getBuiltinModule('node:os').hostname(),
    }
    return self
  },
  isGone(identity: ProcessIdentity, lastSeenMs: number): boolean {
    const here = systemProbe.self()
    const isSameHost = identity.host === here.host
    // Two machines may share the folder and a name. The one that was alive after this one's start is not this one.
    if (identity.bootId !== here.bootId) return isSameHost && lastSeenMs < machineStartMs()
    const isVisible = identity.pidNamespace === here.pidNamespace && (here.bootId !== '' || isSameHost)
    return isVisible && hasEnded(identity)
  },
}

function machineStartMs(): number {
  return Date.now() - process.getBuiltinModule('node:os').uptime() * 1000
}

function hasEnded({ pid, startTime }: ProcessIdentity): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    if (codeOf(error) === 'ESRCH') return true
    // EPERM: a process of another user has the number; it may be the one.
  }
  const stat = processStat(String(pid))
  if (stat === undefined) return false
  // A killed process whose parent has not asked for its end yet keeps its number as a zombie.
  return stat.state === 'Z' || stat.state === 'X' || (startTime !== '' && stat.startTime !== startTime)
}

/** https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html: fields 3 and 22. The name before them may hold anything. */
function processStat(pid: string): { readonly state: string; readonly startTime: string } | undefined {
  const text = readText(`/proc/${pid}/stat`)
  const [state, ...rest] = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const startTime = rest[18]
  return state === undefined || startTime === undefined ? undefined : { state, startTime }
}

function readPidNamespace(): string {
  try {
    return process.getBuiltinModule('node:fs').readlinkSync('/proc/self/ns/pid')
  } catch {
    return ''
  }
}

function readText(path: string): string {
  try {
    return process.getBuiltinModule('node:fs').readFileSync(path, 'latin1').trim()
  } catch {
    return ''
  }
}
