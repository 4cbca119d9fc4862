import type { AuditEntry, AuditList } from '../../api/types.ts'
import { indented, pairLines, tableLines } from './table.ts'

const idCharsShown = 8
const traceIdCharsShown = 16

export function auditListLines(list: AuditList): string[] {
  if (list.items.length === 0) return ['', indented('No audit entries found.')]
  const rows = list.items.map((entry) => [
    entry.id.slice(0, idCharsShown),
    entry.timestamp,
    entry.user,
    entry.method,
    entry.path,
    entry.response_code,
    `${entry.duration_ms}ms`,
    entry.trace_id ? `${entry.trace_id.slice(0, traceIdCharsShown)}…` : '-',
  ])
  const headers = ['id', 'timestamp', 'user', 'method', 'path', 'status', 'duration', 'trace id']
  return [
    '',
    indented(`Audit Entries (${list.items.length} of ${list.total_items}):`),
    '',
    ...tableLines(headers, rows),
  ]
}

export function auditEntryLines(entry: AuditEntry): string[] {
  return [
    '',
    ...pairLines(['ID', entry.id]),
    ...pairLines(['Timestamp', entry.timestamp]),
    ...pairLines(['User', entry.user], ['Roles', entry.roles.join(', ')]),
    ...pairLines(['Method', entry.method], ['Path', entry.path]),
    ...pairLines(['Operation', entry.operation_id], ['Source IP', entry.source_ip]),
    ...pairLines(['Status', entry.response_code], ['Duration', `${entry.duration_ms}ms`]),
    ...pairLines(['Trace ID', entry.trace_id]),
  ]
}
