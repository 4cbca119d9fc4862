import { isIP } from 'node:net'
import { Ajv2020, type Options } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'
import type { FastifyInstance } from 'fastify'
import type { JsonSchema } from './schemas/schema.ts'

/** A validator of the API's schemas. */
export function createAjv(options: Options = {}): Ajv2020 {
  const ajv = new Ajv2020({ strict: true, strictTypes: false, strictRequired: false, ...options })
  formats.default(ajv)
  ajv.addFormat('ip-or-fact', (value) => isIP(value) > 0 || /^@fact\.[a-zA-Z0-9_.-]+$/u.test(value))
  return ajv
}

/**
 * Requests are validated by their schemas: texts of the path and query are converted to what the schema asks for, bodies
 * are taken as they are. With `checkResponses`, an answer that its schema does not allow is an error, for tests.
 */
export function validateBySchemas(
  app: FastifyInstance,
  options: { readonly checkResponses?: boolean } = {},
): void {
  const texts = createAjv({ coerceTypes: true, useDefaults: true })
  const bodies = createAjv({ useDefaults: true })
  app.setValidatorCompiler(({ schema, httpPart }) =>
    (httpPart === 'body' ? bodies : texts).compile(schema as JsonSchema),
  )
  const answers = createAjv()
  app.setSerializerCompiler(({ schema, method, url, httpStatus }) => {
    if (options.checkResponses !== true) return JSON.stringify
    const isValid = answers.compile(schema as JsonSchema)
    return (data) => {
      const text = JSON.stringify(data)
      // As on the wire: a property that is undefined is not there.
      if (isValid(JSON.parse(text))) return text
      throw new Error(`${method} ${url} ${httpStatus}: ${answers.errorsText(isValid.errors)}: ${text}`)
    }
  })
}
