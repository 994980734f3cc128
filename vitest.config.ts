import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'
import { labsAtOnce, lacksForClusters } from './test/e2e/possible.ts'

const ROOMS = '{api,certs,chart,cli,compiler,conformance,demo,dns,docs,envoy,federation,fuzz,kube,webhook}'

const lacking = await lacksForClusters()
for (const line of lacking) console.warn(`skipped: every test of project clusters: ${line}`)

const clusters = {
  test: {
    name: 'clusters',
    include: ['test/e2e/**/*.test.ts'],
    globalSetup: 'test/e2e/global-setup.ts',
    setupFiles: 'test/e2e/setup.ts',
    // Most of the time they wait for Kubernetes.
    maxWorkers: await labsAtOnce(),
    testTimeout: 300_000,
    hookTimeout: 600_000,
    sequence: { groupOrder: 3 },
  },
}

export default defineConfig({
  test: {
    reporters: ['default', './test/count-reporter.ts'],
    projects: [
      {
        test: {
          name: 'parts',
          include: [`test/${ROOMS}/**/*.test.ts`],
          // Most of them wait for API servers and proxies: on two cores vitest would take one file at a time.
          maxWorkers: Math.max(3, availableParallelism() - 1),
          testTimeout: 60_000,
          hookTimeout: 120_000,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'lab',
          include: ['test/lab/**/*.test.ts'],
          fileParallelism: false,
          testTimeout: 180_000,
          hookTimeout: 300_000,
          sequence: { groupOrder: 2 },
        },
      },
      ...(lacking.length > 0 ? [] : [clusters]),
    ],
  },
})
