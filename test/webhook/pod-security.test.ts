import { expect, test } from 'vitest'
import type { INTERCEPTIONS } from '../../api/names.ts'
import { podSecurity } from '../../webhook/pod-security.ts'

const said = (labels: Readonly<Record<string, string>>, interception: (typeof INTERCEPTIONS)[number] = 'iptables') =>
  podSecurity(
    {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: {
        name: 'shop',
        labels: Object.fromEntries(
          Object.entries(labels).map(([mode, level]) => [`pod-security.kubernetes.io/${mode}`, level]),
        ),
      },
    },
    interception,
  ).map(({ code, value, params }) => [code, params?.['mode'], value])

test.each([
  ['no level', {}, []],
  ['one that allows all', { enforce: 'privileged', warn: 'privileged', audit: 'privileged' }, []],
  ['baseline', { enforce: 'baseline' }, [['PodSecurityRefuses', 'enforce', 'baseline']]],
  ['restricted', { enforce: 'restricted' }, [['PodSecurityRefuses', 'enforce', 'restricted']]],
  [
    'one that refuses, and complaints about the same',
    { enforce: 'baseline', warn: 'restricted', audit: 'restricted' },
    [['PodSecurityRefuses', 'enforce', 'baseline']],
  ],
  [
    'complaints alone',
    { enforce: 'privileged', warn: 'restricted', audit: 'baseline' },
    [
      ['PodSecurityComplains', 'warn', 'restricted'],
      ['PodSecurityComplains', 'audit', 'baseline'],
    ],
  ],
  [
    'a version beside the level',
    { 'enforce-version': 'latest', warn: 'baseline' },
    [['PodSecurityComplains', 'warn', 'baseline']],
  ],
  ['a level that Kubernetes does not know', { enforce: 'tight' }, []],
] as const)('a namespace of %s', (_, labels, expected) => {
  expect(said(labels)).toEqual(expected)
  expect(said(labels, 'explicit')).toEqual([])
})
