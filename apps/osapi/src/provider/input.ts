import { isTree } from '../config/tree.ts'

// Jobs may come from anyone who may publish: their data is checked again where it is used.

export class Input {
  readonly #fields: Readonly<Record<string, unknown>>

  constructor(data: unknown) {
    this.#fields = isTree(data) ? data : {}
  }

  /** A text that must be there. */
  text(name: string): string {
    const value = this.optionalText(name)
    if (value === '') throw new Error(`missing field: ${name}`)
    return value
  }

  optionalText(name: string): string {
    const value = this.#fields[name] ?? ''
    if (typeof value === 'string') return value
    throw new Error(`invalid field ${name}: not a text`)
  }

  texts(name: string): readonly string[] {
    const value = this.#fields[name] ?? []
    if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value
    throw new Error(`invalid field ${name}: not a list of texts`)
  }

  number(name: string): number {
    const value = this.#fields[name] ?? 0
    if (typeof value === 'number' && Number.isFinite(value)) return value
    throw new Error(`invalid field ${name}: not a number`)
  }

  flag(name: string): boolean {
    return this.#fields[name] === true
  }
}
