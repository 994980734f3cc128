/** What mutations start from: the manifests of the goldens and guides, and random pods and clusters. */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import fc from 'fast-check'
import { parseAllDocuments } from 'yaml'
import type { KubeObject } from '../../api/meta.ts'
import { snapshots } from '../compiler/worlds.ts'
import { mixed } from '../federation/mixed.ts'
import { worlds } from '../federation/worlds.ts'
import { pods } from '../webhook/pods.ts'

type Some<T> = readonly [T, ...T[]]

const some = <T>(items: readonly T[]): Some<T> => {
  const [first, ...rest] = items
  if (first === undefined) throw new Error('nothing to start from')
  return [first, ...rest]
}

const ROOT = path.resolve(import.meta.dirname, '../..')

const under = (folder: string, wanted: RegExp): readonly string[] =>
  readdirSync(path.join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => wanted.test(file))
    .sort()
    .map((file) => readFileSync(path.join(ROOT, folder, file), 'utf8'))

const LONGEST = 20_000

/** Texts of manifests, as people write them. */
export const texts: Some<string> = some(
  [
    ...under('examples', /\.yaml$/),
    ...under('test/golden/seeds', /\.yaml$/),
    ...under('test/golden/validate', /\.in\.yaml$/),
    ...under('test/golden/compile', /\.in\.yaml$/),
    ...under('test/golden/inject', /\.in\.yaml$/),
  ].filter((text) => text.length < LONGEST),
)

const isObject = (value: unknown): value is KubeObject =>
  typeof value === 'object' && value !== null && 'kind' in value && 'metadata' in value

const objectsIn = (text: string): readonly KubeObject[] =>
  parseAllDocuments(text, { version: '1.1', logLevel: 'silent' })
    .filter((document) => document.errors.length === 0)
    .map((document): unknown => document.toJS())
    .filter(isObject)

export const objects: Some<KubeObject> = some(texts.flatMap(objectsIn))

/** As many of an arbitrary as make a good start; the same for the same seed. */
const sampled = <T>(arbitrary: fc.Arbitrary<T>, seed: number): Some<T> =>
  some(fc.sample(arbitrary, { seed, numRuns: 300 }))

export const podsOf = (seed: number) => sampled(pods, seed)
export const snapshotsOf = (seed: number) => sampled(snapshots, seed)
export const clustersetsOf = (seed: number) => sampled(fc.oneof(worlds, mixed), seed)
