import { isTree } from '../config/tree.ts'

/** What a worker needs of a definition. */
export interface ParsedJob {
  readonly type: string
  readonly category: string
  readonly operation: string
  readonly data: unknown
}

/** Checks the text of a definition, which anyone who may write to the bucket can have written. */
export function parseJob(text: string): ParsedJob | { readonly error: string } {
  let definition: unknown
  try {
    definition = JSON.parse(text)
  } catch {
    return { error: 'invalid job format: not JSON' }
  }
  if (!isTree(definition) || typeof definition['id'] !== 'string' || definition['id'] === '') {
    return { error: 'invalid job format: missing id' }
  }
  const { operation } = definition
  if (!isTree(operation)) return { error: 'invalid job format: missing operation' }
  const { type, data } = operation
  if (typeof type !== 'string' || type === '')
    return { error: 'invalid operation format: missing type field' }
  const [category = '', ...rest] = type.split('.')
  if (category === '' || rest.length === 0 || rest.includes('')) {
    return { error: `invalid operation type format: ${type}` }
  }
  return { type, category, operation: rest.join('.'), data }
}
