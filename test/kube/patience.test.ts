/** An export whose Service has no ready pods says so: not when one is replaced, and not for longer than it is so. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { McsExport } from '../../api/mcs.ts'
import type { Condition } from '../../api/meta.ts'
import { MCS_GROUP } from '../../api/names.ts'
import type { ServiceExport } from '../../api/service-export.ts'
import { nextWord, withPatience } from '../../compiler/controller/patience.ts'
import type { ObjectStatus } from '../../compiler/tables.ts'
import { until } from '../lab/run.ts'
import type { ApiServer } from './apiserver.ts'
import { kubectl, type Replica, startInstalled, startReplica } from './compiler.ts'
import { type Look, lookAt } from './look.ts'
import { endpoints, exported, namespace, service } from './objects.ts'

const TYPE = 'EndpointsReady'

interface Told {
  readonly reason: string
  readonly involvedObject: { readonly name: string }
}

describe('when it may be told', () => {
  const NOW = Date.parse('2026-01-01T00:01:00Z')
  const reasons = { True: 'PodsReady', False: 'NoReadyPods', Unknown: '' }
  const condition = (status: Condition['status'], message: string = status): Condition => ({
    ...{ type: TYPE, status, reason: reasons[status], message, observedGeneration: 1 },
    lastTransitionTime: '2026-01-01T00:00:00Z',
  })
  const bare = ({ lastTransitionTime: _, ...rest }: Condition) => rest
  const valid = { ...bare(condition('True')), type: 'Valid' }
  const wanted = (status: Condition['status']): ObjectStatus => ({
    object: { kind: 'ServiceExport', namespace: 'shop', name: 'pay' },
    generation: 1,
    conditions: [valid, bare(condition(status))],
  })
  const NONE = { imports: new Map(), exports: new Map(), mcsExports: new Map(), policies: new Map() }
  const there = (said: Condition | undefined) =>
    new Map([['shop/pay', { status: { conditions: said ? [said] : [] } } as unknown as ServiceExport & McsExport]])

  const READY = condition('True', 'as before')
  const SILENT = condition('False', 'as before')
  test.each<[string, Condition | undefined, Condition['status'], number | undefined, readonly Condition[], number]>([
    ['pods are ready: at once', SILENT, 'True', undefined, [condition('True')], Infinity],
    ['ready no more: what was said stands', READY, 'False', undefined, [READY], 30_000],
    ['and stands', READY, 'False', 29_999, [READY], 1],
    ['until it has lasted', READY, 'False', 30_000, [condition('False')], Infinity],
    ['new, and no pod yet: nothing', undefined, 'False', 10_000, [], 20_000],
    ['new, and no pod for long', undefined, 'False', 30_000, [condition('False')], Infinity],
    ['told before, by whomever: stays told', SILENT, 'False', undefined, [condition('False')], Infinity],
    ['ready again before it was told', READY, 'True', 29_000, [condition('True')], Infinity],
  ])('%s', (_, said, status, agoMs, expected, leftMs) => {
    const since = new Map(agoMs === undefined ? [] : [['shop/pay ', NOW - agoMs]])
    const told = withPatience([wanted(status)], { ...NONE, exports: there(said) }, since, NOW, 30)
    expect(told.statuses[0]?.conditions).toEqual([valid, ...expected.map(bare)])
    expect(nextWord(told.since, 30) - NOW).toBe(leftMs)
  })

  test('of two exports of a service each waits for itself', () => {
    const both = [wanted('False'), { ...wanted('False'), object: { ...wanted('False').object, group: MCS_GROUP } }]
    const observed = { ...NONE, exports: there(SILENT), mcsExports: there(READY) }
    const [ours, standard] = withPatience(both, observed, new Map(), NOW, 30).statuses
    expect([ours?.conditions, standard?.conditions]).toEqual([
      [valid, bare(condition('False'))],
      [valid, bare(READY)],
    ])
  })

  test('of others nothing is held back, and of what is gone nothing is remembered', () => {
    const other: ObjectStatus = { ...wanted('True'), object: { kind: 'ServiceImport', namespace: 'shop', name: 'pay' } }
    const told = withPatience([other], NONE, new Map([['shop/gone ', NOW]]), NOW, 30)
    expect(told).toEqual({ statuses: [other], since: new Map() })
  })
})

describe('on an API server', () => {
  let api: ApiServer
  let look: Look
  let replica: Replica | undefined
  const start = async (patienceSeconds: number) => {
    await replica?.stop()
    replica = await startReplica(api, { patienceSeconds })
    await until('it leads', replica.leads)
  }
  beforeAll(async () => {
    api = await startInstalled()
    look = lookAt(api)
    await look.apply(namespace('shop'))
  })
  afterAll(async () => {
    await replica?.stop()
    await api?.stop()
  })

  const slice = (ready: boolean) => endpoints('shop', 'pay', ready)
  const said = (type = TYPE) => look.condition('sexp', 'shop', 'pay', type)
  const says = (status: string) =>
    until(`it says ${status}`, async () => ((await said())?.status === status ? said() : undefined))
  const events = async (reason: string): Promise<number> => {
    const list = JSON.parse(await kubectl(api, ['get', 'events', '-n', 'shop', '-o', 'json']))
    return list.items.filter((each: Told) => each.reason === reason && each.involvedObject.name === 'pay').length
  }
  const columns = async () =>
    (await kubectl(api, ['get', 'sexp', '-n', 'shop', 'pay', '-o', 'wide'])).replace(/\s+/g, ' ')

  test('no pod ever: told after a while, by status, columns and Event; pods at once', async () => {
    await start(1)
    await look.apply(service('shop', 'pay'), exported('shop', 'pay'))
    const { reason, message } = (await says('False')) ?? {}
    expect([reason, message]).toEqual([
      'NoReadyPods',
      expect.stringContaining('no pod of the Service is ready on port 8080'),
    ])
    expect((await said('Valid'))?.status).toBe('True')
    await until('an Event says so', async () => (await events('NoReadyPods')) === 1)
    expect(await columns()).toMatch(/ VALID .* READY .* WHY READY .* False .* NoReadyPods/)
    await look.apply(slice(true))
    expect((await says('True'))?.reason).toBe('PodsReady')
    await until('an Event says so', async () => (await events('PodsReady')) === 1)
  })

  test('an export of the standard says the same', async () => {
    const exportOf = { apiVersion: `${MCS_GROUP}/v1beta1`, kind: 'ServiceExport' }
    await look.apply(service('shop', 'cart'), { ...exportOf, metadata: { namespace: 'shop', name: 'cart' } })
    const saysOfIt = (status: string) =>
      until(`it says ${status}`, async () => {
        const found = await look.condition(`serviceexports.${MCS_GROUP}`, 'shop', 'cart', TYPE)
        return found?.status === status && found
      })
    expect((await saysOfIt('False')).reason).toBe('NoReadyPods')
    await look.apply(endpoints('shop', 'cart', true))
    expect((await saysOfIt('True')).reason).toBe('PodsReady')
    await kubectl(api, ['delete', `serviceexports.${MCS_GROUP}`, '-n', 'shop', 'cart'])
  })

  test('a pod that is replaced is no news', async () => {
    const before = await said()
    await start(3_600)
    await look.apply(slice(false))
    await until('the gateway has none', async () => !(await gatewayTable()).includes('10.1.0.9'))
    await look.settled()
    expect([await said(), await events('NoReadyPods')]).toEqual([before, 1])
  })

  test('who comes after a restart does not take back what has been told', async () => {
    await start(1)
    const told = await says('False')
    await start(3_600)
    await look.apply(namespace('another'))
    await until('a pass', async () => (await look.table('another')) !== null)
    await look.settled()
    expect(await said()).toEqual(told)
  })

  const gatewayTable = async () =>
    (await kubectl(api, ['get', 'configmap', '-n', 'portolan-system', 'portolan-gateway', '-o', 'jsonpath={.data}'])) ??
    ''
})
