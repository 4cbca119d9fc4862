import type { CommandResult, Results } from '../../api/types.ts'
import type { Answer } from '../../client/index.ts'
import { isBroadcast } from '../../job/subjects.ts'
import type { ClientCommand, ClientSession } from '../client-session.ts'
import { commandView } from '../output/node-views.ts'
import { outcomeOf, resultLines } from '../output/results.ts'

export const exec: ClientCommand = async (session) => {
  const args = session.flags.list('args')
  const node = session.api.node(session.target)
  return finish(session, await node.exec({ ...sharedInput(session), ...(args && { args }) }))
}

export const shell: ClientCommand = async (session) =>
  finish(session, await session.api.node(session.target).shell(sharedInput(session)))

function sharedInput({ flags }: ClientSession): { command: string; timeout: number; cwd?: string } {
  const cwd = flags.text('cwd')
  return {
    command: flags.required('command'),
    timeout: flags.number('timeout'),
    ...(cwd !== undefined && { cwd }),
  }
}

/** Shows the outcome and exits like the worst of the remote commands. */
function finish(session: ClientSession, answer: Answer<Results<CommandResult>>): number {
  session.setJob(answer.body.job_id)
  const stdout = session.flags.isOn('stdout')
  const stderr = session.flags.isOn('stderr')
  if ((stdout || stderr) && !session.isJson) writeRaw(session, answer.body, { stdout, stderr })
  else session.show(answer, () => resultLines(answer.body, commandView))
  return highestExitCode(answer.body.results)
}

/** The remote output as it is; with several hosts, each line says whose it is. */
function writeRaw(
  { streams, target }: ClientSession,
  { results }: Results<CommandResult>,
  wanted: { readonly stdout: boolean; readonly stderr: boolean },
): void {
  const isPrefixed = isBroadcast(target) || results.length > 1
  for (const row of results) {
    const prefix = isPrefixed ? `[${row.hostname}] ` : ''
    if (wanted.stdout) streams.out(prefixed(row.stdout ?? '', prefix))
    if (wanted.stderr) streams.err(prefixed(row.stderr ?? '', prefix))
    if (['err', 'skip'].includes(outcomeOf(row))) streams.err(prefixed(row.error ?? row.status, prefix))
  }
}

function prefixed(text: string, prefix: string): string {
  if (text === '') return ''
  const lines = text.endsWith('\n') ? text.slice(0, -1) : text
  return `${lines.replaceAll(/^/gmu, prefix)}\n`
}

/** 1 for a host where the command did not run at all. */
export function highestExitCode(rows: readonly CommandResult[]): number {
  const codes = rows.map((row) => row.exit_code ?? (outcomeOf(row) === 'err' ? 1 : 0))
  return Math.min(255, Math.max(0, ...codes))
}
