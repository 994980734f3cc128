/** Imports that are gone while callers hold their addresses. */
import { describe, expect, test } from 'vitest'
import type { Door, ServiceImport } from '../../api/service-import.ts'
import { compile } from '../../compiler/compile.ts'
import { withdrawnSince } from '../../compiler/controller/withdrawn.ts'
import type { Snapshot } from '../../compiler/snapshot.ts'
import * as build from './build.ts'

const KEY = 'shop/web'
const EAST = [{ cluster: 'east', host: '192.0.2.1' }]
const imported = (key = KEY, doors?: readonly Door[]): ServiceImport => {
  const object = build.serviceImport(key, EAST)
  return { ...object, spec: { ...object.spec, ...(doors ? { doors } : {}) } }
}

describe('which, and until when', () => {
  const NOW = 10_000
  const [web, db] = [imported('shop/web'), imported('shop/db')]
  const gone = (object: ServiceImport, until: number) => ({ object, until })
  const names = (found: ReturnType<typeof withdrawnSince>) =>
    found.map(({ object, until }) => `${object.metadata.name} ${until}`)

  test.each([
    ['one that was there before', { imports: [web, db], withdrawn: [] }, [db], 30, ['web 40000']],
    ['none that is there', { imports: [web], withdrawn: [] }, [web], 30, []],
    [
      'one of a moment ago, until the same time',
      { imports: [], withdrawn: [gone(web, 20_000)] },
      [],
      30,
      ['web 20000'],
    ],
    ['none whose time is over', { imports: [], withdrawn: [gone(web, NOW)] }, [], 30, []],
    ['none that has come back', { imports: [], withdrawn: [gone(web, 20_000)] }, [web], 30, []],
    [
      'one that annotations or exports of ours offer, too',
      { imports: [imported(KEY, ['MCS', 'GlobalService'])], withdrawn: [] },
      [],
      30,
      ['web 40000'],
    ],
    [
      'none that has the name of the clusterset alone',
      { imports: [imported(KEY, ['MCS'])], withdrawn: [] },
      [],
      30,
      [],
    ],
    ['none where nothing is granted', { imports: [web], withdrawn: [gone(db, 20_000)] }, [], 0, []],
  ])('%s', (_, before, now, seconds, expected) => {
    expect(names(withdrawnSince(before, now, NOW, seconds))).toEqual(expected)
  })

  test('without the endpoints that have been withdrawn', () => {
    const [{ object } = gone(web, 0)] = withdrawnSince({ imports: [web], withdrawn: [] }, [], NOW, 30)
    expect(object.spec.ports.flatMap(({ endpoints }) => endpoints)).toEqual([])
  })
})

describe('calls to their addresses', () => {
  const service = build.service(KEY, { clusterIP: '10.43.0.9' })
  const pods = build.pods(KEY, ['10.1.0.9'], 8080)
  const own: Partial<Snapshot> = { services: [service], endpointSlices: [pods] }
  const withAddress = (object: ServiceImport): ServiceImport => {
    const ips = compile(build.snapshot({ ...own, imports: [object] })).vips[0]?.ips ?? expect.unreachable()
    return { ...object, spec: { ...object.spec, ips } }
  }
  const withdrawn = (object: ServiceImport) =>
    withdrawnSince({ imports: [withAddress(object)], withdrawn: [] }, [], 0, 30).map((each) => each.object)

  test('are answered by the pods that their name means now, and nothing else is left of it', () => {
    const held = withAddress(imported())
    const { sidecars, dns, vips, statuses, objects, clusterset } = compile(
      build.snapshot({ ...own, withdrawn: withdrawn(imported()) }),
    )
    const [route] = sidecars[0]?.routes ?? []
    expect(route).toMatchObject({ service: KEY, vip: held.spec.ips?.[0], backends: [{ local: true }] })
    expect(route?.backends).toHaveLength(1)
    expect([dns, vips, statuses, objects, clusterset]).toEqual([[], [], [], [], []])
  })

  test('keep the address from being given to others', () => {
    const [address] = withAddress(imported()).spec.ips ?? []
    const thief = { ...imported('shop/thief'), spec: { ...imported().spec, ips: [address ?? ''] } }
    const { vips } = compile(build.snapshot({ ...own, imports: [thief], withdrawn: withdrawn(imported()) }))
    expect(vips.map(({ name, ips }) => [name, ips[0] === address])).toEqual([['thief', false]])
  })

  test('are not answered where no pod of ours is behind the name', () => {
    const { sidecars } = compile(build.snapshot({ withdrawn: withdrawn(imported()) }))
    expect(sidecars[0]?.routes).toEqual([])
  })

  test('are what they were once it is imported again', () => {
    const again = build.snapshot({ ...own, imports: [withAddress(imported())] })
    expect(compile({ ...again, withdrawn: withdrawn(imported()) })).toEqual(compile(again))
  })
})
