import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { type Conformance, loadConformance } from './testing/openapi.ts'
import { startTestApi, type TestApi } from './testing/start-api.ts'
import { createAjv } from './validation.ts'

describe('the OpenAPI document', () => {
  let api: TestApi
  let conformance: Conformance
  before(async () => {
    api = await startTestApi()
    conformance = await loadConformance(api.app)
  })
  after(() => api.close())

  it('has every route once, by an id of its own', () => {
    const { paths, openapi } = conformance.document
    assert.equal(openapi, '3.1.0')
    const operations = Object.values(paths).flatMap((item) => Object.values(item))
    const ids = operations.map(({ operationId }) => operationId)
    assert.equal(new Set(ids).size, ids.length)
    assert.equal(ids.length, 33)
    assert.ok(ids.every((id) => /^[A-Z]\w+$/u.test(id)))
  })

  it('names every parameter of a path', () => {
    for (const [path, item] of Object.entries(conformance.document.paths)) {
      const named = [...path.matchAll(/\{(\w+)\}/gu)].map(([, name]) => name)
      for (const operation of Object.values(item)) {
        const declared = operation.parameters.filter(({ in: place }) => place === 'path')
        assert.deepEqual(
          declared.map(({ name }) => name),
          named,
          path,
        )
        assert.ok(declared.every(({ required }) => required))
      }
    }
  })

  it('has references that lead somewhere, and schemas that a validator accepts', () => {
    const ajv = createAjv({ strict: false })
    ajv.addSchema({ $id: 'openapi', ...conformance.document })
    for (const name of Object.keys(conformance.document.components.schemas)) {
      assert.equal(typeof ajv.getSchema(`openapi#/components/schemas/${name}`), 'function', name)
    }
    const text = JSON.stringify(conformance.document)
    assert.ok(text.includes('"$ref":"#/components/schemas/Error"'))
  })

  it('is the same at both places', async () => {
    const bare = await api.app.inject({ method: 'GET', url: '/openapi.json' })
    assert.deepEqual(bare.json(), conformance.document)
  })
})
