import { recordSpans } from './testing/spans.ts'
import { traceContract } from './testing/trace-contract.ts'

traceContract(recordSpans())
