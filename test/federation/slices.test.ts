/** Endpoints of services that several clusters export: how many are ready, and what others are told of them. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { ServiceImport } from '../../api/service-import.ts'
import {
  readyByPort,
  type SliceContent,
  type SourceSlice,
  type SourceSlices,
  wantedSlices,
} from '../../federation/slices.ts'

type Endpoint = SliceContent['endpoints'][number]

const at = (address: string, conditions?: Endpoint['conditions']): Endpoint => ({
  addresses: [address],
  ...(conditions === undefined ? {} : { conditions }),
})
const slice = (name: string, endpoints: readonly Endpoint[], more: Partial<SliceContent> = {}): SourceSlice => ({
  name,
  content: { addressType: 'IPv4', endpoints, ports: [{ name: 'http', port: 8080, protocol: 'TCP' }], ...more },
})

describe('ready endpoints', () => {
  test.each<[string, readonly SourceSlice[], Readonly<Record<string, number>>]>([
    ['of no slices are none of no port', [], {}],
    ['without a word are ready', [slice('a', [at('10.0.0.1')])], { http: 1 }],
    [
      'do not count unready ones, nor those on their way out',
      [
        slice('a', [
          at('10.0.0.1', { ready: true, terminating: false }),
          at('10.0.0.2', { ready: false, serving: true, terminating: true }),
          at('10.0.0.3', { ready: false }),
          at('10.0.0.4', { ready: true, terminating: true }),
        ]),
      ],
      { http: 1 },
    ],
    ['can be none of a port', [slice('a', [at('10.0.0.1', { ready: false })])], { http: 0 }],
    [
      'count once, also in two slices',
      [slice('a', [at('10.0.0.1'), at('10.0.0.2')]), slice('b', [at('10.0.0.2')])],
      { http: 2 },
    ],
    [
      'count once with addresses of two families',
      [slice('a', [at('10.0.0.1')]), slice('b', [at('fd00::1')], { addressType: 'IPv6' })],
      { http: 1 },
    ],
    [
      'are told by port, each with those that have it',
      [
        slice('a', [at('10.0.0.1')], { ports: [{ name: 'http' }, { name: 'admin' }] }),
        slice('b', [at('10.0.0.2')], { ports: [{ name: 'http' }, {}] }),
      ],
      { '': 1, admin: 1, http: 2 },
    ],
  ])('%s', (_, slices, expected) => {
    expect(readyByPort(slices)).toEqual(expected)
    expect(readyByPort(slices.toReversed())).toEqual(expected)
  })
})

describe('slices for others', () => {
  const imported = (service: string, clusters?: readonly string[]): ServiceImport => {
    const [namespace = '', name = ''] = service.split('/')
    return {
      apiVersion: 'flomesh.io/v1alpha1',
      kind: 'ServiceImport',
      metadata: { namespace, name },
      spec: { ports: [], ...(clusters === undefined ? {} : { standard: { clusters } }) },
    }
  }
  const sources: Readonly<Record<string, SourceSlices>> = {
    east: { 'shop/cart': [slice('cart-x', [at('10.1.0.1')]), slice('cart-y', [at('10.1.0.2')])] },
    west: { 'shop/cart': [slice('cart-x', [at('10.2.0.1')])], 'shop/pay': [slice('pay-x', [at('10.2.0.2')])] },
  }
  const slicesIn = (cluster: string) => sources[cluster]

  test('are of all exporters by the standard, this cluster too, and of nothing else', () => {
    const all = wantedSlices([imported('shop/cart', ['east', 'west']), imported('shop/pay')], slicesIn)
    expect(all.map(({ labels, content }) => [labels['multicluster.kubernetes.io/source-cluster'], content])).toEqual(
      expect.arrayContaining([
        ...(sources['east']?.['shop/cart'] ?? []).map(({ content }) => ['east', content]),
        ...(sources['west']?.['shop/cart'] ?? []).map(({ content }) => ['west', content]),
      ]),
    )
    expect(all).toHaveLength(3)
    expect(new Set(all.map(({ name }) => name)).size).toBe(3)
  })

  test('are none of a cluster of which nothing is known', () => {
    expect(wantedSlices([imported('shop/cart', ['north'])], slicesIn)).toEqual([])
  })

  test('are the very same value in every cluster', () => {
    const [first] = wantedSlices([imported('shop/pay', ['west'])], slicesIn)
    expect(wantedSlices([imported('shop/pay', ['east', 'west'])], slicesIn)[0]).toBe(first)
  })

  test('have names that Kubernetes takes, one for each cluster, Service, slice and type of addresses', () => {
    const label = fc.stringMatching(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/)
    const type = fc.constantFrom('IPv4', 'IPv6')
    const one = fc.tuple(label, label, label, type)
    fc.assert(
      fc.property(one, one, (a, b) => {
        const [first, second] = [a, b].map(([cluster, service, name, addressType]) => {
          const of = () => ({ [`shop/${service}`]: [slice(name, [], { addressType })] })
          return wantedSlices([imported(`shop/${service}`, [cluster])], of)[0]?.name ?? ''
        }) as [string, string]
        expect(first).toMatch(/^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/)
        expect(first === second).toBe(JSON.stringify(a) === JSON.stringify(b))
      }),
    )
  })
})
