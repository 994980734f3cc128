/** Objects of our kinds with anything in them: every one is judged, and in sentences. */
import { format, levelOf } from '../../api/diagnostics.ts'
import { KINDS } from '../../api/kinds.ts'
import type { KubeObject } from '../../api/meta.ts'
import { applyDefaults, toAdmission, validateObject } from '../../webhook/validate.ts'
import { isRecord } from '../../webhook/validate-read.ts'
import { cases } from '../api/cases.ts'
import { objectOf } from './by-schema.ts'
import { objects } from './corpus.ts'
import { mutatedValue } from './mutate.ts'
import type { Target } from './target.ts'

const OUR_KINDS = KINDS.map(({ kind }) => kind) as [string, ...string[]]
const ours = objects.filter(({ kind }) => OUR_KINDS.includes(kind)) as [KubeObject, ...KubeObject[]]
const worlds = cases().map(({ world }) => world) as [ReturnType<typeof cases>[number]['world']]

export const validation: Target<{ readonly object: unknown; readonly world: (typeof worlds)[0] }> = {
  name: 'validation',
  share: 26,
  make: (chance) => {
    const good = chance.next() < 0.5 ? chance.pick(ours) : objectOf(chance.pick(OUR_KINDS), 'shop/web', chance)
    return { object: mutatedValue(chance, good, chance.below(6)), world: chance.pick(worlds) }
  },
  check: ({ object, world }) => {
    if (!isRecord(object) || typeof object['kind'] !== 'string' || typeof object['apiVersion'] !== 'string') return
    const issues = validateObject(object as unknown as KubeObject, world)
    const { allowed, message, warnings } = toAdmission(issues)
    if (allowed !== (message === '')) return `allowed ${allowed} with message ${message}`
    if (issues.some((issue) => format(issue).length > 4_000)) return 'a sentence of more than 4000 characters'
    if (warnings.some((warning) => !/\w+ \w+/.test(warning))) return 'a warning without words'
    if (!allowed) return undefined
    const again = applyDefaults(object as unknown as KubeObject)
    return validateObject(again, world).some((issue) => levelOf(issue) === 'error')
      ? 'its defaults are refused'
      : undefined
  },
}
