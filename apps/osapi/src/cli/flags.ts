import type { Command } from 'commander'

/** The flags of one run, those of the command and of the groups above it. */
export interface Flags {
  /** `job-id` for `--job-id`. Undefined when neither given nor defaulted. */
  text(name: string): string | undefined
  /** Of a flag that is required or has a default. */
  required(name: string): string
  number(name: string): number
  list(name: string): readonly string[] | undefined
  isOn(name: string): boolean
  /** Given on the command line, not by default. */
  isGiven(name: string): boolean
}

/** Reads flags from the command outwards; one that was given wins over every default. */
export function flagsOf(command: Command): Flags {
  const chain: Command[] = []
  for (let at: Command | null = command; at; at = at.parent) chain.push(at)
  const value = (name: string): unknown => {
    const key = camelCase(name)
    const giver = chain.find((at) => at.getOptionValueSource(key) === 'cli')
    const holder = giver ?? chain.find((at) => at.getOptionValue(key) !== undefined)
    return holder?.getOptionValue(key) as unknown
  }
  const text = (name: string): string | undefined => {
    const found = value(name)
    return typeof found === 'string' || typeof found === 'number' ? String(found) : undefined
  }
  const required = (name: string): string => {
    const found = text(name)
    if (found === undefined) throw new Error(`flag --${name} has neither a value nor a default`)
    return found
  }
  return {
    text,
    required,
    number: (name) => Number(required(name)),
    list: (name) => {
      const found = value(name)
      return Array.isArray(found) ? found.map(String) : undefined
    },
    isOn: (name) => value(name) === true,
    isGiven: (name) => chain.some((at) => at.getOptionValueSource(camelCase(name)) === 'cli'),
  }
}

function camelCase(name: string): string {
  return name.replaceAll(/-([a-z])/gu, (_, letter: string) => letter.toUpperCase())
}
