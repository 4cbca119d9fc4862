import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import type { JobDetail } from '../../api/types.ts'
import type { Answer } from '../../client/index.ts'
import type { ClientCommand, ClientSession } from '../client-session.ts'
import * as views from '../output/job-views.ts'
import { CommandError } from '../traced-run.ts'

export const add: ClientCommand = async (session) => {
  const answer = await session.api.job.add(readOperation(session), session.target)
  session.setJob(answer.body.job_id)
  session.show(answer, () => views.jobCreatedLines(answer.body))
  return 0
}

/** Adds a job, waits until it is done, and shows it. */
export const run: ClientCommand = async (session) => {
  const { body: created } = await session.api.job.add(readOperation(session), session.target)
  session.setJob(created.job_id)
  const answer = await waitUntilDone(session, created.job_id)
  session.show(answer, () => views.jobDetailLines(answer.body))
  return ['failed', 'partial_failure'].includes(answer.body.status) ? 1 : 0
}

async function waitUntilDone(session: ClientSession, id: string): Promise<Answer<JobDetail>> {
  const { flags, streams, signal } = session
  const timeoutSeconds = flags.number('timeout')
  const deadline = performance.now() + timeoutSeconds * 1000
  const say = (text: string): void => {
    if (streams.isErrTerminal) streams.err(text)
  }
  for (;;) {
    const answer = await session.api.job.get(id)
    say(`\r\u001B[KJob ${id}: ${answer.body.status}`)
    if (isDone(answer.body)) {
      say('\r\u001B[K')
      return answer
    }
    const leftMs = deadline - performance.now()
    if (leftMs <= 0) {
      say('\n')
      throw new CommandError(`job ${id} is still ${answer.body.status} after ${timeoutSeconds} seconds`)
    }
    await delay(Math.min(leftMs, Math.max(1, flags.number('poll-interval')) * 1000), undefined, { signal })
  }
}

function isDone({ status }: JobDetail): boolean {
  return ['completed', 'failed', 'skipped', 'partial_failure'].includes(status)
}

function readOperation({ flags }: ClientSession): unknown {
  const file = flags.required('json-file')
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    throw new CommandError(`failed to read ${file}: ${(error as Error).message}`, { cause: error })
  }
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new CommandError(`${file} is not JSON: ${(error as Error).message}`, { cause: error })
  }
}

export const list: ClientCommand = async (session) => {
  const { flags, isJson, streams } = session
  const filter = {
    status: flags.text('status'),
    limit: flags.number('limit'),
    offset: flags.number('offset'),
  }
  const answer = await session.api.job.list(filter)
  if (isJson) streams.out(`${JSON.stringify(views.jobListJson(answer.body, filter))}\n`)
  else session.show(answer, () => views.jobListLines(answer.body, filter))
  return 0
}

export const get: ClientCommand = async (session) => {
  const id = session.flags.required('job-id')
  session.setJob(id)
  const answer = await session.api.job.get(id)
  session.show(answer, () => views.jobDetailLines(answer.body))
  return 0
}

export const remove: ClientCommand = async (session) => {
  const id = session.flags.required('job-id')
  session.setJob(id)
  await session.api.job.delete(id)
  const text = JSON.stringify({ job_id: id, status: 'deleted' })
  session.show({ status: 204, body: undefined, text }, () => views.jobDeletedLines(id))
  return 0
}

export const retry: ClientCommand = async (session) => {
  const answer = await session.api.job.retry(session.flags.required('job-id'), session.target)
  session.setJob(answer.body.job_id)
  session.show(answer, () => views.jobCreatedLines(answer.body))
  return 0
}

/** A table that is drawn anew at each interval on a terminal; once where nobody watches. */
export const status: ClientCommand = async (session) => {
  const { flags, streams, signal, isJson } = session
  const isLive = streams.isOutTerminal && !isJson
  for (;;) {
    const answer = await session.api.job.status()
    if (isLive) streams.out('\u001B[H\u001B[2J')
    session.show(answer, () => views.jobStatusLines(answer.body))
    if (!isLive) return 0
    try {
      await delay(Math.max(1, flags.number('poll-interval-seconds')) * 1000, undefined, { signal })
    } catch {
      // Ctrl-C is how one stops watching.
      return 0
    }
  }
}
