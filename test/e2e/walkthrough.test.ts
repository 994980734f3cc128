/** The published four-cluster walkthrough and what goes beyond it, as `./demo` runs it: every outcome is checked. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CLUSTERS, raise, type Scene, setScene } from '../demo/clusters.ts'
import { clean, installing } from '../demo/install.ts'
import { type Stage, stage } from '../demo/stage.ts'
import { walkthrough } from '../demo/walkthrough.ts'
import { type ClusterProvider, chooseProvider } from '../lab/provider.ts'
import { CONTROL_PLANE } from './mesh.ts'

describe('the four-cluster walkthrough', { timeout: 300_000 }, () => {
  let clusters: ClusterProvider
  let scene: Scene
  let terminal: Stage
  let typed = ''
  /** Each chapter builds on those before it. */
  let broken = false

  beforeAll(async () => {
    clusters = await chooseProvider()
    await raise(clusters)
    scene = await setScene(clusters)
    terminal = stage(scene.env, (text) => {
      typed += text
    })
  })
  afterAll(() => clusters.down(CLUSTERS))

  test.each([installing(), ...walkthrough()])('$title', async ({ run }) => {
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

  test('what it made can be removed, and the clusters are as before', async () => {
    await clean(clusters)
    for (const name of CLUSTERS) {
      const { stdout } = await clusters.kubectl(name, ['get', 'portolan', '-A', '-o', 'name'])
      expect(stdout.split('\n').filter((line) => line !== '' && !line.includes('meshconfig'))).toEqual([])
      const accounts = await clusters.kubectl(name, [
        '-n',
        CONTROL_PLANE,
        'get',
        'secrets,serviceaccounts',
        '-o',
        'name',
      ])
      expect(accounts.stdout).not.toMatch(/portolan-(hub|member|kubeconfig)/)
      const left = await clusters.kubectl(name, ['get', 'namespaces', '-o', 'name'])
      expect(left.stdout).not.toMatch(/httpbin|curl/)
    }
  })
})
