/** What the rules of an account leave out of what the hub has to see. */
import { expect, test } from 'vitest'
import { type Rule, type Rules, sightOf, withoutRule } from '../../federation/controller/rights.ts'
import { render } from '../chart/helm.ts'
import { rightsOf, textOf } from '../kube/rights.ts'

const NAMES = { verbs: ['list', 'watch'], apiGroups: [''], resources: ['configmaps'] }
const CLUSTER = { ...NAMES, resourceNames: ['other', 'portolan-cluster'] }
const ALL: Rule = { verbs: ['*'], apiGroups: ['*'], resources: ['*'] }
const SERVICES: Rule = { verbs: ['list', 'watch'], apiGroups: [''], resources: ['services', 'namespaces'] }
const OURS: Rule = { verbs: ['get', 'list', 'watch'], apiGroups: ['flomesh.io'], resources: ['*'] }

const leftOut = (rules: Rules): readonly string[] =>
  withoutRule(sightOf('portolan-system'), rules)
    .map(({ verb, resource }) => `${verb} ${resource}`)
    .toSorted()

test.each<[string, readonly Rule[], readonly string[]]>([
  ['all of everything', [ALL], []],
  ['each by a rule of its own', [SERVICES, OURS, CLUSTER], []],
  [
    'by one verb for each rule',
    [
      { ...ALL, verbs: ['list'] },
      { ...ALL, verbs: ['watch'] },
    ],
    [],
  ],
  [
    'all but to watch',
    [
      { ...ALL, verbs: ['get', 'list'] },
      { ...SERVICES, resources: ['services'] },
    ],
    ['watch configmaps', 'watch namespaces', 'watch serviceexports', 'watch serviceimports'],
  ],
  [
    'another group',
    [SERVICES, { ...OURS, apiGroups: ['multicluster.x-k8s.io'] }, CLUSTER],
    ['list serviceexports', 'list serviceimports', 'watch serviceexports', 'watch serviceimports'],
  ],
  ['other names', [SERVICES, OURS, { ...NAMES, resourceNames: ['other'] }], ['list configmaps', 'watch configmaps']],
  [
    'names where all are needed',
    [{ ...SERVICES, resourceNames: ['shop'] }, OURS, CLUSTER],
    ['list namespaces', 'list services', 'watch namespaces', 'watch services'],
  ],
  ['not of resources', [SERVICES, { verbs: ['*'] }, OURS, CLUSTER], []],
])('%s', (_, rules, missing) => {
  expect(leftOut({ everywhere: rules, here: rules })).toEqual(missing)
})

test.each<[string, Rules, readonly string[]]>([
  ['the name in its own namespace alone', { everywhere: [SERVICES, OURS], here: [SERVICES, OURS, CLUSTER] }, []],
  [
    'the name elsewhere than in its own namespace',
    { everywhere: [SERVICES, OURS, CLUSTER], here: [SERVICES, OURS] },
    ['list configmaps', 'watch configmaps'],
  ],
  [
    'all of everything, in one namespace alone',
    { everywhere: [], here: [ALL] },
    ['list', 'watch'].flatMap((verb) =>
      ['namespaces', 'serviceexports', 'serviceimports', 'services'].map((resource) => `${verb} ${resource}`),
    ),
  ],
  [
    'exports in one namespace alone',
    { everywhere: [SERVICES, { ...OURS, resources: ['serviceimports'] }], here: [SERVICES, OURS, CLUSTER] },
    ['list serviceexports', 'watch serviceexports'],
  ],
])('%s', (_, rules, missing) => {
  expect(leftOut(rules)).toEqual(missing)
})

test('nothing is asked for that the chart does not grant', async () => {
  const granted = new Set(
    rightsOf(await render('-s', 'templates/federation/member.yaml'), 'portolan-member').map(textOf),
  )
  const text = ({ verb, group, resource, name }: ReturnType<typeof sightOf>[number]) =>
    [verb, group === '' ? resource : `${resource}.${group}`, ...(name === undefined ? [] : [name])].join(' ')
  expect(
    sightOf('portolan-system')
      .map(text)
      .filter((each) => !granted.has(each)),
  ).toEqual([])
})
