/** The published four-cluster walkthrough and what goes beyond it, as `./demo` runs it: every outcome is checked. */
import { describe, expect, test } from 'vitest'
import { CLUSTERS } from '../demo/clusters.ts'
import { clean, installing } from '../demo/install.ts'
import { walkthrough } from '../demo/walkthrough.ts'
import { chooseProvider } from '../lab/provider.ts'
import { playChapters } from './chapters.ts'
import { CONTROL_PLANE } from './mesh.ts'

const clusters = await chooseProvider()

describe('the four-cluster walkthrough', { timeout: 300_000 }, () => {
  playChapters(clusters, CLUSTERS, [installing(), ...walkthrough()])

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
