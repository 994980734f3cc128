import type { Service } from '../../api/core.ts'
import type { Code } from '../../api/diagnostics.ts'
import type { Issue } from '../../api/issue.ts'
import type { KubeObject } from '../../api/meta.ts'
import { HTTP_ROUTE_GROUPS, TCP_ROUTES, TRAFFIC_TARGETS } from '../../api/resources.ts'
import type { KubeClient } from '../../kube/client.ts'
import type { InformerEvent } from '../../kube/informer.ts'
import type { Resource } from '../../kube/object.ts'
import { accountsOf } from '../accounts.ts'
import type { Access } from '../traffic-targets.ts'
import { startOptional } from './optional.ts'
import type { MeshPod } from './pods.ts'

export interface AccessSourceOptions {
  readonly client: KubeClient
  readonly observe: (source: string, event: InformerEvent) => void
  readonly onInput: () => void
}

/** What decides who may call whom. Nothing of it is read while the mesh is permissive: the kinds need not be there. */
export interface AccessSources {
  /** Starts and stops reading. */
  readonly follow: (restricted: boolean) => void
  /** Names of what has not been listed yet, and may be there. */
  readonly missing: () => readonly string[]
  /** Nothing while the mesh is permissive. The same value for as long as nothing in it changes. */
  readonly access: (services: readonly Service[], pods: readonly MeshPod[]) => Access | undefined
  /** Of a TrafficTarget. */
  readonly uidOf: (object: Issue['object']) => string | undefined
  /** Kinds that are not there, or may not be read. */
  readonly issues: (about: Issue['object']) => readonly Issue<Code>[]
  readonly stop: () => Promise<unknown>
}

export function createAccessSources({ client, observe, onInput }: AccessSourceOptions): AccessSources {
  let followed: ReturnType<typeof start> | undefined
  let last: { readonly parts: readonly unknown[]; readonly access: Access } | undefined
  const stopping: Promise<unknown>[] = []

  const one = <T extends KubeObject>(resource: Resource<T>) =>
    startOptional({ client, resource, observe, onChange: onInput })

  const start = () => ({
    targets: one(TRAFFIC_TARGETS),
    httpGroups: one(HTTP_ROUTE_GROUPS),
    tcpRoutes: one(TCP_ROUTES),
  })

  const all = () => Object.values(followed ?? {})
  function unfollow() {
    stopping.push(...all().map(({ informer }) => informer.stop()))
    followed = undefined
    last = undefined
  }

  return {
    follow: (restricted) => {
      if (restricted) followed ??= start()
      else if (followed !== undefined) unfollow()
    },
    missing: () =>
      all()
        .filter((each) => each.isMissing())
        .map(({ name }) => name),
    access: (services, pods) => {
      if (followed === undefined) return undefined
      const accounts = accountsOf(services, pods)
      const stores = all().map(({ informer, absence }) => absence() ?? informer.store())
      const parts = [JSON.stringify([...accounts]), ...stores]
      if (last === undefined || parts.some((part, index) => part !== last?.parts[index])) {
        const { targets, httpGroups, tcpRoutes } = followed
        const lists = { targets: targets.list(), httpGroups: httpGroups.list(), tcpRoutes: tcpRoutes.list() }
        last = { parts, access: { ...lists, accounts } }
      }
      return last.access
    },
    uidOf: ({ kind, namespace, name }) =>
      kind === 'TrafficTarget' ? followed?.targets.informer.get(namespace, name)?.metadata.uid : undefined,
    issues: (about) => {
      const absent = all().filter(({ absence }) => absence() !== undefined)
      if (absent.length === 0) return []
      const params = { kinds: absent.map(({ kind }) => kind).join(', '), why: absent[0]?.absence()?.message ?? '' }
      return [
        { code: 'SmiKindsMissing', object: about, path: 'spec.traffic.enablePermissiveTrafficPolicyMode', params },
      ]
    },
    stop: () => {
      unfollow()
      return Promise.all(stopping)
    },
  }
}
