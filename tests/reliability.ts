// The programs and collectors of tests/process, for the comparison in bench/reliability.
export { ChildProgram, type End } from './harness/child-program.ts'
export { nextPort, ownAddress } from './harness/peer/address.ts'
export type { Answer } from './harness/peer/answer.ts'
export { OtlpPeer, type Protocol, protocols } from './harness/peer/otlp-peer.ts'
export { type CollectorKind, programs, Scene, type SpoolMode, setUpThroughline } from './process/case.ts'
