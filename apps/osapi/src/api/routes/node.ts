import type { FastifyRequest } from 'fastify'
import type { Permission } from '../../auth/permissions.ts'
import type { ApiContext, Routes } from '../context.ts'
import { toResults } from '../results.ts'
import { errorBody, target, targetWithDefault } from '../schemas/common.ts'
import * as schemas from '../schemas/node.ts'
import { input, type JsonSchema } from '../schemas/schema.ts'

/** An operation of workers as an endpoint: one job, and its answer in the same request. */
interface NodeRoute {
  readonly id: string
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE'
  /** Below `/node/:target`. */
  readonly path: string
  /** The older place, where the target is the query parameter `target_hostname`. */
  readonly queryPath: string
  readonly permission: Permission
  readonly type: string
  readonly row: JsonSchema
  readonly isHostnameFromData?: boolean
  readonly body?: JsonSchema
  readonly params?: Readonly<Record<string, JsonSchema>>
  /** The operation's input; default: the body. */
  readonly data?: (request: FastifyRequest) => unknown
}

function query(id: string, path: string, type: string, row: JsonSchema): NodeRoute {
  return {
    id,
    method: 'GET',
    path,
    queryPath: `/node${path || '/status'}`,
    permission: 'node:read',
    type,
    row,
  }
}

const nodeRoutes: readonly NodeRoute[] = [
  query('GetNodeStatus', '', 'node.status.get', schemas.statusRow),
  {
    ...query('GetNodeHostname', '/hostname', 'node.hostname.get', schemas.hostnameRow),
    isHostnameFromData: true,
  },
  query('GetNodeDisk', '/disk', 'node.disk.get', schemas.diskRow),
  query('GetNodeMemory', '/memory', 'node.memory.get', schemas.memoryRow),
  query('GetNodeLoad', '/load', 'node.load.get', schemas.loadRow),
  query('GetNodeUptime', '/uptime', 'node.uptime.get', schemas.uptimeRow),
  query('GetNodeOS', '/os', 'node.os.get', schemas.osRow),
  {
    id: 'PutNodeHostname',
    method: 'PUT',
    path: '/hostname',
    queryPath: '/node/hostname',
    permission: 'node:write',
    type: 'node.hostname.update',
    row: schemas.changeRow,
    body: schemas.hostnameBody,
  },
  {
    id: 'GetNodeNetworkDNS',
    method: 'GET',
    path: '/network/dns/:iface',
    queryPath: '/network/dns/:iface',
    permission: 'network:read',
    type: 'network.dns.get',
    row: schemas.dnsRow,
    params: schemas.dnsParams,
    data: (request) => ({ interface: (request.params as { readonly iface: string }).iface }),
  },
  {
    id: 'PutNodeNetworkDNS',
    method: 'PUT',
    path: '/network/dns',
    queryPath: '/network/dns',
    permission: 'network:write',
    type: 'network.dns.update',
    row: schemas.changeRow,
    body: schemas.dnsUpdateBody,
    data: interfaceData,
  },
  {
    id: 'DeleteNodeNetworkDNS',
    method: 'DELETE',
    path: '/network/dns',
    queryPath: '/network/dns',
    permission: 'network:write',
    type: 'network.dns.delete',
    row: schemas.changeRow,
    body: schemas.dnsDeleteBody,
    data: interfaceData,
  },
  {
    id: 'PostNodeNetworkPing',
    method: 'POST',
    path: '/network/ping',
    queryPath: '/network/ping',
    permission: 'network:read',
    type: 'network.ping.do',
    row: schemas.pingRow,
    body: schemas.pingBody,
  },
  {
    id: 'PostNodeCommandExec',
    method: 'POST',
    path: '/command/exec',
    queryPath: '/command/exec',
    permission: 'command:execute',
    type: 'command.exec.execute',
    row: schemas.commandRow,
    body: schemas.execBody,
  },
  {
    id: 'PostNodeCommandShell',
    method: 'POST',
    path: '/command/shell',
    queryPath: '/command/shell',
    permission: 'command:execute',
    type: 'command.shell.execute',
    row: schemas.commandRow,
    body: schemas.shellBody,
  },
]

// The wire calls it interface_name, the operation interface.
function interfaceData(request: FastifyRequest): unknown {
  const { interface_name, ...rest } = request.body as { readonly interface_name: string }
  return { ...rest, interface: interface_name }
}

export const registerNodeRoutes: Routes = (app, context) => {
  for (const route of nodeRoutes) {
    const { target: place, ...schema } = schemaOf(route)
    register(app, context, { route, url: `/node/:target${route.path}`, schema: { ...schema, params: place } })
  }
}

/** The older form, `GET /node/hostname?target_hostname=web-01`. */
export const registerQueryTargetRoutes: Routes = (app, context) => {
  for (const route of nodeRoutes) {
    const { target: _, ...schema } = schemaOf(route)
    const querystring = input({ 'target_hostname?': targetWithDefault })
    const params = route.params && { params: input(route.params) }
    register(app, context, {
      route,
      url: route.queryPath,
      schema: { ...schema, ...params, querystring, hide: true },
    })
  }
}

function schemaOf(route: NodeRoute): Record<string, unknown> & { target: JsonSchema } {
  const success = route.method === 'GET' || route.type === 'network.ping.do' ? 200 : 202
  return {
    target: input({ target, ...route.params }),
    ...(route.body && { body: route.body }),
    response: { [success]: schemas.results(route.row), '4xx': errorBody, '5xx': errorBody },
  }
}

function register(
  app: Parameters<Routes>[0],
  context: ApiContext,
  { route, url, schema }: { route: NodeRoute; url: string; schema: Record<string, unknown> },
): void {
  const success =
    Object.keys(schema['response'] as object)
      .map(Number)
      .find((code) => code > 0) ?? 200
  app.route({
    method: route.method,
    url,
    schema,
    config: { permission: route.permission, operationId: route.id },
    handler: async (request, reply) => {
      const data = route.data ? route.data(request) : (request.body ?? {})
      const outcome = await context.jobs.run({ type: route.type, data }, targetOf(request))
      const shape = { schema: route.row, isHostnameFromData: route.isHostnameFromData ?? false }
      return reply.code(success).send(toResults(outcome, shape))
    },
  })
}

function targetOf(request: FastifyRequest): string {
  const { target: inPath } = request.params as { readonly target?: string }
  const { target_hostname: inQuery } = request.query as { readonly target_hostname?: string }
  return inPath ?? inQuery ?? '_any'
}
