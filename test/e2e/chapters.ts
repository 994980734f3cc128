import { afterAll, beforeAll, expect, test } from 'vitest'
import { raise, type Scene, setScene } from '../demo/clusters.ts'
import type { Chapter } from '../demo/printed.ts'
import { type Stage, stage } from '../demo/stage.ts'
import type { ClusterProvider } from '../lab/provider.ts'

/**
 * Tests a walkthrough as `./demo` runs it, a test for each chapter: every outcome is checked.
 * @param load gives the clusters what they need beside Portolan
 */
export function playChapters(
  clusters: ClusterProvider,
  names: readonly string[],
  chapters: readonly Chapter[],
  load: (clusters: ClusterProvider) => Promise<void> = async () => {},
): void {
  let scene: Scene
  let terminal: Stage
  let typed = ''
  /** Each chapter builds on those before it. */
  let broken = false

  beforeAll(async () => {
    await raise(clusters, names)
    await load(clusters)
    scene = await setScene(clusters, names)
    terminal = stage(scene.env, (text) => {
      typed += text
    })
  })
  afterAll(() => clusters.down(names))

  test.each([...chapters])('$title', async ({ run }) => {
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
}
