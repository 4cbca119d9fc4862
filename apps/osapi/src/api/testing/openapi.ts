import assert from 'node:assert/strict'
import type { ValidateFunction } from 'ajv'
import type { FastifyInstance } from 'fastify'
import type { JsonSchema } from '../schemas/schema.ts'
import { createAjv } from '../validation.ts'

interface Operation {
  readonly operationId: string
  readonly parameters: readonly { readonly name: string; readonly in: string; readonly required: boolean }[]
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: JsonSchema }>> }
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { schema: JsonSchema }>> }>
  >
}

export interface OpenApiDocument {
  readonly openapi: string
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, JsonSchema>> }
}

/** Checks answers against the document that the server itself hands out. */
export interface Conformance {
  readonly document: OpenApiDocument
  /** Throws when the document does not allow this answer. */
  check(answer: {
    readonly method: string
    readonly url: string
    readonly status: number
    readonly body: string
  }): void
  /** The operations that have been checked with a 2xx answer. */
  readonly seen: ReadonlySet<string>
}

export async function loadConformance(app: FastifyInstance): Promise<Conformance> {
  const response = await app.inject({ method: 'GET', url: '/api/openapi.json' })
  const document = response.json<OpenApiDocument>()
  const ajv = createAjv({ strict: false })
  ajv.addSchema({ $id: 'openapi', ...document })
  const seen = new Set<string>()
  return {
    document,
    seen,
    check: ({ method, url, status, body }) => {
      const path = url.split('?', 1)[0]?.replace(/^\/api\//u, '/') ?? ''
      const template = templateOf(document, path)
      assert.ok(template, `${path} is not in the document`)
      const responses = document.paths[template]?.[method.toLowerCase()]?.responses
      assert.ok(responses, `${method} ${template} is not in the document`)
      const key = String(status) in responses ? String(status) : `${String(status)[0]}XX`
      assert.ok(responses[key], `${method} ${template} has no answer ${status}`)
      if (status < 300) seen.add(`${method.toLowerCase()} ${template}`)
      if (!responses[key].content) return
      const place = [
        'paths',
        template,
        method.toLowerCase(),
        'responses',
        key,
        'content',
        'application/json',
        'schema',
      ]
      const isValid = ajv.getSchema(`openapi#/${place.map(pointer).join('/')}`) as ValidateFunction
      assert.ok(
        isValid(JSON.parse(body)),
        `${method} ${template} ${status}: ${ajv.errorsText(isValid.errors)}: ${body}`,
      )
    },
  }
}

/** The template that matches, a literal segment before a parameter. */
function templateOf({ paths }: OpenApiDocument, path: string): string | undefined {
  const segments = path.split('/')
  const matching = Object.keys(paths).filter((template) => {
    const parts = template.split('/')
    return (
      parts.length === segments.length &&
      parts.every((part, i) => part.startsWith('{') || part === segments[i])
    )
  })
  return matching.toSorted((a, b) => a.split('{').length - b.split('{').length)[0]
}

function pointer(text: string): string {
  return encodeURIComponent(text.replaceAll('~', '~0').replaceAll('/', '~1'))
}
