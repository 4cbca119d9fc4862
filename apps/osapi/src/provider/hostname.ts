import { readHostname } from './node.ts'
import { isMissing, type System, toolError, tryTool, UnsupportedError } from './system.ts'

const hostnamePattern =
  /^(?=.{1,253}$)[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$/

/** Names the host by hostnamectl; where systemd does not run, by the kernel and /etc/hostname. */
export async function updateHostname(
  system: System,
  hostname: string,
): Promise<{ readonly hostname: string; readonly changed: boolean }> {
  if (!hostnamePattern.test(hostname)) throw new Error(`invalid hostname: ${JSON.stringify(hostname)}`)
  if ((await readHostname(system)) === hostname) return { hostname, changed: false }
  const outcome = await tryTool(system, 'hostnamectl', ['set-hostname', hostname])
  if (outcome === undefined || /not been booted with systemd|bus/i.test(outcome.stderr)) {
    await nameByKernel(system, hostname)
  } else if (outcome.exitCode !== 0) {
    throw toolError('hostnamectl', outcome)
  }
  return { hostname, changed: true }
}

async function nameByKernel(system: System, hostname: string): Promise<void> {
  try {
    await system.read('/proc/sys/kernel/hostname')
  } catch (error) {
    if (isMissing(error)) throw new UnsupportedError('neither hostnamectl nor /proc/sys/kernel/hostname')
    throw error
  }
  await system.write('/proc/sys/kernel/hostname', `${hostname}\n`)
  await system.write('/etc/hostname', `${hostname}\n`)
}
