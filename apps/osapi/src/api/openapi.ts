import type { FastifyInstance, RouteOptions } from 'fastify'
import type { Routes } from './context.ts'
import * as common from './schemas/common.ts'
import * as job from './schemas/job.ts'
import type { JsonSchema } from './schemas/schema.ts'
import * as system from './schemas/system.ts'

type Json = Record<string, unknown>

/** Schemas that the document names once. Everything else stands where it is used. */
const components: Readonly<Record<string, JsonSchema>> = {
  Error: common.errorBody,
  Memory: common.memory,
  LoadAverage: common.loadAverage,
  Disk: common.disk,
  OsInfo: common.osInfo,
  Operation: common.operation,
  TimelineEvent: common.timelineEvent,
  Job: job.jobDetail,
  JobCreated: job.jobCreated,
  JobList: job.jobList,
  JobStatus: job.jobStatus,
  Agent: system.agentInfo,
  AgentList: system.agentList,
  AuditEntry: system.auditEntry,
  AuditList: system.auditList,
  HealthStatus: system.healthStatus,
}

/** Collects the routes that are registered from now on, and returns the routes that serve the document of them. */
export function serveOpenApi(app: FastifyInstance, version: string): Routes {
  const routes: RouteOptions[] = []
  app.addHook('onRoute', (route) => {
    if (route.url.startsWith('/api/') && route.method !== 'HEAD') routes.push(route)
  })
  let document: Json | undefined
  return (scope) => {
    scope.get('/openapi.json', { config: { operationId: 'GetOpenApi' } }, async (_, reply) => {
      document ??= openApiDocument(routes, version)
      return reply.type('application/json').send(document)
    })
  }
}

/** OpenAPI 3.1 of these routes: their schemas are the ones that requests are validated with. */
export function openApiDocument(routes: readonly RouteOptions[], version: string): Json {
  const paths: Record<string, Json> = {}
  for (const route of routes) {
    const path = route.url.slice('/api'.length).replaceAll(/:(\w+)/gu, '{$1}')
    for (const method of [route.method].flat()) {
      paths[path] ??= {}
      paths[path][method.toLowerCase()] = operationOf(route)
    }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'OSAPI',
      version,
      description: 'Query and change Linux hosts.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/api' }, { url: '/' }],
    paths,
    components: {
      schemas: Object.fromEntries(
        Object.entries(components).map(([name, schema]) => [name, inlined(schema)]),
      ),
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } },
    },
  }
}

function operationOf(route: RouteOptions): Json {
  const { permission, operationId } = route.config ?? {}
  const schema = (route.schema ?? {}) as Readonly<Record<string, JsonSchema | undefined>>
  const { body, params, querystring, response = defaultResponse } = schema
  return {
    operationId,
    ...(permission !== undefined && {
      security: [{ bearer: [] }],
      description: `Needs permission \`${permission}\`.`,
    }),
    parameters: [...parametersOf(params, 'path'), ...parametersOf(querystring, 'query')],
    ...(body && {
      requestBody: {
        required: body['type'] === 'object',
        content: { 'application/json': { schema: referenced(body) } },
      },
    }),
    responses: Object.fromEntries(
      Object.entries(response).map(([status, answer]) => [
        status.toUpperCase(),
        responseOf(status, answer as JsonSchema),
      ]),
    ),
  }
}

const defaultResponse: JsonSchema = { 200: {} }

function responseOf(status: string, schema: JsonSchema): Json {
  const description = descriptions[status[0] ?? ''] ?? 'Answer.'
  if (status === '204') return { description }
  if (Object.keys(schema).length === 0) return { description }
  return { description, content: { 'application/json': { schema: referenced(schema) } } }
}

const descriptions: Readonly<Record<string, string>> = {
  2: 'Done.',
  4: 'The request was refused.',
  5: 'The request failed.',
}

function parametersOf(schema: JsonSchema | undefined, place: 'path' | 'query'): Json[] {
  const required = (schema?.['required'] ?? []) as readonly string[]
  return Object.entries((schema?.['properties'] ?? {}) as Record<string, JsonSchema>).map(
    ([name, property]) => ({
      name,
      in: place,
      required: place === 'path' || required.includes(name),
      schema: property,
    }),
  )
}

const nameOf: ReadonlyMap<unknown, string> = new Map(
  Object.entries(components).map(([name, schema]) => [schema, name]),
)

/** The schema with every named one inside it replaced by a reference. */
function referenced(value: unknown): unknown {
  const name = nameOf.get(value)
  return name === undefined ? inlined(value) : { $ref: `#/components/schemas/${name}` }
}

function inlined(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(referenced)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, referenced(inner)]))
}
