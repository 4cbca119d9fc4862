import { isIP } from 'node:net'
import { formatGoDuration } from '../config/duration.ts'
import type { PingResult } from '../job/results.ts'
import { type System, toolError, tryTool, UnsupportedError } from './system.ts'

const packets = 3
const limitSeconds = 5

/** Sends 3 packets within 5 seconds by the host's `ping`; no answer at all is a result too. */
export async function ping(system: System, address: string): Promise<PingResult> {
  if (isIP(address) === 0) throw new Error(`invalid address: ${JSON.stringify(address)} is not an IP address`)
  const outcome = await tryTool(system, 'ping', [
    '-n',
    '-c',
    String(packets),
    '-w',
    String(limitSeconds),
    address,
  ])
  if (outcome === undefined) throw new UnsupportedError('no ping program')
  const result = parsePing(outcome.stdout)
  if (result === undefined) throw toolError('ping', outcome)
  return result
}

/** What iputils' and busybox's ping sum up at their end. */
export function parsePing(output: string): PingResult | undefined {
  const counts = /(\d+) packets transmitted, (\d+) (?:packets )?received/.exec(output)
  if (counts === null) return undefined
  const [sent, received] = [Number(counts[1]), Number(counts[2])]
  const rtts = /(?:rtt|round-trip) min\/avg\/max(?:\/mdev)? = ([\d.]+)\/([\d.]+)\/([\d.]+)/.exec(output)
  const duration = (index: number) => formatGoDuration(Math.round(Number(rtts?.[index] ?? 0) * 1e6))
  return {
    packets_sent: sent,
    packets_received: received,
    packet_loss: sent === 0 ? 0 : ((sent - received) / sent) * 100,
    min_rtt: duration(1),
    avg_rtt: duration(2),
    max_rtt: duration(3),
  }
}
