import { relative } from 'node:path'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/**
 * Files that take half a minute and more, the longest first. On a machine that has not run them before, vitest begins with
 * the files that have most text: one of these would come last, and the other workers would wait for it.
 */
const LONGEST = [
  'test/federation/withdrawal.test.ts',
  'test/federation/order.test.ts',
  'test/kube/rbac.test.ts',
  'test/federation/kill.test.ts',
  'test/kube/controller.test.ts',
  'test/federation/hub-trouble.test.ts',
  'test/federation/rbac.test.ts',
  'test/federation/hub-standard.test.ts',
  'test/federation/hub-restart.test.ts',
  'test/federation/hub.test.ts',
  'test/kube/standard.test.ts',
  'test/cli/live/cleanup.test.ts',
  'test/cli/live/check.test.ts',
  'test/cli/live/cluster.test.ts',
  'test/e2e/chart.test.ts',
  'test/e2e/global.test.ts',
  'test/e2e/dapr.test.ts',
  'test/e2e/ipv6.test.ts',
  'test/e2e/walkthrough-global.test.ts',
  'test/e2e/routing.test.ts',
  'test/e2e/conformance.test.ts',
]

export default class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    const place = ({ moduleId, project }: TestSpecification): number => {
      const found = LONGEST.indexOf(relative(project.config.root, moduleId))
      return found < 0 ? LONGEST.length : found
    }
    return sorted.toSorted((one, other) => place(one) - place(other))
  }
}
