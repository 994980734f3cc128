import { describe, expect, test } from 'vitest'
import type { McsExport } from '../../api/mcs.ts'
import { wordsOf } from '../../federation/words.ts'

const exported = (spec: McsExport['spec'] = {}): McsExport => ({
  apiVersion: 'multicluster.x-k8s.io/v1beta1',
  kind: 'ServiceExport',
  metadata: { namespace: 'shop', name: 'web' },
  spec,
})
const many = (count: number, value = '') =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${100 + i}`, value]))

describe('labels', () => {
  test.each([
    ['team', 'shop', true],
    ['example.com/team', '', true],
    ['example.com/team', 'a'.repeat(63), true],
    ['example.com/team', 'a'.repeat(64), false],
    ['example.com/team', 'two words', false],
    ['a/b/c', '1', false],
    ['/b', '1', false],
    ['Example.com/b', '1', false],
    ['-b', '1', false],
    ['', '1', false],
    ['a'.repeat(64), '1', false],
    [`${'a'.repeat(254)}/b`, '1', false],
  ])('%s=%s: %s', (name, value, isTaken) => {
    const { labels, unusable } = wordsOf(exported({ exportedLabels: { [name]: value } }))
    expect(labels).toEqual(isTaken ? { [name]: value } : {})
    expect(unusable.flatMap(({ names }) => names)).toEqual(isTaken ? [] : [name])
  })
})

test('annotations may say anything, but not at any length', () => {
  const exportedAnnotations = { 'a.b/said': 'two words, {"json": true}', 'a.b/long': 'x'.repeat(4097) }
  expect(wordsOf(exported({ exportedAnnotations }))).toEqual({
    labels: {},
    annotations: { 'a.b/said': 'two words, {"json": true}' },
    unusable: [{ why: 'there is no room for them', names: ['a.b/long'] }],
  })
})

test('as many as there is room for, always the same', () => {
  const { labels, unusable } = wordsOf(exported({ exportedLabels: many(70) }))
  expect(Object.keys(labels)).toEqual(Object.keys(many(64)))
  expect(unusable[0]?.names).toHaveLength(6)
  const { annotations } = wordsOf(exported({ exportedAnnotations: many(30, 'x'.repeat(4000)) }))
  expect(Object.keys(annotations)).toEqual(Object.keys(many(16)))
})

test('in one order, whatever order they were written in', () => {
  const { labels } = wordsOf(exported({ exportedLabels: { b: '1', a: '2' } }))
  expect(JSON.stringify(labels)).toBe('{"a":"2","b":"1"}')
})

test.each([undefined, null, 7, 'text', { a: 7 }])('%j is no labels', (odd) => {
  expect(wordsOf(exported({ exportedLabels: odd as never })).labels).toEqual({})
})
