import { execFileSync } from 'node:child_process'
import { resolveNatsServer } from '@throughline/nats-server'

/** What a test says when there is no server for it. */
export const noModernServer: string =
  'NOT TESTED: no nats-server 2.11 or later. Get one (go install github.com/nats-io/nats-server/v2@latest) and name it: ' +
  'NATS_SERVER_2_11=/path/to/nats-server'

/** The path of a nats-server that knows message tracing: the one that NATS_SERVER_2_11 names, else the usual one. */
export async function modernServer(): Promise<string | undefined> {
  const named = process.env['NATS_SERVER_2_11']
  const resolved = await resolveNatsServer({
    ...(named ? { binary: named } : undefined),
    env: { PATH: process.env['PATH'] },
  })
  if (resolved.kind !== 'binary') return undefined
  const text = execFileSync(resolved.path, ['--version'], { encoding: 'utf8' })
  const [, major = '0', minor = '0'] = /v(\d+)\.(\d+)\./.exec(text) ?? []
  if (Number(major) > 2 || (Number(major) === 2 && Number(minor) >= 11)) return resolved.path
  if (named) throw new Error(`NATS_SERVER_2_11 names ${text.trim()}`)
  return undefined
}
