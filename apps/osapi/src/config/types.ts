/**
 * The whole configuration, every key present. Names and nesting are those of the YAML file, so that one name is found
 * in the file, in the code and in messages; durations are milliseconds.
 */
export interface Config {
  readonly debug: boolean
  readonly controller: {
    readonly client: { readonly url: string; readonly security: { readonly bearer_token: string } }
    readonly api: {
      readonly port: number
      /** How long a request waits for the answers of workers. */
      readonly job_timeout: number
      readonly security: {
        readonly signing_key: string
        readonly cors: { readonly allow_origins: readonly string[] }
        readonly roles: Readonly<Record<string, { readonly permissions: readonly string[] }>>
      }
    }
    readonly nats: NatsConnectionConfig
    readonly metrics: MetricsConfig
  }
  readonly nats: NatsConfig
  readonly telemetry: { readonly tracing: TracingConfig }
  readonly agent: AgentConfig
}

export interface NatsAuthConfig {
  readonly type: 'none' | 'user_pass' | 'nkey'
  readonly username: string
  readonly password: string
  readonly nkey_file: string
}

export interface NatsConnectionConfig {
  readonly host: string
  readonly port: number
  readonly client_name: string
  readonly namespace: string
  readonly auth: NatsAuthConfig
}

export interface MetricsConfig {
  readonly enabled: boolean
  readonly host: string
  readonly port: number
}

export interface TracingConfig {
  readonly enabled: boolean
  /** '' and 'none': ids in the logs, nothing exported; 'stdout'; 'otlp'. Anything else stops the start of tracing. */
  readonly exporter: string
  readonly otlp_endpoint: string
  readonly otlp_protocol: 'grpc' | 'http/protobuf' | 'http/json'
  readonly otlp_headers: Readonly<Record<string, string>>
  readonly otlp_headers_file: string
  readonly otlp_insecure: boolean
  /** PEM files; empty: none. */
  readonly otlp_certificate: string
  readonly otlp_client_certificate: string
  readonly otlp_client_key: string
  readonly otlp_logs: boolean
  /** '': a command's spans go by a folder in the user's state directory; 'off': no folder; else a folder, for all processes. */
  readonly spool_dir: string
}

/** Where a stream or bucket keeps its data. */
export interface StorageConfig {
  readonly storage: 'file' | 'memory'
  readonly replicas: number
}

export interface NatsConfig {
  readonly server: {
    readonly host: string
    readonly port: number
    readonly store_dir: string
    readonly namespace: string
    readonly auth: NatsAuthConfig
    readonly metrics: MetricsConfig
  }
  readonly stream: StorageConfig & {
    readonly name: string
    readonly subjects: string
    readonly max_age: number
    readonly max_msgs: number
    readonly discard: 'old' | 'new'
  }
  readonly kv: StorageConfig & {
    readonly bucket: string
    readonly response_bucket: string
    readonly ttl: number
    readonly max_bytes: number
  }
  readonly dlq: StorageConfig & { readonly max_age: number; readonly max_msgs: number }
  readonly audit: StorageConfig & {
    readonly stream: string
    readonly subject: string
    readonly max_age: number
    readonly max_bytes: number
  }
  readonly registry: StorageConfig & { readonly bucket: string; readonly ttl: number }
  readonly facts: StorageConfig & { readonly bucket: string; readonly ttl: number }
  readonly state: StorageConfig & { readonly bucket: string }
}

export interface AgentConfig {
  readonly nats: NatsConnectionConfig
  readonly consumer: {
    readonly name: string
    readonly max_deliver: number
    readonly ack_wait: number
    readonly max_ack_pending: number
    readonly replay_policy: 'instant' | 'original'
    readonly back_off: readonly number[]
  }
  readonly queue_group: string
  /** '' means the name of the machine. */
  readonly hostname: string
  /** '' means that of the machine; for containers that share their image's. */
  readonly machine_id: string
  readonly max_jobs: number
  readonly labels: Readonly<Record<string, string>>
  readonly facts: { readonly interval: number; readonly custom: Readonly<Record<string, string>> }
  readonly conditions: {
    readonly memory_pressure_threshold: number
    readonly high_load_multiplier: number
    readonly disk_pressure_threshold: number
  }
  readonly metrics: MetricsConfig
}
