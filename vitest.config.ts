import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'
import { labsAtOnce, lacksForClusters } from './test/e2e/possible.ts'
import LongestFirst from './test/longest-first.ts'

const ROOMS = '{api,certs,chart,cli,compiler,conformance,demo,dns,docs,envoy,federation,fuzz,kube,webhook}'

const lacking = await lacksForClusters()
for (const line of lacking) console.warn(`skipped: every test of projects calls and clusters: ${line}`)

/** They count calls that fail, or measure delays, or have many clusters: what shows must be the system's and not the neighbour's. */
const ALONE = 'test/e2e/{dapr,egress,federation,propagation,resilience,rotation,walkthrough}.test.ts'

/** A machine that does much besides is slow, not wrong: what is waited for may take a minute, and a test several times that. */
const patient = { expect: { poll: { timeout: 60_000 } }, testTimeout: 180_000, hookTimeout: 300_000 }

const onClusters = {
  globalSetup: 'test/e2e/global-setup.ts',
  setupFiles: 'test/e2e/setup.ts',
  ...patient,
  testTimeout: 300_000,
  hookTimeout: 600_000,
}
const clusters = [
  {
    test: {
      ...onClusters,
      name: 'calls',
      include: [ALONE],
      maxWorkers: 1,
      sequence: { groupOrder: 3 },
    },
  },
  {
    test: {
      ...onClusters,
      name: 'clusters',
      include: ['test/e2e/**/*.test.ts'],
      exclude: [ALONE],
      // Most of the time they wait for Kubernetes.
      maxWorkers: await labsAtOnce(),
      sequence: { groupOrder: 4 },
    },
  },
]

export default defineConfig({
  test: {
    reporters: ['default', './test/count-reporter.ts'],
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        test: {
          name: 'parts',
          include: [`test/${ROOMS}/**/*.test.ts`],
          // Most of them wait for API servers and proxies: on two cores vitest would take one file at a time.
          maxWorkers: Math.max(3, availableParallelism() - 1),
          ...patient,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'lab',
          include: ['test/lab/**/*.test.ts'],
          fileParallelism: false,
          ...patient,
          sequence: { groupOrder: 2 },
        },
      },
      ...(lacking.length > 0 ? [] : clusters),
    ],
  },
})
