import type { Routes } from '../context.ts'
import { HttpError } from '../errors.ts'
import { errorBody } from '../schemas/common.ts'
import { input, uuid } from '../schemas/schema.ts'
import { auditAnswer, auditList, auditQuery } from '../schemas/system.ts'

const failures = { '4xx': errorBody, '5xx': errorBody }

export const registerAuditRoutes: Routes = (app, { audit }) => {
  app.route<{ Querystring: { limit: number; offset: number } }>({
    method: 'GET',
    url: '/audit',
    schema: { querystring: auditQuery, response: { 200: auditList, ...failures } },
    config: { permission: 'audit:read', operationId: 'GetAuditLogs' },
    handler: async ({ query }) => {
      const { total, entries } = await audit.list(query)
      return { total_items: total, items: entries }
    },
  })
  app.route({
    method: 'GET',
    url: '/audit/export',
    schema: { response: { 200: auditList, ...failures } },
    config: { permission: 'audit:read', operationId: 'GetAuditExport' },
    handler: async () => {
      const { total, entries } = await audit.all()
      return { total_items: total, items: entries }
    },
  })
  app.route<{ Params: { id: string } }>({
    method: 'GET',
    url: '/audit/:id',
    schema: { params: input({ id: uuid }), response: { 200: auditAnswer, ...failures } },
    config: { permission: 'audit:read', operationId: 'GetAuditLogByID' },
    handler: async ({ params }) => {
      const entry = await audit.get(params.id)
      if (!entry) throw new HttpError(404, `audit entry not found: ${params.id}`)
      return { entry }
    },
  })
}
