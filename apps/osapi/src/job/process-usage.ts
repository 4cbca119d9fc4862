/** Asks for this process's share of a CPU since the last question, and its memory. */
export function processUsage(): () => { readonly cpu_percent: number; readonly rss_bytes: number } {
  let last = { cpu: process.cpuUsage(), at: performance.now() }
  return () => {
    const cpu = process.cpuUsage(last.cpu)
    const elapsedMs = Math.max(1, performance.now() - last.at)
    last = { cpu: process.cpuUsage(), at: performance.now() }
    const percent = (cpu.user + cpu.system) / 1000 / elapsedMs / 0.01
    return { cpu_percent: Math.round(percent * 10) / 10, rss_bytes: process.memoryUsage.rss() }
  }
}
