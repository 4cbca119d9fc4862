export const msOf = (unixNano: string): number => Number(BigInt(unixNano) / 1_000_000n)

export function formatTime(unixNano: string): string {
  const date = new Date(msOf(unixNano))
  return Number.isNaN(date.getTime()) ? unixNano : date.toLocaleString()
}

/** The time of day; on another day than today, with the date. */
export function formatClock(unixMs: number): string {
  const date = new Date(unixMs)
  if (Number.isNaN(date.getTime())) return 'an unknown time'
  const isToday = date.toDateString() === new Date().toDateString()
  return isToday ? date.toLocaleTimeString() : date.toLocaleString()
}

export function formatAge(unixNano: string, nowMs: number): string {
  const seconds = Math.round((nowMs - msOf(unixNano)) / 1000)
  if (seconds < -5) return formatTime(unixNano)
  if (seconds < 5) return 'just now'
  if (seconds < 60) return `${seconds} s ago`
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ago`
  return formatTime(unixNano)
}

export const counted = (count: number, what: string): string =>
  `${count.toLocaleString()} ${what}${count === 1 ? '' : 's'}`

const paletteSize = 10

/** A colour number per service: by name, so that it stays from trace to trace; neighbours move on where two would share. */
export function serviceColors(services: readonly string[]): ReadonlyMap<string, string> {
  const taken = new Set<number>()
  const colors = new Map<string, string>()
  for (const service of services.toSorted()) {
    let index = hash(service) % paletteSize
    while (taken.has(index) && taken.size < paletteSize) index = (index + 1) % paletteSize
    taken.add(index)
    colors.set(service, `var(--service-${index})`)
  }
  return colors
}

function hash(text: string): number {
  let value = 7
  for (let i = 0; i < text.length; i++) value = (value * 31 + text.charCodeAt(i)) >>> 0
  return value
}
