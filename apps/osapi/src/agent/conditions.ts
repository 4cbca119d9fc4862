import type { AgentConfig } from '../config/index.ts'
import type { Condition } from '../job/agent-info.ts'
import { rfc3339 } from '../job/clock.ts'
import type { DiskUsage, LoadAverage, MemoryStats } from '../job/results.ts'

export interface Measurements {
  readonly memory?: MemoryStats
  readonly load?: LoadAverage
  readonly disks?: readonly DiskUsage[]
  readonly cpuCount: number
}

type Verdict = Pick<Condition, 'type' | 'status' | 'reason'>

/** What is wrong with a host. `last_transition_time` is kept from before while the status is the same. */
export function evaluateConditions(
  thresholds: AgentConfig['conditions'],
  measured: Measurements,
  before: readonly Condition[] = [],
  now: () => Date = () => new Date(),
): readonly Condition[] {
  const verdicts = [
    ...memoryPressure(thresholds, measured),
    ...highLoad(thresholds, measured),
    ...diskPressure(thresholds, measured),
  ]
  return verdicts.map((verdict) => {
    const old = before.find(({ type, status }) => type === verdict.type && status === verdict.status)
    return { ...verdict, last_transition_time: old?.last_transition_time ?? rfc3339(now()) }
  })
}

function memoryPressure(thresholds: AgentConfig['conditions'], { memory }: Measurements): Verdict[] {
  if (memory === undefined || memory.total === 0) return []
  const percent = (memory.used / memory.total) * 100
  const reason = `memory ${percent.toFixed(0)}% used (${gb(memory.used)}/${gb(memory.total)} GB)`
  return [verdict('MemoryPressure', percent > thresholds.memory_pressure_threshold, reason)]
}

function highLoad(thresholds: AgentConfig['conditions'], { load, cpuCount }: Measurements): Verdict[] {
  if (load === undefined) return []
  const threshold = cpuCount * thresholds.high_load_multiplier
  const one = load['1min']
  const reason = `load ${one.toFixed(2)}, threshold ${threshold.toFixed(2)} for ${cpuCount} CPUs`
  return [verdict('HighLoad', one > threshold, reason)]
}

function diskPressure(thresholds: AgentConfig['conditions'], { disks }: Measurements): Verdict[] {
  if (disks === undefined || disks.length === 0) return []
  const fullest = disks.reduce((a, b) => (percentOf(b) > percentOf(a) ? b : a))
  const percent = percentOf(fullest)
  const reason = `disk ${fullest.name} ${percent.toFixed(0)}% used`
  return [verdict('DiskPressure', percent > thresholds.disk_pressure_threshold, reason)]
}

/** Of what users can have: the share that is kept for root counts as used, as in df. */
function percentOf({ used, free }: DiskUsage): number {
  return used + free === 0 ? 0 : (used / (used + free)) * 100
}

function verdict(type: Condition['type'], status: boolean, reason: string): Verdict {
  return { type, status, reason: status ? reason : '' }
}

function gb(bytes: number): string {
  return (bytes / 1024 ** 3).toFixed(1)
}
