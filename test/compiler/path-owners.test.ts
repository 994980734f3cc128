import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type PathClaim, pathHolders } from '../../compiler/path-owners.ts'

const claim = (text: string): PathClaim => {
  const [service = '', path = '', pathType] = text.split(' ')
  return { service, path, pathType: pathType === 'Exact' ? 'Exact' : 'Prefix' }
}
const served = (claims: readonly PathClaim[]): readonly PathClaim[] => {
  const holderOf = pathHolders(claims)
  return claims.filter((each) => holderOf(each) === undefined)
}

describe('whose a path of the gateway is', () => {
  test.each<[string, readonly string[], readonly string[]]>([
    ['of two with the same path, the first', ['a/x /p', 'b/x /p'], ['a/x /p']],
    ['nobody has one inside that of another namespace', ['a/x /p', 'b/x /p/login'], ['a/x /p']],
    ['nor around it', ['a/x /p/login', 'b/x /p'], ['a/x /p/login']],
    ['but in his own namespace', ['a/x /p', 'a/y /p/login'], ['a/x /p', 'a/y /p/login']],
    ['beside it is free', ['a/x /p', 'b/x /pq', 'b/x /q/p'], ['a/x /p', 'b/x /pq', 'b/x /q/p']],
    [
      'a path without a name is its own namespace’s, also when another had it before',
      ['evil/x /a/x/8080/login', 'evil/x /a/y/8080', 'evil/x /a', 'a/x /a/x/8080', 'a/y /a/y/8080'],
      ['a/x /a/x/8080', 'a/y /a/y/8080'],
    ],
    [
      'nobody has all by having the root',
      ['evil/x /', 'a/x /p', 'a/x /a/x/8080'],
      ['evil/x /', 'a/x /p', 'a/x /a/x/8080'],
    ],
    ['an Exact has nothing below it', ['a/x /p Exact', 'b/x /p/q'], ['a/x /p Exact', 'b/x /p/q']],
    [
      'who has it as an Exact has it as a Prefix only if nobody is below',
      ['a/x /a/a', 'b/x /a Exact', 'b/x /a', 'c/x /p Exact', 'c/x /p', 'a/x /p/q'],
      ['a/x /a/a', 'b/x /a Exact', 'c/x /p Exact', 'c/x /p'],
    ],
    ['but may be below another', ['a/x /p', 'b/x /p/q Exact', 'b/x /p/ Exact'], ['a/x /p']],
  ])('%s', (_, claims, expected) => {
    expect(served(claims.map(claim))).toEqual(expected.map(claim))
  })

  const segment = fc.constantFrom('a', 'b', 'p', 'q')
  const claims = fc.array(
    fc.record({
      service: fc.constantFrom('a/x', 'a/y', 'b/x'),
      path: fc.array(segment, { maxLength: 3 }).map((parts) => `/${parts.join('/')}`),
      pathType: fc.constantFrom('Prefix' as const, 'Exact' as const),
    }),
    { maxLength: 8 },
  )
  test('law: no call that is meant for a path of one namespace is taken by another, and every path is somebody’s', () => {
    fc.assert(
      fc.property(claims, (all) => {
        const given = served(all)
        const namespace = ({ service }: PathClaim) => service.split('/')[0]
        for (const outer of given.filter(({ pathType, path }) => pathType === 'Prefix' && path !== '/'))
          for (const inner of given)
            if (inner.path.startsWith(`${outer.path}/`)) expect(namespace(inner)).toBe(namespace(outer))
        expect(given.length > 0).toBe(all.length > 0)
        const owners = Map.groupBy(given, ({ path }) => path)
        for (const same of owners.values()) expect(new Set(same.map(({ service }) => service)).size).toBe(1)
      }),
      { numRuns: 2_000 },
    )
  })
})
