import type { HostResult, Results } from '../../api/types.ts'
import type { Answer, NodeClient } from '../../client/index.ts'
import { isBroadcast } from '../../job/subjects.ts'
import type { ClientCommand, ClientSession } from '../client-session.ts'
import * as views from '../output/node-views.ts'
import { type ResultView, resultLines } from '../output/results.ts'

type Ask<Row extends HostResult> = (node: NodeClient, session: ClientSession) => Promise<Answer<Results<Row>>>

/** Asks the workers and shows a row for each. */
function showing<Row extends HostResult>(ask: Ask<Row>, view: ResultView<Row>): ClientCommand {
  return async (session) => {
    const answer = await ask(session.api.node(session.target), session)
    session.setJob(answer.body.job_id)
    session.show(answer, () => resultLines(answer.body, view))
    return 0
  }
}

export const hostname: ClientCommand = showing((node) => node.hostname(), views.plainView)
export const updateHostname: ClientCommand = showing(
  (node, { flags }) => node.updateHostname(flags.required('name')),
  views.changedView,
)
export const disk: ClientCommand = showing((node) => node.disk(), views.diskView)
export const memory: ClientCommand = showing((node) => node.memory(), views.memoryView)
export const load: ClientCommand = showing((node) => node.load(), views.loadView)
export const uptime: ClientCommand = showing((node) => node.uptime(), views.uptimeView)
export const os: ClientCommand = showing((node) => node.os(), views.osView)

export const dns: ClientCommand = showing(
  (node, { flags }) => node.dns(flags.required('interface-name')),
  views.dnsView,
)

export const updateDns: ClientCommand = showing((node, { flags }) => {
  const servers = flags.list('servers')
  const domains = flags.list('search-domains')
  return node.updateDns({
    interface_name: flags.required('interface-name'),
    ...(servers && { servers }),
    ...(domains && { search_domains: domains }),
    ...(flags.isOn('override-dhcp') && { override_dhcp: true }),
  })
}, views.changedView)

export const deleteDns: ClientCommand = showing(
  (node, { flags }) => node.deleteDns(flags.required('interface-name')),
  views.changedView,
)

export const ping: ClientCommand = showing(
  (node, { flags }) => node.ping(flags.required('address')),
  views.pingView,
)

export const status: ClientCommand = async (session) => {
  const answer = await session.api.node(session.target).status()
  session.setJob(answer.body.job_id)
  session.show(answer, () => views.nodeStatusLines(answer.body, isBroadcast(session.target)))
  return 0
}
