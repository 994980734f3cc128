import fc from 'fast-check'
import { RE2JS } from 're2js'
import { describe, expect, test } from 'vitest'
import { spiffeId } from '../../api/identity.ts'
import { type AllowedClients, clientsOf, spiffeIdOf, unknownClusters } from '../../compiler/clients.ts'
import { compile } from '../../compiler/compile.ts'
import { gatewayCds, gatewayRds } from '../../compiler/render-gateway.ts'
import { atGateway } from '../../compiler/where-to.ts'
import { complaints, gatewayAsStatic } from '../envoy/strictly.ts'
import * as build from './build.ts'

const known = {
  'default/default/default/east': { trustDomain: 'east.portolan.local' },
  'default/default/default/west': { trustDomain: 'west.portolan.local' },
  'eu/west-1/shop/east-2': { trustDomain: 'east-2.portolan.local' },
  'eu/west-1/shop/a.b': { trustDomain: 'a.b.portolan.local' },
}

/** Whether a gateway would let in who shows this id. */
const letsIn = (allowed: AllowedClients, id: string): boolean =>
  (clientsOf(allowed, known) ?? []).some((client) => RE2JS.compile(spiffeIdOf(client)).matches(id))

const id = (cluster: string, namespace = 'shop', account = 'curl') =>
  spiffeId(`${cluster}.portolan.local`, namespace, account)

describe('an id is let in by', () => {
  const cases: readonly (readonly [allowed: AllowedClients, id: string, letsIn: boolean])[] = [
    [[{ clusters: ['east'] }], id('east'), true],
    [[{ clusters: ['east'] }], id('east-2'), false],
    [[{ clusters: ['east*'] }], id('east-2'), true],
    [[{ clusters: ['*'] }], id('anywhere'), true],
    [[{ clusters: ['*/*/*/*'] }], id('west'), true],
    [[{ clusters: ['eu/*/*/*'] }], id('east-2'), true],
    [[{ clusters: ['eu/*/*/*'] }], id('east'), false],
    [[{ clusters: ['eu/*/*/east'] }], id('east-2'), false],
    [[{ clusters: ['default/default/default/east'] }], id('east'), true],
    [[{ clusters: ['a.b'] }], id('a.b'), true],
    [[{ clusters: ['a.b'] }], id('axb'), false],
    [[{ clusters: ['mars'] }], id('mars'), false],
    [[{ namespaces: ['shop'] }], id('east', 'shop'), true],
    [[{ namespaces: ['shop'] }], id('east', 'shop-2'), false],
    [[{ namespaces: ['shop*'] }], id('east', 'shop-2'), true],
    [[{ namespaces: ['*'] }], id('east', 'a/sa/b'), false],
    [[{ namespaces: ['*'] }], id('east', ''), false],
    [[{ serviceAccounts: ['a.b'] }], id('east', 'shop', 'a.b'), true],
    [[{ serviceAccounts: ['a.b'] }], id('east', 'shop', 'axb'), false],
    [[{ serviceAccounts: ['*.b'] }], id('east', 'shop', 'c.a.b'), true],
    [[{ serviceAccounts: ['curl'] }], id('east', 'shop', 'CURL'), false],
    [[{ serviceAccounts: ['curl'] }], id('east', 'shop', 'curl\n'), false],
    [[{ serviceAccounts: ['curl'] }], `${id('west', 'x', 'y')},${id('east')}`, false],
    [[{ serviceAccounts: ['*'] }], `${id('west', 'x', 'y')},${id('east')}`, false],
    [[{ serviceAccounts: ['curl'] }], `${id('east')}/more`, false],
    [[{ serviceAccounts: ['curl'] }], `x${id('east')}`, false],
    [
      [{ clusters: ['east'], namespaces: ['shop'], serviceAccounts: ['curl', 'wget'] }],
      id('east', 'shop', 'wget'),
      true,
    ],
    [[{ clusters: ['east'], namespaces: ['shop'] }], id('east', 'other'), false],
    [[{ clusters: ['east'] }, { namespaces: ['other'] }], id('west', 'other'), true],
    [[{ serviceAccounts: ['(curl|.*)'] }], id('east'), false],
    [[{ serviceAccounts: ['['] }], id('east'), false],
    [[{}], id('east'), false],
    [[{ serviceAccounts: [] }], id('east'), false],
    [[], id('east'), false],
  ]
  test.each(cases)('%j: %j: %s', (allowed, caller, expected) => expect(letsIn(allowed, caller)).toBe(expected))
})

