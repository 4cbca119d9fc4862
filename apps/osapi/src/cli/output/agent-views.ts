import type { AgentInfo, AgentList, Condition, NetworkInterface } from '../../api/types.ts'
import { formatBytesWhole, formatLabels, formatSince } from './format.ts'
import { section, timelineTable } from './job-views.ts'
import { indented, pairLines, tableLines } from './table.ts'

export function agentListLines(list: AgentList, now: Date): string[] {
  if (list.agents.length === 0) return ['', indented('No active agents found.')]
  const rows = list.agents.map((agent) => [
    agent.machine_id,
    agent.hostname,
    agent.state ?? agent.status,
    activeConditions(agent.conditions),
    formatLabels(agent.labels),
    formatSince(agent.started_at, now),
    agent.load_average?.['1min'].toFixed(2) ?? '-',
    osText(agent) ?? '-',
  ])
  const headers = ['machine id', 'hostname', 'status', 'conditions', 'labels', 'age', 'load (1m)', 'os']
  return ['', indented(`Active Agents (${list.agents.length}):`), '', ...tableLines(headers, rows)]
}

function activeConditions(conditions: readonly Condition[] | undefined): string {
  const active = (conditions ?? []).filter((condition) => condition.status).map((condition) => condition.type)
  return active.join(',') || '-'
}

export function agentLines(agent: AgentInfo, now: Date): string[] {
  const { load_average: load, memory } = agent
  return [
    '',
    ...pairLines(['Hostname', agent.hostname], ['Machine ID', agent.machine_id]),
    ...pairLines(['Status', agent.status], ['State', agent.state]),
    ...pairLines(['Labels', formatLabels(agent.labels)]),
    ...pairLines(['OS', osText(agent)]),
    ...pairLines(
      ['Uptime', agent.uptime],
      ['Age', formatSince(agent.started_at, now)],
      ['Last Seen', lastSeen(agent, now)],
    ),
    ...pairLines([
      'Load',
      load &&
        `${load['1min'].toFixed(2)}, ${load['5min'].toFixed(2)}, ${load['15min'].toFixed(2)} (1m, 5m, 15m)`,
    ]),
    ...pairLines([
      'Memory',
      memory &&
        `${formatBytesWhole(memory.used)} used / ${formatBytesWhole(memory.total)} total / ${formatBytesWhole(memory.free)} free`,
    ]),
    ...pairLines(['Architecture', agent.architecture], ['Kernel', agent.kernel_version]),
    ...pairLines(['FQDN', agent.fqdn], ['CPUs', agent.cpu_count], ['Agent Version', agent.agent_version]),
    ...section('Interfaces:', interfaceTable(agent.interfaces ?? [])),
    ...section('Conditions:', conditionTable(agent.conditions ?? [], now)),
    ...section('Timeline:', timelineTable(agent.timeline ?? [])),
  ]
}

function conditionTable(conditions: readonly Condition[], now: Date): string[] | undefined {
  const rows = conditions.map((condition) => [
    condition.type,
    condition.status,
    condition.reason || '-',
    formatSince(condition.last_transition_time, now),
  ])
  return rows.length > 0 ? tableLines(['type', 'status', 'reason', 'since'], rows) : undefined
}

function interfaceTable(interfaces: readonly NetworkInterface[]): string[] | undefined {
  const rows = interfaces.map(({ name, address }) => [name, address])
  return rows.length > 0 ? tableLines(['name', 'address'], rows) : undefined
}

function lastSeen(agent: AgentInfo, now: Date): string | undefined {
  return agent.last_seen && `${formatSince(agent.last_seen, now)} ago`
}

function osText(agent: AgentInfo): string | undefined {
  return agent.os_info && `${agent.os_info.distribution} ${agent.os_info.version}`
}
