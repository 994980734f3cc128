/**
 * The hub, given what a member may hold whose API server is not to be trusted: any JSON at all. Other clusters get
 * imports that their own API servers take, or none.
 */

import { levelOf } from '../../api/diagnostics.ts'
import type { KubeObject } from '../../api/meta.ts'
import { merge } from '../../federation/merge.ts'
import { validateObject } from '../../webhook/validate.ts'
import { isRecord } from '../../webhook/validate-read.ts'
import type { Chance } from '../federation/random.ts'
import type { World } from '../federation/worlds.ts'
import { objectOf } from './by-schema.ts'
import { clustersetsOf } from './corpus.ts'
import { mutatedValue } from './mutate.ts'
import type { Target } from './target.ts'

/** What a list of an API server is made of, whoever runs it: objects with a name and a namespace. */
const listed = (object: unknown): object is KubeObject => {
  if (!isRecord(object) || !isRecord(object['metadata'])) return false
  const { name, namespace } = object['metadata']
  return typeof name === 'string' && typeof namespace === 'string'
}

const strange = <T extends KubeObject>(chance: Chance, objects: readonly T[]): readonly T[] => {
  const made = mutatedValue(chance, objects, chance.below(6)) as readonly T[]
  return Array.isArray(made) ? made.filter(listed) : objects
}

export const merging = (seed: number): Target<World> => {
  const clustersets = clustersetsOf(seed)
  return {
    name: 'merging',
    share: 4,
    make: (chance) => {
      const { members, clusters } = chance.pick(clustersets)
      const [first, ...rest] = members
      if (first === undefined) return { members, clusters }
      const own = chance.next() < 0.5 ? [] : [objectOf('ServiceExport', 'shop/web', chance) as never]
      const exports = strange(chance, [...first.exports, ...own])
      return { clusters, members: [{ ...first, exports, services: strange(chance, first.services) }, ...rest] }
    },
    check: ({ members, clusters }) => {
      const { members: imports } = merge(members, clusters)
      for (const each of imports.flatMap((member) => member.imports)) {
        const error = validateObject(each).find((issue) => levelOf(issue) === 'error')
        if (error !== undefined) return `an import that is refused: ${JSON.stringify(error)}`
      }
      return undefined
    },
  }
}
