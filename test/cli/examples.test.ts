/** A real API server's opinion of the examples, and of what the command line and the chart make. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { render } from '../chart/helm.ts'
import { type ApiServer, startApiServer } from '../kube/apiserver.ts'
import { CRDS } from '../kube/crds.ts'
import { portolan } from './session.ts'

const TOP = join(import.meta.dirname, '../..')
let api: ApiServer

async function kubectl(args: readonly string[], input?: string): Promise<string> {
  const { code, stdout, stderr } = await api.kubectl(args, input)
  if (code !== 0) throw new Error(stderr)
  return stdout + stderr
}

beforeAll(async () => {
  api = await startApiServer()
  await kubectl(['apply', ...CRDS])
  await kubectl(['wait', '--for=condition=Established', 'crd', '--all', '--timeout=120s'])
})

afterAll(async () => {
  await api?.stop()
})

test.each(['east', 'west', 'clusterset/east', 'clusterset/north'])(
  'examples/%s is taken as it is, in the order of its files',
  async (cluster) => {
    const said = await kubectl(['apply', '-f', join(TOP, 'examples', cluster)])
    expect(said).not.toMatch(/warning/i)
  },
)

test('every object of examples/mistakes is refused, with the webhook down', async () => {
  for (const file of readdirSync(join(TOP, 'examples/mistakes'))) {
    const { code, stdout } = await api.kubectl(['apply', '-f', join(TOP, 'examples/mistakes', file)])
    expect({ file, code, stdout }).toEqual({ file, code: 1, stdout: '' })
  }
})

test('what `portolan inject` prints can be applied', async () => {
  const { out } = await portolan(['inject', '-f', 'examples/west'])
  const said = await kubectl(['apply', '--dry-run=server', '-f', '-'], out)
  expect(said).toContain('deployment.apps/storefront configured')
  expect(said).not.toMatch(/warning/i)
})

test('what the chart renders can be applied', async () => {
  await kubectl(['create', 'namespace', 'portolan-system'])
  const said = await kubectl(['apply', '--dry-run=server', '-f', '-'], await render())
  expect(said.match(/created|configured|unchanged/g)?.length).toBeGreaterThan(25)
  expect(said).not.toMatch(/warning/i)
})
