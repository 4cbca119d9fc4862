import { Command, type CommanderError, InvalidArgumentError } from 'commander'
import { type Flags, flagsOf } from './flags.ts'

export interface FlagSpec {
  /** As commander writes them: `-t, --timeout <seconds>`. */
  readonly flags: string
  readonly description: string
  readonly fallback?: string | number | boolean
  readonly isRequired?: boolean
  /** How the text becomes a value; default: as it is. */
  readonly parse?: (text: string, previous: unknown) => unknown
  /** The configuration key that this flag sets. */
  readonly configKey?: string
}

export interface LeafSpec {
  readonly description: string
  readonly flags?: readonly FlagSpec[]
  /** Runs when its group is named without a command. */
  readonly isDefault?: boolean
}

/** What a run of a command is given: the command's full name, its flags, and the configuration keys they set. */
export interface Invocation {
  /** `osapi client node hostname`; the default command of a group goes by the group's name. */
  readonly path: string
  readonly flags: Flags
  readonly settings: Readonly<Record<string, unknown>>
}

export type Run = (invocation: Invocation) => Promise<number>

/** The command line is wrong. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
  readonly usage: string
  constructor(message: string, usage: string) {
    super(message)
    this.usage = usage
  }
}

/** A node of the command tree under construction. */
export interface Group {
  readonly command: Command
  /** Flags that every command below takes, before or after its name. */
  readonly shared: readonly FlagSpec[]
  group(name: string, description: string, shared?: readonly FlagSpec[]): Group
  leaf(name: string, spec: LeafSpec, run: Run): Group
}

/** `finish` gets the exit code of the command that ran. */
export function rootGroup(
  name: string,
  options: {
    readonly description: string
    readonly shared: readonly FlagSpec[]
    readonly finish: (code: number) => void
  },
): Group {
  const command = new Command(name).description(options.description)
  return groupOf(prepared(command, options.shared), options.shared, options.finish)
}

function groupOf(command: Command, shared: readonly FlagSpec[], finish: (code: number) => void): Group {
  // Without a command of its own, a group explains itself; anything else after its name is a mistake.
  command.action(() => {
    refuseArguments(command)
    command.outputHelp()
    finish(0)
  })
  const group: Group = {
    command,
    shared,
    group: (name, description, more = []) => {
      const child = command.command(name).description(description)
      const inherited = [...shared, ...more]
      return groupOf(prepared(child, inherited), inherited, finish)
    },
    leaf: (name, spec, run) => {
      const child = command
        .command(name, spec.isDefault ? { isDefault: true } : {})
        .description(spec.description)
      const flags = [...(spec.flags ?? []), ...shared]
      prepared(child, flags).action(async () => {
        const path = pathOf(spec.isDefault ? command : child)
        refuseArguments(child, path)
        const given = flagsOf(child)
        requireFlags(child, spec.flags ?? [], given)
        finish(await run({ path, flags: given, settings: settingsOf(flags, given) }))
      })
      return group
    },
  }
  return group
}

function prepared(command: Command, flags: readonly FlagSpec[]): Command {
  command
    .enablePositionalOptions()
    .allowExcessArguments()
    .helpCommand(false)
    .showSuggestionAfterError(false)
    .configureOutput({ outputError: () => {} })
    .exitOverride((error) => {
      throw usageErrorOf(error, command)
    })
  for (const flag of flags) {
    if (flag.parse) command.option(flag.flags, flag.description, flag.parse, flag.fallback)
    else command.option(flag.flags, flag.description, flag.fallback as string | boolean)
  }
  return command
}

function usageErrorOf(error: CommanderError, command: Command): Error {
  if (error.exitCode === 0) return error
  const [, named] = /'([^']+)'/u.exec(error.message) ?? []
  const text = error.message.replace(/^error: /u, '')
  const message = error.code === 'commander.unknownOption' && named ? `unknown flag: ${named}` : text
  return new UsageError(message, command.helpInformation())
}

function refuseArguments(command: Command, path: string = pathOf(command)): void {
  const [first] = command.args
  if (first !== undefined)
    throw new UsageError(`unknown command "${first}" for "${path}"`, command.helpInformation())
}

function requireFlags(command: Command, specs: readonly FlagSpec[], flags: Flags): void {
  const missing = specs.filter((spec) => spec.isRequired && !flags.isGiven(nameOf(spec)))
  if (missing.length === 0) return
  const names = missing.map((spec) => `"${nameOf(spec)}"`).join(', ')
  throw new UsageError(`required flag(s) ${names} not set`, command.helpInformation())
}

function settingsOf(specs: readonly FlagSpec[], flags: Flags): Record<string, unknown> {
  const settings: Record<string, unknown> = {}
  for (const spec of specs) {
    const name = nameOf(spec)
    if (spec.configKey === undefined || !flags.isGiven(name)) continue
    settings[spec.configKey] = flags.list(name) ?? (flags.isOn(name) || flags.text(name))
  }
  return settings
}

function nameOf(spec: FlagSpec): string {
  const [, name = ''] = /--([a-z-]+)/u.exec(spec.flags) ?? []
  return name
}

function pathOf(command: Command): string {
  return command.parent ? `${pathOf(command.parent)} ${command.name()}` : command.name()
}

/** `a,b` and repeated flags are one list; `"b,c"` in quotes is one item. */
export function parseList(text: string, previous: unknown): string[] {
  const before = Array.isArray(previous) ? previous.map(String) : []
  const items = text.match(/(?:"(?:[^"]|"")*"|[^,])+/gu) ?? []
  return [...before, ...items.map(unquoted)]
}

function unquoted(item: string): string {
  return /^".*"$/su.test(item) ? item.slice(1, -1).replaceAll('""', '"') : item
}

export function parseNumber(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !Number.isSafeInteger(value))
    throw new InvalidArgumentError('It must be an integer.')
  return value
}
