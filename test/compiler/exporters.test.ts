import { expect, test } from 'vitest'
import { exportersOf } from '../../compiler/exporters.ts'
import * as build from './build.ts'

const WEST = build.clusterKey('west')

test('each other cluster once, with the addresses of its gateway over all ports; sorted', () => {
  const imported = build.serviceImport(
    'shop/pay',
    [
      { cluster: 'north', host: 'gw.north.example', port: 443 },
      { cluster: 'west', host: '10.0.0.9' },
      { cluster: 'east', host: '2001:db8::1', port: 80 },
      { cluster: 'east', host: '10.0.0.2', port: 80 },
    ],
    [{ port: 80 }, { port: 81 }],
  )
  expect(exportersOf(imported, WEST)).toEqual([
    { cluster: build.clusterKey('east'), addresses: ['10.0.0.2:80', '[2001:db8::1]:80'] },
    { cluster: build.clusterKey('north'), addresses: ['gw.north.example:443'] },
  ])
})

test('a cluster that says no address is named without one; nobody exports: nobody is named', () => {
  const { spec, ...rest } = build.serviceImport('shop/pay', [{ cluster: 'east', host: '' }])
  expect(exportersOf({ ...rest, spec }, WEST)).toEqual([{ cluster: build.clusterKey('east'), addresses: [] }])
  expect(exportersOf({ ...rest, spec: { ports: [] } }, WEST)).toEqual([])
})
