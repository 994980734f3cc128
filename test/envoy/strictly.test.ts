import fc from 'fast-check'
import { expect, test } from 'vitest'
import { compile } from '../../compiler/compile.ts'
import { egressCds, egressLds } from '../../compiler/render-egress.ts'
import { gatewayCds, gatewayRds } from '../../compiler/render-gateway.ts'
import { sidecarCds } from '../../compiler/render-sidecar.ts'
import type { Tables } from '../../compiler/tables.ts'
import { cases } from '../compiler/cases.ts'
import { snapshots } from '../compiler/worlds.ts'
import { complaints, egressAsStatic, gatewayAsStatic, merged, sidecarAsStatic } from './strictly.ts'

const egressOf = ({ egress }: Tables) => (egress ? [egressAsStatic(egressCds(egress), egressLds(egress))] : [])

const configs = cases.flatMap(({ name, tables, previous }) => [
  ...tables.sidecars.map((table) => ({
    name: `${name}: ${table.namespace}`,
    config: sidecarAsStatic(sidecarCds(table)),
  })),
  ...egressOf(tables).map((config) => ({ name: `${name}: egress`, config })),
  {
    name: `${name}: gateway`,
    config: gatewayAsStatic(
      gatewayCds(tables.gateway, previous?.gateway),
      gatewayRds(tables.gateway),
      tables.gateway.trust !== undefined,
    ),
  },
])

test(`Envoy loads every file of every golden case (${configs.length})`, async () => {
  const all = await complaints(merged(configs.map(({ config }) => config)))
  if (all === '') return
  // Something is wrong somewhere: ask for each by itself, to say where.
  for (const { name, config } of configs) expect(`${name}: ${await complaints(config)}`).toBe(`${name}: `)
  expect(all).toBe('')
})

test('Envoy loads what is made of random clusters', async () => {
  const random = fc.sample(snapshots, { numRuns: 150, seed: 20261121 }).map((snapshot) => compile(snapshot))
  const files = random.flatMap((tables) => [
    ...tables.sidecars.map((table) => sidecarAsStatic(sidecarCds(table))),
    ...egressOf(tables),
    gatewayAsStatic(gatewayCds(tables.gateway), gatewayRds(tables.gateway)),
  ])
  expect(await complaints(merged(files))).toBe('')
})

test.each([
  ['an unknown field', (cds: string) => cds.replace('"connect_timeout"', '"connect_time"')],
  ['a name as a static address', (cds: string) => cds.replace('"192.0.2.1"', '"example.org"')],
  ['an endpoint without an address', (cds: string) => cds.replace('"address":"192.0.2.1",', '')],
])('and it would have told %s', async (_, spoil) => {
  const { tables } = cases.find(({ name }) => name === 'failover-no-local') ?? expect.unreachable()
  const [table] = tables.sidecars
  if (!table) return expect.unreachable()
  expect(await complaints(sidecarAsStatic(spoil(sidecarCds(table))))).not.toBe('')
})
