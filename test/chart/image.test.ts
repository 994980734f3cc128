import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { filesBelow } from '../lab/cache.ts'
import { PORTOLAN_CONTENT } from '../lab/images.ts'

const TOP = join(import.meta.dirname, '../..')
const dockerfile = readFileSync(join(TOP, 'Dockerfile'), 'utf8')
const lastStage = dockerfile.slice(dockerfile.lastIndexOf('\nFROM '))
const copied = [...lastStage.matchAll(/^COPY ([^-]\S*) \.\/\S*$/gm)].map(([, path]) => path)
const sourcesOf = (path: string) => filesBelow(join(TOP, path)).filter((file) => file.endsWith('.ts'))

test('the Dockerfile and the lab put the same into /opt/portolan', () => {
  const laidOut = PORTOLAN_CONTENT.filter((path) => path.endsWith('.json') || sourcesOf(path).length > 0)
  expect(copied).toEqual(laidOut)
})

test('that is every room with sources but the tests', () => {
  const outside = ['charts', 'docs', 'examples', 'node_modules', 'test']
  const rooms = readdirSync(TOP, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.') && !outside.includes(entry.name))
    .map((entry) => entry.name)
    .filter((name) => sourcesOf(name).length > 0)
  expect(copied).toEqual(['package.json', ...rooms.sort()])
})

test('what is copied gets past .dockerignore', () => {
  const allowed = readFileSync(join(TOP, '.dockerignore'), 'utf8').match(/(?<=^!).+$/gm)
  for (const path of copied) expect(allowed).toContain(path)
})
