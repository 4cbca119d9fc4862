import type * as types from '../api/types.ts'
import { type Answer, createHttpClient, type HttpClient, type HttpClientOptions } from './http.ts'

export { type Answer, ApiError, type HttpClientOptions, type ResponseInfo } from './http.ts'

type Results<Row extends types.HostResult> = Promise<Answer<types.Results<Row>>>

export interface DnsUpdate {
  readonly interface_name: string
  readonly servers?: readonly string[]
  readonly search_domains?: readonly string[]
  readonly override_dhcp?: boolean
}

export interface CommandRun {
  readonly command: string
  readonly args?: readonly string[]
  readonly cwd?: string
  /** Seconds, 1 to 300. */
  readonly timeout?: number
}

export interface Page {
  readonly limit: number
  readonly offset: number
}

/** The API, typed. Methods reject as described at createHttpClient. */
export interface OsapiClient {
  /** Operations of the workers that the target names. */
  node(target: string): NodeClient
  readonly job: {
    add(operation: unknown, target: string): Promise<Answer<types.JobCreated>>
    list(query: Page & { readonly status?: string | undefined }): Promise<Answer<types.JobList>>
    get(id: string): Promise<Answer<types.JobDetail>>
    delete(id: string): Promise<Answer<''>>
    retry(id: string, target: string): Promise<Answer<types.JobCreated>>
    status(): Promise<Answer<types.JobStatus>>
  }
  readonly agent: {
    list(): Promise<Answer<types.AgentList>>
    get(hostname: string): Promise<Answer<types.AgentInfo>>
    drain(hostname: string): Promise<Answer<{ readonly message: string }>>
    undrain(hostname: string): Promise<Answer<{ readonly message: string }>>
  }
  readonly audit: {
    list(page: Page): Promise<Answer<types.AuditList>>
    get(id: string): Promise<Answer<{ readonly entry: types.AuditEntry }>>
    export(): Promise<Answer<types.AuditList>>
  }
  readonly health: {
    liveness(): Promise<Answer<{ readonly status: string }>>
    ready(): Promise<Answer<{ readonly status: string }>>
    /** Also when the status is `degraded`. */
    status(): Promise<Answer<types.HealthStatus>>
  }
  /** Prometheus text. */
  metrics(): Promise<Answer<string>>
}

export interface NodeClient {
  status(): Results<types.NodeStatusResult>
  hostname(): Results<types.HostnameResult>
  updateHostname(hostname: string): Results<types.HostResult>
  disk(): Results<types.DiskResult>
  memory(): Results<types.MemoryResult>
  load(): Results<types.LoadResult>
  uptime(): Results<types.UptimeResult>
  os(): Results<types.OsResult>
  dns(interfaceName: string): Results<types.DnsResult>
  updateDns(update: DnsUpdate): Results<types.HostResult>
  deleteDns(interfaceName: string): Results<types.HostResult>
  ping(address: string): Results<types.PingResult>
  exec(run: CommandRun): Results<types.CommandResult>
  shell(run: Omit<CommandRun, 'args'>): Results<types.CommandResult>
}

export function createOsapiClient(options: HttpClientOptions): OsapiClient {
  const call = createHttpClient(options)
  return {
    node: (target) => nodeClient(call, `/node/${encodeURIComponent(target)}`),
    job: {
      add: (operation, target) =>
        call({ method: 'POST', path: '/job', body: { operation, target_hostname: target } }),
      list: ({ status, limit, offset }) =>
        call({ method: 'GET', path: '/job', query: { status, limit, offset } }),
      get: (id) => call({ method: 'GET', path: `/job/${encodeURIComponent(id)}` }),
      delete: (id) => call({ method: 'DELETE', path: `/job/${encodeURIComponent(id)}` }),
      retry: (id, target) =>
        call({
          method: 'POST',
          path: `/job/${encodeURIComponent(id)}/retry`,
          body: { target_hostname: target },
        }),
      status: () => call({ method: 'GET', path: '/job/status' }),
    },
    agent: {
      list: () => call({ method: 'GET', path: '/agent' }),
      get: (hostname) => call({ method: 'GET', path: `/agent/${encodeURIComponent(hostname)}` }),
      drain: (hostname) => call({ method: 'POST', path: `/agent/${encodeURIComponent(hostname)}/drain` }),
      undrain: (hostname) => call({ method: 'POST', path: `/agent/${encodeURIComponent(hostname)}/undrain` }),
    },
    audit: {
      list: ({ limit, offset }) => call({ method: 'GET', path: '/audit', query: { limit, offset } }),
      get: (id) => call({ method: 'GET', path: `/audit/${encodeURIComponent(id)}` }),
      export: () => call({ method: 'GET', path: '/audit/export' }),
    },
    health: {
      liveness: () => call({ method: 'GET', path: '/health' }),
      ready: () => call({ method: 'GET', path: '/health/ready' }),
      status: () => call({ method: 'GET', path: '/health/status', accepted: [503] }),
    },
    metrics: () => call({ method: 'GET', path: '/metrics', isText: true }),
  }
}

function nodeClient(call: HttpClient, base: string): NodeClient {
  const get = <Body>(path: string): Promise<Answer<Body>> => call({ method: 'GET', path: base + path })
  return {
    status: () => get(''),
    hostname: () => get('/hostname'),
    updateHostname: (hostname) => call({ method: 'PUT', path: `${base}/hostname`, body: { hostname } }),
    disk: () => get('/disk'),
    memory: () => get('/memory'),
    load: () => get('/load'),
    uptime: () => get('/uptime'),
    os: () => get('/os'),
    dns: (interfaceName) => get(`/network/dns/${encodeURIComponent(interfaceName)}`),
    updateDns: (update) => call({ method: 'PUT', path: `${base}/network/dns`, body: update }),
    deleteDns: (interfaceName) =>
      call({ method: 'DELETE', path: `${base}/network/dns`, body: { interface_name: interfaceName } }),
    ping: (address) => call({ method: 'POST', path: `${base}/network/ping`, body: { address } }),
    exec: (run) => call({ method: 'POST', path: `${base}/command/exec`, body: run }),
    shell: (run) => call({ method: 'POST', path: `${base}/command/shell`, body: run }),
  }
}
