/** The published Dapr walkthrough and what goes beyond it, as `./demo dapr` runs it: every outcome is checked. */
import { describe, expect, test } from 'vitest'
import { CLUSTERS, MEMBERS } from '../demo/clusters.ts'
import { cleanDapr, INSTALLING, loadDapr } from '../demo/dapr/install.ts'
import { DAPR } from '../demo/dapr/walkthrough.ts'
import { labProvider } from '../lab/lab-provider.ts'
import { chooseProvider } from '../lab/provider.ts'
import { playChapters } from './chapters.ts'

const { kind } = await chooseProvider()

describe.runIf(kind === 'lab')('the Dapr walkthrough', { timeout: 300_000 }, () => {
  const clusters = labProvider()
  playChapters(clusters, CLUSTERS, [...INSTALLING, ...DAPR], loadDapr)

  test('what it made can be removed', async () => {
    await cleanDapr(clusters)
    for (const name of MEMBERS) {
      const left = await clusters.kubectl(name, ['get', 'namespaces', '-o', 'name'])
      expect(left.stdout).not.toMatch(/dapr-test|curl/)
      const webhooks = await clusters.kubectl(name, ['get', 'mutatingwebhookconfigurations', '-o', 'name'])
      expect(webhooks.stdout).toContain('/dapr-sidecar-injector')
    }
  })
})
