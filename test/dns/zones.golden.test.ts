/** What mesh DNS reads, whole, for imports of all kinds. */
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { compile } from '../../compiler/compile.ts'
import { dnsFiles } from '../../compiler/files.ts'
import type { Snapshot } from '../../compiler/snapshot.ts'
import * as build from '../compiler/build.ts'
import { derived, headless, slice, standard } from './build.ts'

const GOLDEN = join(import.meta.dirname, '../golden/dns')
const LONG = 'a'.repeat(63)

const PORTS = [
  { name: 'http', port: 80 },
  { name: 'dns', port: 53, protocol: 'UDP' },
  { name: 'dns-tcp', port: 53 },
  { port: 8443 },
] as const

const cases: Readonly<Record<string, Partial<Snapshot>>> = {
  empty: {},
  'an-address-for-all': {
    imports: [standard('shop/web', PORTS), standard('other/web'), standard('shop/soon')],
    services: [derived('shop/web', '10.43.0.20'), derived('other/web', '10.43.0.21', 'fd00:43::21')],
    mesh: { ...build.mesh, egressNamespace: 'portolan-system' },
  },
  'no-egress': { imports: [standard('shop/web')] },
  ipv6: { imports: [standard('shop/web')], mesh: { ...build.mesh, vipRange: 'fd00:240:240::/112' } },
  headless: {
    imports: [headless('shop/db'), headless('shop/nobody')],
    endpointSlices: [
      slice('shop/db', 'east', ['db-0@10.1.0.4', 'db-1@10.1.0.5', '!db-2@10.1.0.6']),
      slice('shop/db', 'west', ['db-0@10.2.0.4', '10.2.0.9'], [{ port: 5432 }, { name: 'pg', port: 15_432 }]),
      slice('shop/db', 'north', ['db-0@fd00:1::7', 'fd00:1::'], []),
      slice('shop/nobody', 'east', ['!10.1.0.7']),
      slice('other/db', 'east', ['10.1.0.8']),
    ],
  },
  'names-that-are-none': {
    imports: [
      standard('shop/web', [
        { name: 'HTTP', port: 80 },
        { name: 'a b', port: 81 },
        { name: 'fine', port: 0 },
      ]),
      standard('shop/a.b'),
      standard('shop/-web'),
      standard(`shop/${LONG}b`),
      headless('shop/db'),
      { ...headless('shop/db'), metadata: { namespace: LONG, name: LONG } },
    ],
    endpointSlices: [
      slice('shop/db', 'east', ['db 0@10.1.0.4', '\n$INCLUDE@10.1.0.5', 'DB@10.1.0.6', 'db-0@ten', '@10.1.0.7']),
      slice('shop/db', 'e_ast', ['10.1.0.8']),
      slice('shop/db', '', ['10.1.0.9']),
      slice(`${LONG}/${LONG}`, LONG, [`${LONG}@10.1.0.4`]),
      slice(`${LONG}/${LONG}`, `${LONG}.${LONG}`, [`db@10.1.0.5`]),
    ],
  },
}

describe('files of mesh DNS', () => {
  test.each(Object.entries(cases))('%s', async (name, parts) => {
    const { files } = dnsFiles(compile(build.snapshot(parts)), 'portolan-system')
    const text = Object.entries(files)
      .map(([file, content]) => `; ${file}\n${content}`)
      .join('\n')
    await expect(text).toMatchFileSnapshot(join(GOLDEN, `${name}.txt`))
  })
})

test('the same content has the same serial, and another content another', () => {
  const zone = (parts: Partial<Snapshot>) =>
    dnsFiles(compile(build.snapshot(parts)), 'portolan-system').files['cluster.zone'] ?? ''
  const serial = (text: string) => /hostmaster (\d+) /.exec(text)?.[1]
  const [db, web] = [standard('shop/db'), standard('shop/web')]
  expect(zone({ imports: [db, web] })).toBe(zone({ imports: [web, db] }))
  expect(serial(zone({ imports: [db] }))).not.toBe(serial(zone({ imports: [db, web] })))
})
