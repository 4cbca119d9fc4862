import { formatAge } from '../../age.ts'

const cellCharsMax = 79

/** The age of a timestamp, `-` when it is missing or no time. */
export function formatSince(timestamp: string | undefined, now: Date): string {
  const time = Date.parse(timestamp ?? '')
  return Number.isNaN(time) ? '-' : formatAge((now.getTime() - time) / 1000)
}

/** 1024 based with one decimal: `1.0 KB`, `15.1 GB`; `512 B` below. */
export function formatBytes(bytes: number): string {
  const { value, unit } = scale(bytes)
  return unit === 'B' ? `${value} B` : `${value.toFixed(1)} ${unit}`
}

/** 1024 based without decimals: `97 GB`. */
export function formatBytesWhole(bytes: number): string {
  const { value, unit } = scale(bytes)
  return `${Math.round(value)} ${unit}`
}

function scale(bytes: number): { value: number; unit: string } {
  const units = ['B', 'KB', 'MB', 'GB', 'TB']
  let value = bytes
  let index = 0
  while (value >= 1024 && index < units.length - 1) {
    value /= 1024
    index++
  }
  return { value, unit: units[index] ?? 'B' }
}

/** `58%`; `-` when the whole is nothing. */
export function formatPercent(part: number, whole: number): string {
  return whole > 0 ? `${Math.round((part / whole) * 100)}%` : '-'
}

/** `2026-02-16 13:21`, in the zone of the one who reads it. */
export function formatMinute(timestamp: string): string {
  const date = new Date(timestamp)
  if (Number.isNaN(date.getTime())) return timestamp
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}`
}

function two(value: number): string {
  return String(value).padStart(2, '0')
}

export function formatLabels(labels: Readonly<Record<string, string>> | undefined): string {
  const pairs = Object.entries(labels ?? {}).map(([key, value]) => `${key}:${value}`)
  return pairs.join(', ') || '-'
}

/**
 * One line of at most 79 characters. Text of a remote host may hold line breaks and terminal control sequences:
 * neither may tear the table or reach the terminal.
 */
export function formatCell(text: string): string {
  const flat = stripControls(text).replace(/\s+/gu, ' ').trim()
  const characters = Array.from(flat)
  return characters.length <= cellCharsMax ? flat : `${characters.slice(0, cellCharsMax - 1).join('')}…`
}

/** The text without terminal control sequences and control characters other than white space. */
export function stripControls(text: string): string {
  return text.replace(controlSequence, '').replace(controlCharacter, '')
}

// ECMA-48: control sequences (CSI), operating system commands (OSC, ended by BEL or ST) and two-character escapes.
const controlSequence = new RegExp(
  String.raw`\u001B(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001B]*(?:\u0007|\u001B\\)?|[@-Z\\-_])`,
  'gu',
)
const controlCharacter = new RegExp(String.raw`[\u0000-\u0008\u000E-\u001F\u007F-\u009F]`, 'gu')