test('no list at all lets in everybody, which is another thing than any list', () => {
  expect(clientsOf(undefined, known)).toBeUndefined()
})

test('what no cluster is meant by is told with what may have been', () => {
  expect(
    unknownClusters([{ clusters: ['eas', 'eu/west-1/shop/a.c', 'm*'] }, { clusters: ['*'] }], Object.keys(known)),
  ).toEqual([
    { entry: 0, index: 0, pattern: 'eas', hint: ', or write east' },
    { entry: 0, index: 1, pattern: 'eu/west-1/shop/a.c', hint: ', or write eu/west-1/shop/a.b' },
    { entry: 0, index: 2, pattern: 'm*', hint: '' },
  ])
})

const name = fc.stringMatching(/^[a-z0-9-]{1,6}$/)

test('a star stands for any letters of a name, and nothing else does', () => {
  fc.assert(
    fc.property(fc.array(name, { minLength: 1, maxLength: 4 }), name, name, (parts, middle, other) => {
      const pattern = parts.join('*')
      expect(letsIn([{ namespaces: [pattern] }], id('east', parts.join(middle)))).toBe(true)
      const start = parts[0] ?? ''
      if (!other.startsWith(start)) expect(letsIn([{ namespaces: [pattern] }], id('east', other))).toBe(false)
    }),
  )
})

test('proxies take the longest list that may be written', async () => {
  const long = (letter: string, length: number) =>
    Array.from({ length: 32 }, (_, i) => `${letter.repeat(length - 3)}*${String(i).padStart(2, '0')}`)
  const entry = () => ({ namespaces: long('n', 63), serviceAccounts: long('s', 253) })
  const { gateway } = compile(
    build.snapshot({
      trust: build.trustIn('west'),
      services: [build.service('shop/web')],
      exports: [build.serviceExport('shop/web', { allowedClients: Array.from({ length: 32 }, entry) })],
    }),
  )
  // All of them are one: what is the same is written once.
  expect(gateway.routes[0]?.clients).toHaveLength(1)
  expect(await complaints(gatewayAsStatic(gatewayCds(gateway), gatewayRds(gateway)))).toBe('')
})

test.each([
  ['/all', false, { status: 'served' }],
  ['/some', true, { status: 'served', clients: [{ serviceAccount: 'curl' }] }],
  ['/some', false, { status: 403 }],
  ['/none', true, { status: 403 }],
] as const)('where a call of %s goes, with a certificate: %s', (path, mtls, expected) => {
  const { gateway } = compile(
    build.snapshot({
      trust: build.trustIn('west'),
      services: ['all', 'some', 'none'].map((name) => build.service(`shop/${name}`)),
      exports: [
        build.serviceExport('shop/all', { rules: [{ portNumber: 8080, path: '/all' }] }),
        build.serviceExport('shop/some', {
          rules: [{ portNumber: 8080, path: '/some' }],
          allowedClients: [{ serviceAccounts: ['curl'] }],
        }),
        build.serviceExport('shop/none', {
          rules: [{ portNumber: 8080, path: '/none' }],
          allowedClients: [{ clusters: ['mars'] }],
        }),
      ],
    }),
  )
  expect(atGateway(gateway, path, mtls)).toMatchObject(expected)
})
