/** The published Dapr walkthrough and what goes beyond it, as `./demo dapr` runs it: every outcome is checked. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CLUSTERS, MEMBERS, raise, type Scene, setScene } from '../demo/clusters.ts'
import { cleanDapr, INSTALLING, loadDapr } from '../demo/dapr/install.ts'
import { DAPR } from '../demo/dapr/walkthrough.ts'
import { type Stage, stage } from '../demo/stage.ts'
import { labProvider } from '../lab/lab-provider.ts'
import { chooseProvider } from '../lab/provider.ts'

const { kind } = await chooseProvider()

describe.runIf(kind === 'lab')('the Dapr walkthrough', { timeout: 300_000 }, () => {
  const clusters = labProvider()
  let scene: Scene
  let terminal: Stage
  let typed = ''
  /** Each chapter builds on those before it. */
  let broken = false

  beforeAll(async () => {
    await raise(clusters)
    await loadDapr(clusters)
    scene = await setScene(clusters)
    terminal = stage(scene.env, (text) => {
      typed += text
    })
  })
  afterAll(() => clusters.down(CLUSTERS))

  test.each([...INSTALLING, ...DAPR])('$title', async ({ run }) => {
    expect(broken, 'an earlier chapter failed').toBe(false)
    typed = ''
    try {
      await run(terminal, scene)
    } catch (error) {
      broken = true
      console.error(typed)
      throw error
    }
  })

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
