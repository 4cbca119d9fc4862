import { closeSync, openSync, writeSync } from 'node:fs'
import type { ClientCommand } from '../client-session.ts'
import { agentLines, agentListLines } from '../output/agent-views.ts'
import { auditEntryLines, auditListLines } from '../output/audit-views.ts'
import { healthLines, healthStatusLines } from '../output/health-views.ts'
import { indented } from '../output/table.ts'
import { CommandError } from '../traced-run.ts'

export const agentList: ClientCommand = async (session) => {
  const answer = await session.api.agent.list()
  if (!session.flags.isOn('pending')) {
    session.show(answer, () => agentListLines(answer.body, new Date()))
    return 0
  }
  const agents = answer.body.agents.filter((agent) => agent.state === 'Pending')
  const pending = { agents, total: agents.length }
  session.show({ ...answer, text: JSON.stringify(pending) }, () => agentListLines(pending, new Date()))
  return 0
}

export const agentGet: ClientCommand = async (session) => {
  const answer = await session.api.agent.get(session.flags.required('hostname'))
  session.show(answer, () => agentLines(answer.body, new Date()))
  return 0
}

export const agentDrain: ClientCommand = async (session) => {
  const answer = await session.api.agent.drain(session.flags.required('hostname'))
  session.show(answer, () => ['', indented(answer.body.message)])
  return 0
}

export const agentUndrain: ClientCommand = async (session) => {
  const answer = await session.api.agent.undrain(session.flags.required('hostname'))
  session.show(answer, () => ['', indented(answer.body.message)])
  return 0
}

export const healthLiveness: ClientCommand = async (session) => {
  const answer = await session.api.health.liveness()
  session.show(answer, () => healthLines(answer.body))
  return 0
}

export const healthReady: ClientCommand = async (session) => {
  const answer = await session.api.health.ready()
  session.show(answer, () => healthLines(answer.body))
  return 0
}

/** A degraded system is shown in full, and is a failure. */
export const healthStatus: ClientCommand = async (session) => {
  const answer = await session.api.health.status()
  session.show(answer, () => healthStatusLines(answer.body))
  return answer.status === 200 ? 0 : 1
}

export const auditList: ClientCommand = async (session) => {
  const { flags } = session
  const answer = await session.api.audit.list({
    limit: flags.number('limit'),
    offset: flags.number('offset'),
  })
  session.show(answer, () => auditListLines(answer.body))
  return 0
}

export const auditGet: ClientCommand = async (session) => {
  const answer = await session.api.audit.get(session.flags.required('audit-id'))
  session.show(answer, () => auditEntryLines(answer.body.entry))
  return 0
}

/** One JSON entry a line, newest first. */
export const auditExport: ClientCommand = async (session) => {
  const { flags } = session
  const type = flags.required('type')
  if (type !== 'file') throw new CommandError(`unsupported export type "${type}"; allowed: file`)
  const output = flags.required('output')
  const { body } = await session.api.audit.export()
  // Entries name users and addresses: for the owner's eyes.
  const file = openSync(output, 'w', 0o600)
  try {
    for (const entry of body.items) writeSync(file, `${JSON.stringify(entry)}\n`)
  } finally {
    closeSync(file)
  }
  const done = { exported: body.items.length, output }
  session.show({ status: 200, body: done, text: JSON.stringify(done) }, () => [
    '',
    indented(`Exported ${done.exported} entries to ${output}`),
  ])
  return 0
}

export const metrics: ClientCommand = async (session) => {
  const { text } = await session.api.metrics()
  session.streams.out(text.endsWith('\n') ? text : `${text}\n`)
  return 0
}
