import type { Config } from '../config/index.ts'

/** Names of streams, buckets and subjects under one namespace. */
export interface Names {
  /** '' or the namespace with its dot: what every subject begins with. */
  readonly subjectPrefix: string
  readonly jobsStream: string
  readonly jobsSubjects: string
  readonly dlqStream: string
  readonly auditStream: string
  /** Entries are published on `<auditSubject>.<id>`. */
  readonly auditSubject: string
  readonly jobsBucket: string
  readonly responsesBucket: string
  readonly registryBucket: string
  readonly factsBucket: string
  readonly stateBucket: string
}

/** Namespace `osapi` gives subjects `osapi.jobs.…`, stream `osapi-JOBS` and bucket `osapi-job-queue`. */
export function namesFor(config: Config['nats'], namespace: string): Names {
  const subjectPrefix = namespace === '' ? '' : `${namespace}.`
  const infrastructure = (name: string) => (namespace === '' ? name : `${namespace}-${name}`)
  const jobsStream = infrastructure(config.stream.name)
  return {
    subjectPrefix,
    jobsStream,
    jobsSubjects: subjectPrefix + config.stream.subjects,
    dlqStream: `${jobsStream}-DLQ`,
    auditStream: infrastructure(config.audit.stream),
    auditSubject: subjectPrefix + config.audit.subject,
    jobsBucket: infrastructure(config.kv.bucket),
    responsesBucket: infrastructure(config.kv.response_bucket),
    registryBucket: infrastructure(config.registry.bucket),
    factsBucket: infrastructure(config.facts.bucket),
    stateBucket: infrastructure(config.state.bucket),
  }
}
