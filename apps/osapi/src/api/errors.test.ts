import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { TimeoutError } from '@nats-io/nats-core'
import { fastify } from 'fastify'
import { createLogger } from '../logger.ts'
import { handleErrors } from './errors.ts'

describe('errors of a handler', () => {
  for (const { error, status, text, level } of [
    { error: new TimeoutError(), status: 503, text: 'nats does not answer: timeout', level: 'WRN' },
    { error: new Error('secret'), status: 500, text: 'internal server error', level: 'ERR' },
  ]) {
    it(`${error.name} is ${status}, and logged`, async () => {
      const log: string[] = []
      const app = fastify()
      handleErrors(app, createLogger({ write: (line) => void log.push(line) }))
      app.get('/', () => Promise.reject(error))
      const response = await app.inject('/')
      assert.equal(response.statusCode, status)
      assert.deepEqual(response.json(), { error: text })
      assert.match(log.join(''), new RegExp(` ${level} .*method=GET path=/ error=`, 'u'))
      await app.close()
    })
  }
})
