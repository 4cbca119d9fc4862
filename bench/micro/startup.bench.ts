// What tracing adds to the start of a program: fresh processes in turns, from their start to their first own line of code.
// Usage, after a build: node bench/dist/micro/startup.bench.js [rounds] [path to node]
import { execFileSync, spawnSync } from 'node:child_process'

const ask = `const cpu = process.cpuUsage()
  console.log(JSON.stringify([performance.now(), (cpu.user + cpu.system) / 1000]))`

/** Each prints the milliseconds, and those of CPU time, since its process began. */
const programs = {
  bare: '',
  '@opentelemetry/api alone': `import ${JSON.stringify(import.meta.resolve('@opentelemetry/api'))}`,
  'throughline: initTracer': `
    import { initTracer } from ${JSON.stringify(import.meta.resolve('@throughline/node'))}
    initTracer('bench', { otlpEndpoint: 'http://127.0.0.1:4318' })`,
  'opentelemetry: NodeSDK': `import ${JSON.stringify(new URL('../load/setup-opentelemetry.js', import.meta.url).href)}`,
}

interface Run {
  /** Says more than the wall clock on a busy machine. */
  readonly cpuMs: number
  readonly wallMs: number
}

const rounds = Number(process.argv[2] ?? 11)
const node = process.argv[3] ?? process.execPath
const runs = new Map<string, Run[]>(Object.keys(programs).map((name) => [name, []]))
for (let round = 0; round < rounds; round++)
  for (const [name, program] of Object.entries(programs)) runs.get(name)?.push(runOnce(`${program}\n${ask}`))

const bare = summary(runs.get('bare') ?? [])
const version = execFileSync(node, ['--version'], { encoding: 'utf8' }).trim()
console.log(
  `node ${version}, ${rounds} interleaved fresh processes, median (least), milliseconds over bare node`,
)
for (const [name, list] of runs) {
  const { cpuMs, wallMs } = summary(list)
  const cpu = `${over(cpuMs.median, bare.cpuMs.median)} (${over(cpuMs.min, bare.cpuMs.min)})`
  const wall = `${over(wallMs.median, bare.wallMs.median)} (${over(wallMs.min, bare.wallMs.min)})`
  console.log(`${name.padEnd(26)} CPU ${cpu.padEnd(16)} wall ${wall}`)
}

function runOnce(program: string): Run {
  const { status, stdout, stderr } = spawnSync(node, ['--input-type=module', '-e', program], {
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`a child ended with ${String(status)}: ${stderr}`)
  const [wallMs = Number.NaN, cpuMs = Number.NaN]: number[] = JSON.parse(stdout)
  return { wallMs, cpuMs }
}

interface Figures {
  readonly median: number
  readonly min: number
}

function summary(list: readonly Run[]): { cpuMs: Figures; wallMs: Figures } {
  return { cpuMs: figures(list.map(({ cpuMs }) => cpuMs)), wallMs: figures(list.map(({ wallMs }) => wallMs)) }
}

function figures(values: readonly number[]): Figures {
  const sorted = values.toSorted((a, b) => a - b)
  return { median: sorted[Math.floor(sorted.length / 2)] ?? Number.NaN, min: sorted[0] ?? Number.NaN }
}

function over(value: number, base: number): string {
  return (value - base).toFixed(1)
}
