/** The laws of injection, on pods that are only nearly pods. */
import { isDeepStrictEqual } from 'node:util'
import jsonpatch from 'fast-json-patch'
import { format } from '../../api/diagnostics.ts'
import type { Pod } from '../../webhook/decision.ts'
import { inject } from '../../webhook/inject.ts'
import { isPod } from '../../webhook/pod.ts'
import { uninject } from '../../webhook/uninject.ts'
import { cases, MESH } from '../webhook/cases.ts'
import { podsOf } from './corpus.ts'
import { mutatedText, mutatedValue } from './mutate.ts'
import type { Target } from './target.ts'

const NAMES = [
  ...['outbound-port-exclusion-list', 'outbound-ip-range-exclusion-list', 'sidecar-log-level', 'sidecar-injection'],
  ...['sidecar-cpu-request', 'sidecar-memory-limit', 'sidecar-status', 'imports', 'outbound-x', 'inbound-x'],
] as const
const VALUES = [
  '80,443',
  '10.0.0.0/8',
  'debug',
  'enabled',
  '10m',
  '64Mi',
  '{"version":1}',
  '1-2',
  '::/0',
  'shop/*',
] as const

/** As JSON, without what is null: YAML may have it, and it counts as absent. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value, (_, each) => each ?? undefined))

const hasNamesakes = ({ spec: { containers, initContainers } }: Pod): boolean => {
  const names = [...containers, ...(initContainers ?? [])].map(({ name }) => name)
  return new Set(names).size < names.length
}

export const injection = (seed: number): Target<unknown> => {
  const pods = podsOf(seed)
  const namespace = cases.find(({ name }) => name === 'plain')?.request.namespace
  if (namespace === undefined) throw new Error('the golden folder has lost its plain case')
  return {
    name: 'injection',
    share: 18,
    make: (chance) => {
      const pod = chance.pick(pods)
      const annotations = { ...pod.metadata.annotations }
      if (chance.next() < 0.5) {
        const value = chance.pick(VALUES)
        const prefix = chance.pick(['flomesh.io', 'openservicemesh.io'])
        annotations[`${prefix}/${chance.pick(NAMES)}`] = chance.next() < 0.5 ? mutatedText(chance, value) : value
      }
      return mutatedValue(chance, { ...pod, metadata: { ...pod.metadata, annotations } }, chance.below(4))
    },
    check: (input) => {
      // As the API server would send it.
      const pod: unknown = JSON.parse(JSON.stringify(input) ?? 'null')
      if (!isPod(pod)) return undefined
      uninject(pod)
      const before = JSON.stringify(pod)
      const request = { pod, namespace, mesh: MESH, seed: 'x' }
      const result = inject(request)
      if (JSON.stringify(pod) !== before) return 'the pod given was changed'
      for (const issue of result.issues) if (/\bundefined\b|\[object/.test(format(issue))) return format(issue)
      if (result.decision.outcome !== 'inject')
        return result.patch.length > 0 ? 'a patch although not injected' : undefined
      const made: unknown = JSON.parse(JSON.stringify(result.pod))
      const patched = jsonpatch.applyPatch(structuredClone(pod), structuredClone([...result.patch]), true).newDocument
      if (!isDeepStrictEqual(JSON.parse(JSON.stringify(patched)), made)) return 'the patch makes another pod than said'
      if (inject({ ...request, pod: result.pod }).decision.outcome !== 'skip') return 'injected twice'
      // Which of two namesakes was given something cannot be said; the API server refuses such a pod after us.
      if (hasNamesakes(pod)) return undefined
      if (!isDeepStrictEqual(plain(uninject(result.pod)), plain(pod))) return 'taken out again, it differs'
      return undefined
    },
  }
}
