export { jobTrace, sampleLog, sampleOriginNano, sampleSpan, source } from './sample.ts'
export { type StoreUnderTest, testTraceStore } from './store-suite.ts'
