import { describe, expect, it } from 'vitest'
import type { Service } from '../../api/core.ts'
import type { McsExport } from '../../api/mcs.ts'
import type { ServiceExport } from '../../api/service-export.ts'
import { declaredExports } from '../../compiler/doors.ts'

const at = (second: number) => `2026-01-01T00:00:0${second}Z`
const ours = (second: number, spec: ServiceExport['spec'] = {}): ServiceExport => ({
  apiVersion: 'flomesh.io/v1alpha1',
  kind: 'ServiceExport',
  metadata: { namespace: 'shop', name: 'cart', uid: 'ours', creationTimestamp: at(second) },
  spec,
})
const standard = (second: number, more: object = {}): McsExport => ({
  apiVersion: 'multicluster.x-k8s.io/v1beta1',
  kind: 'ServiceExport',
  metadata: { namespace: 'shop', name: 'cart', uid: 'standard', creationTimestamp: at(second), ...more },
})
const service = (second: number, annotations: Readonly<Record<string, string>>): Service => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { namespace: 'shop', name: 'cart', uid: 'service', creationTimestamp: at(second), annotations },
  spec: { clusterIP: '10.0.0.1' },
})
const GLOBAL = { 'service.cilium.io/global': 'true' }

describe('what a cluster offers', () => {
  it('is one export, through however many doors, as old as the oldest of them and with our spec', () => {
    const spec = { pathRewrite: { from: '^/a', to: '/' } }
    const all = declaredExports({
      exports: [ours(3, spec)],
      mcsExports: [standard(2)],
      services: [service(1, GLOBAL)],
      globalServices: true,
    })
    expect(all).toMatchObject([
      {
        doors: ['ServiceExport', 'MCS', 'GlobalService'],
        metadata: { uid: 'ours', creationTimestamp: at(1) },
        spec,
        standard: { metadata: { uid: 'standard' } },
      },
    ])
  })

  it('is not shared by annotation where that is off, or another value says so', () => {
    const services = [service(1, GLOBAL)]
    expect(declaredExports({ exports: [], services })).toEqual([])
    for (const more of [{ 'service.cilium.io/shared': 'false' }, { 'service.cilium.io/global': 'false' }])
      expect(
        declaredExports({ exports: [], services: [service(1, { ...GLOBAL, ...more })], globalServices: true }),
      ).toEqual([])
  })

  it('loses a door that is being deleted, and stays as it is when that was the last', () => {
    const going = standard(1, { deletionTimestamp: at(9) })
    expect(declaredExports({ exports: [ours(2)], mcsExports: [going], services: [] })).toMatchObject([
      { doors: ['ServiceExport'], metadata: { creationTimestamp: at(2) } },
    ])
    expect(declaredExports({ exports: [], mcsExports: [going], services: [] })).toMatchObject([
      { doors: ['MCS'], metadata: { deletionTimestamp: at(9) } },
    ])
  })

  it('is the very same value while its objects are', () => {
    const doors = { exports: [ours(1)], mcsExports: [standard(2)], services: [] }
    expect(declaredExports(doors)[0]).toBe(declaredExports({ ...doors })[0])
  })
})
