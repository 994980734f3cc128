import { sitesOf } from '../site.ts'
import type { Published } from '../trust.ts'
import { type Entry, shareByAnnotation } from './entry.ts'
import type { Memories } from './memories.ts'
import type { Memory } from './memory.ts'
import type { Observed } from './observed.ts'
import type { ClusterTeller } from './tell.ts'
import type { Asked } from './view.ts'
import { viewIn } from './views.ts'
import type { Write } from './writes.ts'

export interface RememberingOptions {
  readonly memories: Memories
  readonly teller: ClusterTeller
  readonly write: Write
}

/**
 * Writes down what a member exports, and how to reach it, before anything is made of it. Resolves with whether that is
 * done.
 */
export const createRemembering =
  ({ memories, teller, write }: RememberingOptions) =>
  async (entry: Entry, asked: Asked): Promise<boolean> => {
    const { name, cluster, member } = entry
    const seen = member.seen()
    const [site] = cluster === undefined ? [] : sitesOf([cluster])
    if (seen === undefined || site === undefined) return true
    // A moment, so that an export is not told twice, without its endpoints and with them.
    if (seen.observed.awaitsSlices) return true
    const view = viewIn(entry, seen.observed, asked)
    const published = publishedBy(entry, seen.observed)
    const { access, apiServer } = seen
    const memory: Memory = {
      cluster: {
        name,
        uid: cluster?.metadata.uid ?? '',
        clusterKey: site.clusterKey,
        namespace: access.namespace,
        ...(apiServer === undefined ? {} : { apiServer }),
      },
      kubeconfig: access.text,
      view,
      ...(published === undefined ? {} : { published }),
    }
    const before = memories.of(name)?.cluster
    const failure = memories.has(memory) ? undefined : await write('remember', name, () => memories.keep(memory))
    // Nothing may be made of what would be forgotten, unless it can never be remembered.
    if (failure !== undefined && failure.reason !== 'Invalid' && failure.reason !== 'Forbidden') return false
    entry.view = view
    shareByAnnotation(entry)
    entry.published = published
    const isSame = before?.uid === memory.cluster.uid && before.apiServer !== undefined
    if (isSame && apiServer !== undefined && before.apiServer !== apiServer) teller.replaced(name)
    return failure === undefined
  }

/** What nobody can read (any more) says nothing new. */
function publishedBy({ published }: Entry, { vouching }: Observed): Published | undefined {
  if (vouching.state === 'published') return vouching.published
  return vouching.state === 'none' ? undefined : published
}
