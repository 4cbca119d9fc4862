import { errors as natsErrors } from '@nats-io/nats-core'
import type {
  FastifyError,
  FastifyInstance,
  FastifyReply,
  FastifyRequest,
  FastifySchemaValidationError,
} from 'fastify'
import { JobError } from '../job/client.ts'
import type { Logger } from '../logger.ts'

/** A refusal with the status and text that the client gets. */
export class HttpError extends Error {
  override readonly name = 'HttpError'
  /** Fastify's name for it, by which tracing knows a refusal from a failure. */
  readonly statusCode: number
  constructor(statusCode: number, message: string) {
    super(message)
    this.statusCode = statusCode
  }
}

/** Makes every error an `{ error }` body: refusals with their text, anything unforeseen as 500, logged with its stack. */
export function handleErrors(app: FastifyInstance, logger: Logger): void {
  app.setErrorHandler((error: unknown, request, reply) => sendError(error, { request, reply, logger }))
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?', 1)[0]
    return reply.code(404).send({ error: `not found: ${request.method} ${path}` })
  })
}

/** For what fails before there is a route, such as a path that cannot be decoded; no error handler sees it. */
export function answerUnroutable(error: FastifyError, reply: FastifyReply): void {
  void reply.code(error.statusCode ?? 400).send({ error: error.message })
}

async function sendError(
  error: unknown,
  { request, reply, logger }: { request: FastifyRequest; reply: FastifyReply; logger: Logger },
): Promise<FastifyReply> {
  if (error instanceof HttpError) return reply.code(error.statusCode).send({ error: error.message })
  if (error instanceof JobError) return sendJobError(error, reply)
  const known = error as Partial<FastifyError>
  if (known.validation) return reply.code(400).send({ error: validationText(known as FastifyError) })
  const status = known.statusCode ?? 500
  if (status < 500) return reply.code(status).send({ error: refusalText(known, request) })
  if (unreachable.some((kind) => error instanceof kind)) {
    logger.warn({ method: request.method, path: request.url, error }, 'nats does not answer')
    return reply.code(503).send({ error: `nats does not answer: ${known.message}` })
  }
  logger.error(
    { method: request.method, path: request.url, error, stack: known.stack },
    'request failed unexpectedly',
  )
  return reply.code(500).send({ error: 'internal server error' })
}

const unreachable = [
  natsErrors.TimeoutError,
  natsErrors.NoRespondersError,
  natsErrors.ConnectionError,
  natsErrors.ClosedConnectionError,
  natsErrors.DrainingConnectionError,
]

function sendJobError(error: JobError, reply: FastifyReply): FastifyReply {
  return reply.code(error.status).send({
    error: error.message,
    ...(error.jobId !== undefined && { details: `job id: ${error.jobId}` }),
  })
}

function refusalText(error: Partial<FastifyError>, request: FastifyRequest): string {
  if (error.statusCode === 413)
    return `request body too large: at most ${request.routeOptions.bodyLimit} bytes`
  return error.message ?? 'bad request'
}

/** `field "timeout" in body: must be <= 300 (rule: maximum)`, for the first problem. */
function validationText(error: FastifyError): string {
  const [problem] = error.validation ?? []
  if (!problem) return error.message
  const place = places[error.validationContext ?? ''] ?? 'request'
  const lacking = error.validation?.filter(({ keyword }) => keyword === 'required').map(fieldOf) ?? []
  if (lacking.length > 1 && error.validation?.some(({ keyword }) => keyword === 'anyOf')) {
    return `fields in ${place}: must have at least one of ${lacking.join(', ')} (rule: anyOf)`
  }
  return `field "${fieldOf(problem)}" in ${place}: ${problem.message} (rule: ${problem.keyword})`
}

const places: Readonly<Record<string, string>> = { body: 'body', querystring: 'query', params: 'path' }

function fieldOf({ instancePath, params, keyword }: FastifySchemaValidationError): string {
  const path = instancePath.split('/').slice(1)
  const missing = params['missingProperty']
  if (keyword === 'required' && typeof missing === 'string') path.push(missing)
  return path.join('.')
}
