/**
 * The hub, given what a member may hold whose API server is not to be trusted: any JSON at all. Other clusters get
 * imports that their own API servers take, or none.
 */
import { levelOf } from '../../api/diagnostics.ts'
import type { KubeObject } from '../../api/meta.ts'
import { MCS_EXPORTS, SERVICE_EXPORTS, SERVICES } from '../../api/resources.ts'
import { declaredOf } from '../../federation/controller/declared.ts'
import { observeExport, observeMcsExport, observeService } from '../../federation/controller/observed.ts'
import { isSound } from '../../federation/controller/sound.ts'
import { merge } from '../../federation/merge.ts'
import type { Resource } from '../../kube/object.ts'
import { validateObject } from '../../webhook/validate.ts'
import type { Chance } from '../federation/random.ts'
import type { World } from '../federation/worlds.ts'
import { objectOf } from './by-schema.ts'
import { clustersetsOf } from './corpus.ts'
import { mutatedValue } from './mutate.ts'
import type { Target } from './target.ts'

interface Given {
  readonly world: World
  /** What the first member lists instead of what it has there. */
  readonly exports: unknown
  readonly services: unknown
}

const strange = (chance: Chance, objects: readonly KubeObject[]): unknown =>
  mutatedValue(chance, objects, chance.below(6))

/** As the hub's informers keep it. */
const kept = <T extends KubeObject>(
  given: unknown,
  resource: Resource<T>,
  observe: (object: T) => T,
): ReadonlyMap<string, T> => {
  const items: readonly unknown[] = Array.isArray(given) ? given : []
  const objects = items.filter((item): item is T => typeof item === 'object' && item !== null)
  const named = objects.filter(({ metadata }) => typeof metadata === 'object' && metadata !== null)
  return new Map(
    named
      .filter((each) => isSound(each, resource))
      .map((each) => [`${each.metadata.namespace}/${each.metadata.name}`, observe(each)]),
  )
}

export const merging = (seed: number): Target<Given> => {
  const clustersets = clustersetsOf(seed)
  return {
    name: 'merging',
    share: 10,
    make: (chance) => {
      const world = chance.pick(clustersets)
      const { exports = [], mcsExports = [], services = [] } = world.members[0] ?? {}
      const own = chance.next() < 0.5 ? [] : [objectOf('ServiceExport', 'shop/web', chance)]
      return {
        world,
        exports: strange(chance, [...own, ...exports, ...mcsExports]),
        services: strange(chance, services),
      }
    },
    check: ({ world: { members, clusters }, ...given }) => {
      const [first, ...rest] = members
      if (first === undefined) return undefined
      const view = declaredOf(
        {
          exports: kept(given.exports, SERVICE_EXPORTS, observeExport),
          mcsExports: kept(given.exports, MCS_EXPORTS, observeMcsExport),
          services: kept(given.services, SERVICES, observeService),
        },
        undefined,
      )
      const { members: imports } = merge([{ ...first, ...view, globalServices: true }, ...rest], clusters)
      for (const each of imports.flatMap((member) => member.imports)) {
        const error = validateObject(each).find((issue) => levelOf(issue) === 'error')
        if (error !== undefined) return `an import that is refused: ${JSON.stringify(error).slice(0, 1_000)}`
      }
      return undefined
    },
  }
}
