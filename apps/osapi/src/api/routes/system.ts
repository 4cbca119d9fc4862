import type { Routes } from '../context.ts'
import { errorBody } from '../schemas/common.ts'
import { health, healthStatus, notReady, ready, versionInfo } from '../schemas/system.ts'
import { versionOf } from '../version-info.ts'

export const registerSystemRoutes: Routes = (app, context) => {
  app.route({
    method: 'GET',
    url: '/health',
    schema: { response: { 200: health } },
    config: { operationId: 'GetHealth' },
    handler: () => Promise.resolve({ status: 'ok' }),
  })
  app.route({
    method: 'GET',
    url: '/health/ready',
    schema: { response: { 200: ready, 503: notReady } },
    config: { operationId: 'GetHealthReady' },
    handler: async (_, reply) => {
      const error = await context.health.unreadiness()
      return error === undefined ? { status: 'ready' } : reply.code(503).send({ status: 'not_ready', error })
    },
  })
  app.route({
    method: 'GET',
    url: '/health/status',
    schema: { response: { 200: healthStatus, 503: healthStatus, '4xx': errorBody } },
    config: { permission: 'health:read', operationId: 'GetHealthStatus' },
    handler: async (_, reply) => {
      const status = await context.health.status()
      for (const [name, component] of Object.entries(status.components)) {
        context.metrics.setSubsystem(name, component.status === 'ok')
      }
      return reply.code(status.status === 'ok' ? 200 : 503).send(status)
    },
  })
  app.route({
    method: 'GET',
    url: '/version',
    schema: { response: { 200: versionInfo } },
    config: { operationId: 'GetVersion' },
    handler: () => Promise.resolve(versionOf(context.version)),
  })
  app.route({
    method: 'GET',
    url: '/metrics',
    config: { operationId: 'GetMetrics' },
    handler: async (_, reply) => {
      const { registry } = context.metrics
      return reply.type(registry.contentType).send(await registry.metrics())
    },
  })
}
