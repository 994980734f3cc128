import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { suiteCommand, suiteIn } from './suite.ts'

const root = mkdtempSync(join(tmpdir(), 'portolan-suite-'))
afterAll(() => rmSync(root, { recursive: true }))

const checkout = (name: string, module: string): string => {
  const dir = join(root, name)
  mkdirSync(join(dir, 'conformance'), { recursive: true })
  writeFileSync(join(dir, 'conformance/go.mod'), `module ${module}\n\ngo 1.23.0\n`)
  return dir
}

test('a checkout with the suite is taken', () => {
  const path = checkout('right', 'sigs.k8s.io/mcs-api/conformance')
  expect(suiteIn(path)).toEqual({ dir: join(path, 'conformance') })
})

test.each([
  [undefined, /^MCS_API is not set: git clone/],
  ['', /^MCS_API is not set: git clone/],
  [join(root, 'nowhere'), /nowhere\/conformance\/go\.mod: git clone/],
  [checkout('other', 'example.com/other'), /go\.mod is module example\.com\/other, not sigs\.k8s\.io/],
])('without it nothing is begun, and what is missing is said: %s', (path, message) => {
  expect(suiteIn(path)).toEqual({ problem: expect.stringMatching(message) })
})

test('the suite is told which clusters, and whatever else the user wants', () => {
  const command = suiteCommand(['east', 'west'], ['-ginkgo.focus=SRV'])
  // Without it go prints nothing before the end, minutes later.
  expect(command.slice(0, command.indexOf('-args'))).toContain('-v')
  expect(command.slice(-4)).toEqual(['-args', '-contexts=east,west', '-ginkgo.v', '-ginkgo.focus=SRV'])
})
