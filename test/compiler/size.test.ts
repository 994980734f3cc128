import { describe, expect, test } from 'vitest'
import { format } from '../../api/diagnostics.ts'
import { compile } from '../../compiler/compile.ts'
import { gatewayFiles, sidecarFiles } from '../../compiler/files.ts'
import { tooLarge } from '../../compiler/size.ts'
import * as build from './build.ts'

const object = { kind: 'ConfigMap', namespace: 'shop', name: 'portolan-routes' }

describe('a set of files', () => {
  // A kilobyte is 1000 bytes, and the file's name counts too.
  test.each([
    ['as large as the limit', 'x'.repeat(999), undefined],
    ['a byte larger', 'x'.repeat(1000), 2],
    ['as large as the limit, of which a character takes two bytes', `${'x'.repeat(997)}é`, undefined],
    ['a byte larger, of which a character takes two', `${'x'.repeat(998)}é`, 2],
  ])('%s', (_, text, size) => {
    expect(tooLarge(object, { f: text }, () => [], 1)?.params?.['size']).toBe(size)
  })

  test('the refusal names the largest parts', () => {
    const parts = [1, 5, 3, 4, 2].map((kb) => ({ name: `shop/s${kb}`, bytes: kb * 1000 }))
    const refusal = tooLarge(object, { f: 'x'.repeat(2000) }, () => parts, 1) ?? expect.unreachable()
    expect(format(refusal)).toBe(
      'ConfigMap shop/portolan-routes: data: the table takes 3 kB of at most 1 kB, so the last good one stays; ' +
        'the largest parts are shop/s5 (5 kB), shop/s4 (4 kB), shop/s3 (3 kB). ' +
        'Narrow what the namespace imports by annotation flomesh.io/imports, or export less.',
    )
  })
})

const many = (services: number) => {
  const names = Array.from({ length: services }, (_, index) => `shop/service-${index}`)
  return compile(
    build.snapshot({
      services: names.map((name) => build.service(name)),
      imports: names.map((name) =>
        build.serviceImport(
          name,
          name === 'shop/service-7' ? manyExporters : [{ cluster: 'east' }, { cluster: 'north' }],
        ),
      ),
      exports: names.map((name) => build.serviceExport(name)),
      policies: names.map((name) => build.policy(name, 'ActiveActive')),
    }),
  )
}
const manyExporters = Array.from({ length: 20 }, (_, index) => ({ cluster: `cluster-${index}` }))

describe('tables', () => {
  test('400 service-ports of three clusters fit', () => {
    const [table] = many(400).sidecars
    expect(table && sidecarFiles(table, 'a/b/c/d').refusal).toBeUndefined()
  })

  test('1000 do not: what is left does', () => {
    const { sidecars, gateway } = many(1000)
    expect(sidecars[0]?.routes.length).toBeLessThan(1000)
    expect(sidecars[0] && sidecarFiles(sidecars[0], 'a/b/c/d').refusal).toBeUndefined()
    expect(gateway.routes.length).toBeLessThan(1000)
    expect(
      gatewayFiles(gateway, undefined, { namespace: 'portolan-system', clusterKey: 'a/b/c/d' }).refusal,
    ).toBeUndefined()
  })

  test('one that is too large all the same is refused, with its largest parts', () => {
    const [table] = many(400).sidecars
    const twice = table && { ...table, routes: [...table.routes, ...table.routes, ...table.routes] }
    const refusal = twice && sidecarFiles(twice, 'a/b/c/d').refusal
    expect(refusal).toMatchObject({ code: 'TableTooLarge', object: { namespace: 'app' } })
    expect(refusal?.params?.['largest']).toMatch(/^shop\/service-7 /)
  })
})
