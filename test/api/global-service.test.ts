import { describe, expect, it } from 'vitest'
import { AFFINITIES, GLOBAL_ANNOTATIONS, globalService, globalServiceIssues } from '../../api/global-service.ts'

type Annotations = Readonly<Record<string, string>>

const service = (annotations: Annotations) => ({ metadata: { namespace: 'shop', name: 'cart', annotations } })
const read = (annotations: Annotations) => globalService(service(annotations))

const [GLOBAL, GLOBAL_ALIAS] = GLOBAL_ANNOTATIONS.global
const [SHARED, SHARED_ALIAS] = GLOBAL_ANNOTATIONS.shared
const [AFFINITY, AFFINITY_ALIAS] = GLOBAL_ANNOTATIONS.affinity

/** What is written, and what of it holds; undefined = a value that says nothing. */
const TRUTHS: readonly (readonly [string | undefined, boolean | undefined])[] = [
  ['true', true],
  ['True', true],
  ['TRUE', true],
  ['false', false],
  ['FALSE', false],
  ['', undefined],
  ['yes', undefined],
  ['1', undefined],
  [' true', undefined],
  ['true\n', undefined],
]
const PREFERENCES: readonly (readonly [string, (typeof AFFINITIES)[number] | undefined])[] = [
  ...AFFINITIES.flatMap((each) => [[each, each] as const, [each.toUpperCase(), each] as const]),
  ['Local', 'local'],
  ['', 'none'],
  ['nearest', undefined],
  ['local ', undefined],
  ['true', undefined],
]

describe('a Service', () => {
  it('without any of the annotations has nothing to say', () => {
    expect(read({})).toBeUndefined()
    expect(globalService({ metadata: { name: 'cart' } })).toBeUndefined()
    expect(read({ 'service.cilium.io/global-sync-endpoint-slices': 'true' })).toBeUndefined()
  })

  it.each(TRUTHS.flatMap(([value, holds]) => [GLOBAL, GLOBAL_ALIAS].map((name) => ({ name, value, holds }))))(
    'is global by $name: "$value" = $holds',
    ({ name, value = '', holds }) => {
      const global = holds ?? false
      const faults =
        holds === undefined ? [{ annotation: name, value, known: ['true', 'false'], instead: 'false' }] : []
      expect(read({ [name]: value })).toEqual({ global, shared: global, affinity: 'none', faults, idle: [] })
    },
  )

  it.each(TRUTHS.flatMap(([value, holds]) => [SHARED, SHARED_ALIAS].map((name) => ({ name, value, holds }))))(
    'is shared by $name: "$value" = $holds, which is yes where it says nothing',
    ({ name, value = '', holds }) => {
      const faults = holds === undefined ? [{ annotation: name, value, known: ['true', 'false'], instead: 'true' }] : []
      const said = { global: true, shared: holds ?? true, affinity: 'none', faults, idle: [] }
      expect(read({ [GLOBAL]: 'true', [name]: value })).toEqual(said)
    },
  )

  it.each(PREFERENCES.flatMap(([value, holds]) => [AFFINITY, AFFINITY_ALIAS].map((name) => ({ name, value, holds }))))(
    'prefers by $name: "$value" = $holds, which is none where it says nothing',
    ({ name, value, holds }) => {
      const faults = holds === undefined ? [{ annotation: name, value, known: AFFINITIES, instead: 'none' }] : []
      const said = { global: true, shared: true, affinity: holds ?? 'none', faults, idle: [] }
      expect(read({ [GLOBAL]: 'true', [name]: value })).toEqual(said)
    },
  )

  it('goes by the first spelling, even if it says nothing', () => {
    expect(read({ [GLOBAL]: 'false', [GLOBAL_ALIAS]: 'true' })).toMatchObject({ global: false })
    expect(read({ [GLOBAL]: '', [GLOBAL_ALIAS]: 'true' })).toMatchObject({ global: false })
    const both = { [AFFINITY]: 'nearest', [AFFINITY_ALIAS]: 'local', [SHARED]: 'true', [SHARED_ALIAS]: 'false' }
    expect(read({ [GLOBAL_ALIAS]: 'true', ...both })).toMatchObject({ shared: true, affinity: 'none' })
  })

  it('that is not global shares nothing and prefers nobody, whatever else it says', () => {
    const rest = { [SHARED_ALIAS]: 'true', [AFFINITY]: 'local' }
    const said = { global: false, shared: false, affinity: 'none', faults: [], idle: [SHARED_ALIAS, AFFINITY] }
    expect(read(rest)).toEqual(said)
    expect(read({ [GLOBAL]: 'False', ...rest })).toEqual(said)
  })
})

describe('what is said of it', () => {
  it('names the annotation, the value, what it could be and what holds', () => {
    const object = { kind: 'Service', namespace: 'shop', name: 'cart' }
    expect(globalServiceIssues(service({ [GLOBAL]: 'true', [AFFINITY]: 'nearest' }))).toEqual([
      {
        code: 'GlobalValueUnknown',
        object,
        path: 'metadata.annotations[service.cilium.io/affinity]',
        value: 'nearest',
        params: { known: 'none, local, remote', instead: 'none' },
      },
    ])
    expect(globalServiceIssues(service({ [SHARED]: 'false' }))).toEqual([
      { code: 'GlobalAnnotationIdle', object, path: 'metadata.annotations[service.cilium.io/shared]' },
    ])
  })

  it('is nothing where there is nothing wrong', () => {
    expect(globalServiceIssues(service({}))).toEqual([])
    expect(globalServiceIssues(service({ [GLOBAL]: 'TRUE', [SHARED]: 'False', [AFFINITY]: '' }))).toEqual([])
  })
})
