import type { AgentInfo } from '../../job/agent-info.ts'
import type { Routes } from '../context.ts'
import { namedBy } from '../results.ts'
import { errorBody, target } from '../schemas/common.ts'
import { input } from '../schemas/schema.ts'
import { agentInfo, agentList, message } from '../schemas/system.ts'

const failures = { '4xx': errorBody, '5xx': errorBody }
const params = input({ hostname: { ...target, description: 'Hostname or machine id.' } })

export const registerAgentRoutes: Routes = (app, { agents }) => {
  app.route({
    method: 'GET',
    url: '/agent',
    schema: { response: { 200: agentList, ...failures } },
    config: { permission: 'agent:read', operationId: 'GetAgents' },
    handler: async () => {
      const found = await agents.list()
      return { agents: found.map(agentAnswer), total: found.length }
    },
  })
  app.route<{ Params: { hostname: string } }>({
    method: 'GET',
    url: '/agent/:hostname',
    schema: { params, response: { 200: agentInfo, ...failures } },
    config: { permission: 'agent:read', operationId: 'GetAgentByHostname' },
    handler: async (request) => agentAnswer(await agents.get(request.params.hostname)),
  })
  for (const action of ['drain', 'undrain'] as const) {
    app.route<{ Params: { hostname: string } }>({
      method: 'POST',
      url: `/agent/:hostname/${action}`,
      schema: { params, response: { 200: message, ...failures } },
      config: { permission: 'agent:write', operationId: action === 'drain' ? 'DrainAgent' : 'UndrainAgent' },
      handler: async (request) => {
        const { hostname } = request.params
        await agents[action](hostname)
        return { message: `${action} initiated for agent ${hostname}` }
      },
    })
  }
}

/** `registered_at` is written anew by every heartbeat, so it says when the worker was last seen. */
function agentAnswer(agent: AgentInfo): Record<string, unknown> {
  return { ...namedBy(agentInfo, agent), last_seen: agent.registered_at }
}
