/** Until when callers are not told that an export has moved at its gateway. */
import { expect, test } from 'vitest'
import type { ServiceExport } from '../../api/service-export.ts'
import { firstRelease, holdPaths, NOTHING_HELD, PATH_HOLD_MS } from '../../federation/controller/held-paths.ts'

type Rules = NonNullable<ServiceExport['spec']['rules']>

const exportOf = (rules: Rules | undefined, name = 'pay', uid = name): ServiceExport => ({
  apiVersion: 'flomesh.io/v1alpha1',
  kind: 'ServiceExport',
  metadata: { namespace: 'shop', name, uid },
  spec: rules === undefined ? {} : { rules },
})
const at = (path: string, portNumber = 8080, pathType: 'Prefix' | 'Exact' = 'Prefix') => ({
  portNumber,
  path,
  pathType,
})
const shown = (...objects: readonly ServiceExport[]) =>
  new Map(objects.map((object) => [`shop/${object.metadata.name}`, object]))

const OLD = exportOf([at('/old')])
const heir = (path: string) => exportOf([at(path)], 'heir')

test.each<[string, ServiceExport | undefined, ServiceExport | undefined, readonly ServiceExport[], boolean]>([
  ['another path', OLD, exportOf([at('/new')]), [], true],
  ['a path of its own instead', OLD, exportOf(undefined), [], true],
  ['a path where it had its own', exportOf(undefined), OLD, [], true],
  ['a path more, which callers may prefer', OLD, exportOf([at('/old'), at('/a')]), [], true],
  ['no Prefix any more', OLD, exportOf([at('/old', 8080, 'Exact')]), [], true],
  ['another exporter of the former path', OLD, exportOf([at('/new')]), [heir('/old')], false],
  ['others that name other paths', OLD, exportOf([at('/new')]), [heir('/older')], true],
  ['the same in other words', OLD, exportOf([{ portNumber: 8080, path: '/old' }]), [], false],
  ['a port more', OLD, exportOf([at('/old'), at('/more', 9090)]), [], false],
  ['another port at the path', OLD, exportOf([at('/old', 9090)]), [], false],
  ['an export of that name made anew', OLD, exportOf([at('/new')], 'pay', 'another'), [], false],
  ['a new export', undefined, OLD, [], false],
  ['an export that is gone', OLD, undefined, [], false],
])('%s', (_, before, now, others, isHeld) => {
  const there = shown(...others, ...(now ? [now] : []))
  const { exports, held } = holdPaths(shown(...others, ...(before ? [before] : [])), NOTHING_HELD, there, 1_000)
  expect([...held.keys()]).toEqual(isHeld ? ['shop/pay'] : [])
  expect(firstRelease(held)).toBe(isHeld ? 1_000 + PATH_HOLD_MS : Number.POSITIVE_INFINITY)
  if (isHeld) expect(exports.get('shop/pay')).toBe(before)
  else expect(exports).toBe(there)
})

test('once told it stays told, changed again it does not wait any longer, and changed back it waits for nothing', () => {
  const first = holdPaths(shown(OLD), NOTHING_HELD, shown(exportOf([at('/new')])), 0)
  const newest = shown(exportOf([at('/newest')]))
  const second = holdPaths(first.exports, first.held, newest, 1_500)
  expect([second.exports.get('shop/pay'), firstRelease(second.held)]).toEqual([OLD, PATH_HOLD_MS])
  const third = holdPaths(second.exports, second.held, newest, PATH_HOLD_MS)
  expect([third.exports, third.held.size]).toEqual([newest, 0])
  expect(holdPaths(third.exports, third.held, newest, PATH_HOLD_MS + 1).exports).toBe(newest)
  const back = shown(exportOf([at('/old')]))
  expect(holdPaths(first.exports, first.held, back, 1).exports).toBe(back)
})

test('an heir of the path ends it at once', () => {
  const moved = exportOf([at('/new')])
  const { exports, held } = holdPaths(shown(OLD), NOTHING_HELD, shown(moved), 0)
  const now = shown(moved, heir('/old'))
  expect(holdPaths(exports, held, now, 1)).toEqual({ exports: now, held: new Map() })
})
