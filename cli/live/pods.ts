import { ADMIN_PORT } from '../../api/names.ts'
import { type LivePod, PODS } from '../../api/resources.ts'
import { keepPod, type MeshPod } from '../../compiler/controller/pods.ts'
import type { Result } from '../../kube/failure.ts'
import { getFromPod } from '../../kube/port-forward.ts'
import { UsageError } from '../io.ts'
import { type Live, mustOrMissing } from './connect.ts'
import { type Named, suggestion } from './names.ts'
import { listAll } from './snapshot.ts'

/** @throws UsageError when there is no such pod; names one that is like it */
export async function readPod(cluster: Live, { namespace, name }: Named): Promise<MeshPod> {
  const pod = mustOrMissing(await cluster.client.get<LivePod>(PODS, { namespace, name }), cluster.name)
  if (pod !== undefined) return keepPod(pod)
  const others = await listAll<LivePod>(cluster, PODS, { namespace })
  const known = others.map(({ metadata }) => `${namespace}/${metadata.name}`).toSorted()
  // Of the name of a Deployment, its pods have theirs.
  const own = known.find((each) => each.startsWith(`${namespace}/${name}-`))
  const like = own === undefined ? suggestion(`${namespace}/${name}`, known) : ` (did you mean ${own}?)`
  const why = known.length === 0 ? `, nor any other in namespace ${namespace}` : like
  throw new UsageError(`${cluster.name}: there is no pod ${namespace}/${name}${why}`)
}

/** What a proxy's administration answers, which listens on the pod's loopback alone. */
export async function askProxy(cluster: Live, pod: MeshPod, path: string): Promise<Result<string>> {
  const { namespace, name } = pod.metadata
  const answer = await getFromPod(cluster.connection, { pod: { namespace, name }, port: ADMIN_PORT }, path)
  return answer.ok ? { ok: true, value: answer.value.body } : answer
}
