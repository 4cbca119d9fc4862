import type { HealthStatus, RegistryHealth } from '../../api/types.ts'
import { formatBytes } from './format.ts'
import { type Cell, indented, pairLines, tableLines } from './table.ts'

export function healthLines(answer: { readonly status: string; readonly error?: string }): string[] {
  return ['', ...pairLines(['Status', answer.status], ['Error', answer.error])]
}

export function healthStatusLines(health: HealthStatus): string[] {
  return [
    '',
    ...pairLines(['Status', health.status], ['Version', health.version], ['Uptime', health.uptime]),
    ...troubleLines(health),
    ...registryLines(health.registry ?? []),
    ...spaced(infrastructureLines(health)),
  ]
}

function troubleLines(health: HealthStatus): string[] {
  const troubled = Object.entries(health.components).filter(([, component]) => component.status !== 'ok')
  return troubled.flatMap(([name, { status, error }]) =>
    pairLines([name, error ? `${status} (${error})` : status]),
  )
}

function registryLines(registry: readonly RegistryHealth[]): string[] {
  if (registry.length === 0) return []
  const headers = ['type', 'hostname', 'status', 'conditions', 'age', 'cpu', 'mem']
  return ['', ...tableLines(headers, registry.flatMap(registryRows))]
}

function registryRows(entry: RegistryHealth): Cell[][] {
  const parts = Object.entries(entry.sub_components ?? {})
  const first = [
    entry.type,
    entry.hostname,
    entry.status,
    entry.conditions.join(',') || '-',
    entry.age,
    entry.cpu_percent === undefined ? '-' : `${entry.cpu_percent.toFixed(1)}%`,
    entry.mem_bytes === undefined ? '-' : formatBytes(entry.mem_bytes),
  ]
  const branches = parts.map(([name, { status, address }], i) => [
    `${i === parts.length - 1 ? '└─' : '├─'} ${name}`,
    address,
    status,
  ])
  return [first, ...branches]
}

function infrastructureLines(health: HealthStatus): string[] {
  const { consumers, jobs, nats } = health
  const lines: string[] = []
  if (nats) lines.push(`NATS: ${nats.url} (${nats.version})`)
  if (consumers) lines.push(`Consumers: ${consumers.total} total`)
  if (jobs) {
    const { total, completed, unprocessed, failed, dlq } = jobs
    lines.push(
      `Jobs: ${total} total, ${completed} completed, ${unprocessed} unprocessed, ${failed} failed, ${dlq} dlq`,
    )
  }
  for (const { name, messages, bytes, consumers: count } of health.streams ?? []) {
    lines.push(`Stream: ${name} (${messages} msgs, ${formatBytes(bytes)}, ${count} consumers)`)
  }
  for (const { name, keys, bytes } of health.kv_buckets ?? []) {
    lines.push(`Bucket: ${name} (${keys} keys, ${formatBytes(bytes)})`)
  }
  return lines.map(indented)
}

function spaced(lines: readonly string[]): string[] {
  return lines.length > 0 ? ['', ...lines] : []
}
