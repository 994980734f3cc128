/** The published walkthrough of Services shared by annotation, as `./demo global` runs it: every outcome is checked. */
import { describe, expect, test } from 'vitest'
import { cleanGlobal, INSTALLING, loadGlobal, PAIR } from '../demo/global/install.ts'
import { GLOBAL } from '../demo/global/walkthrough.ts'
import { labProvider } from '../lab/lab-provider.ts'
import { chooseProvider } from '../lab/provider.ts'
import { playChapters } from './chapters.ts'

const { kind } = await chooseProvider()

describe.runIf(kind === 'lab')('the walkthrough with Services shared by annotation', { timeout: 300_000 }, () => {
  const clusters = labProvider()
  playChapters(clusters, PAIR, [...INSTALLING, ...GLOBAL], loadGlobal)

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
