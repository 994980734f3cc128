/** The published walkthrough of Services shared by annotation, as `./demo global` runs it: every outcome is checked. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { raise, type Scene, setScene } from '../demo/clusters.ts'
import { cleanGlobal, INSTALLING, loadGlobal, PAIR } from '../demo/global/install.ts'
import { GLOBAL } from '../demo/global/walkthrough.ts'
import { type Stage, stage } from '../demo/stage.ts'
import { labProvider } from '../lab/lab-provider.ts'
import { chooseProvider } from '../lab/provider.ts'

const { kind } = await chooseProvider()

describe.runIf(kind === 'lab')('the walkthrough with Services shared by annotation', { timeout: 300_000 }, () => {
  const clusters = labProvider()
  let scene: Scene
  let terminal: Stage
  let typed = ''
  /** Each chapter builds on those before it. */
  let broken = false

  beforeAll(async () => {
    await raise(clusters, PAIR)
    await loadGlobal(clusters)
    scene = await setScene(clusters, PAIR)
    terminal = stage(scene.env, (text) => {
      typed += text
    })
  })
  afterAll(() => clusters.down(PAIR))

  test.each([...INSTALLING, ...GLOBAL])('$title', async ({ run }) => {
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
    await cleanGlobal(clusters)
    for (const name of PAIR) {
      const left = await clusters.kubectl(name, ['get', 'serviceimports.flomesh.io,deployments', '-n', 'default'])
      expect(left.stderr).toMatch(/No resources found/)
      const { stdout } = await clusters.kubectl(name, ['get', 'namespace', 'default', '-o', 'yaml'])
      expect(stdout).not.toContain('monitored-by')
    }
  })
})
