import type { JobStatus, Operation } from '../../job/model.ts'
import type { Routes } from '../context.ts'
import { errorBody } from '../schemas/common.ts'
import * as schemas from '../schemas/job.ts'
import { input, uuid } from '../schemas/schema.ts'

const failures = { '4xx': errorBody, '5xx': errorBody }
const idParams = input({ id: uuid })

/** A job that went to the dead letters without a definition is known by its sequence number alone. */
const retryParams = input({
  id: { type: 'string', anyOf: [{ format: 'uuid' }, { pattern: '^[1-9][0-9]{0,15}$' }] },
})

export const registerJobRoutes: Routes = (app, { jobs }) => {
  app.route<{ Body: { operation: Operation; target_hostname: string } }>({
    method: 'POST',
    url: '/job',
    schema: { body: schemas.jobBody, response: { 201: schemas.jobCreated, ...failures } },
    config: { permission: 'job:write', operationId: 'PostJob' },
    handler: async ({ body }, reply) =>
      reply.code(201).send(await jobs.add(body.operation, body.target_hostname)),
  })
  app.route<{ Querystring: { status?: JobStatus | 'unprocessed'; limit: number; offset: number } }>({
    method: 'GET',
    url: '/job',
    schema: { querystring: schemas.jobQuery, response: { 200: schemas.jobList, ...failures } },
    config: { permission: 'job:read', operationId: 'GetJob' },
    handler: async ({ query: { status, limit, offset } }) =>
      await jobs.list({
        ...(status && { status: status === 'unprocessed' ? 'submitted' : status }),
        limit,
        offset,
      }),
  })
  app.route({
    method: 'GET',
    url: '/job/status',
    schema: { response: { 200: schemas.jobStatus, ...failures } },
    config: { permission: 'job:read', operationId: 'GetJobStatus' },
    handler: async () => await jobs.status(),
  })
  app.route<{ Params: { id: string } }>({
    method: 'GET',
    url: '/job/:id',
    schema: { params: idParams, response: { 200: schemas.jobDetail, ...failures } },
    config: { permission: 'job:read', operationId: 'GetJobByID' },
    handler: async ({ params }) => await jobs.get(params.id),
  })
  app.route<{ Params: { id: string } }>({
    method: 'DELETE',
    url: '/job/:id',
    schema: { params: idParams, response: { 204: { type: 'null' }, ...failures } },
    config: { permission: 'job:write', operationId: 'DeleteJobByID' },
    handler: async ({ params }, reply) => {
      await jobs.delete(params.id)
      return reply.code(204).send()
    },
  })
  app.route<{ Params: { id: string }; Body: { target_hostname?: string } | null | undefined }>({
    method: 'POST',
    url: '/job/:id/retry',
    schema: {
      params: retryParams,
      body: schemas.retryBody,
      response: { 201: schemas.jobCreated, ...failures },
    },
    config: { permission: 'job:write', operationId: 'RetryJobByID' },
    handler: async ({ params, body }, reply) =>
      reply.code(201).send(await jobs.retry(params.id, body?.target_hostname ?? '_any')),
  })
}
