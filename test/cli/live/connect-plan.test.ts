/** Which of two clusters is the hub, what they are called, and what is refused: a table. */
import { describe, expect, test } from 'vitest'
import { connectPlan, type End } from '../../../cli/live/connect-plan.ts'

const end = (context: string, more: Partial<End> = {}): End => ({
  context,
  uid: `uid-of-${context}`,
  installed: 'default',
  hub: true,
  members: [],
  prefix: '',
  ...more,
})
const east = (more: Partial<End> = {}) => end('east', more)
const west = (more: Partial<End> = {}) => end('west', { prefix: 'destination-', ...more })
const told = (name: string, hub?: string) => ({
  told: { name, ...(hub === undefined ? {} : { hub: `uid-of-${hub}` }) },
})
const member = (name: string, cluster = name) => ({ name, uid: `uid-of-${cluster}` })

const HUB_OF_BOTH = { members: [member('east'), member('west')], ...told('east', 'east') }

const GOOD: readonly (readonly [string, End, End, hub: string, member: string])[] = [
  ['nobody has joined anything', east(), west(), 'east', 'west'],
  ['the other runs no hub', east(), west({ hub: false }), 'east', 'west'],
  ['names of the installation', east({ installed: 'e1' }), west({ installed: 'w1' }), 'e1', 'w1'],
  ['names that are asked for', east({ wanted: 'e2', installed: 'e1' }), west({ wanted: 'w2' }), 'e2', 'w2'],
  ['done before', east(HUB_OF_BOTH), west(told('west', 'east')), 'east', 'west'],
  ['done before, named the other way round', west(told('west', 'east')), east(HUB_OF_BOTH), 'east', 'west'],
  [
    'done before, and the hub has not told them yet',
    west({ hub: true }),
    east({ members: [member('east'), member('west')] }),
    'east',
    'west',
  ],
  ['known under another name', east({ members: [member('w7', 'west')] }), west(told('w7', 'east')), 'east', 'w7'],
  ['joined by a hub of an older release', east({ members: [member('west')] }), west(told('west')), 'east', 'west'],
  ['a third member', east({ ...HUB_OF_BOTH }), end('north'), 'east', 'north'],
]

test.for(GOOD)('%s', ([, first, second, hub, other]) => {
  expect(connectPlan(first, second)).toMatchObject({
    ok: true,
    hub: { name: hub, end: { context: 'east' } },
    member: { name: other },
  })
})

describe('refused', () => {
  const why = (first: End, second: End): string => {
    const plan = connectPlan(first, second)
    return plan.ok ? 'it is not' : plan.why
  }
  test('a cluster and itself', () => {
    expect(why(east(), west({ uid: 'uid-of-east' }))).toBe('east and west are the same cluster; name two of them')
  })
  test('the other belongs to another hub', () => {
    expect(why(east(), west(told('w7', 'north')))).toBe(
      'west is Cluster w7 of another hub already; let the other one join that: portolan cluster join NAME --context east --hub-context HUB, or first take it from there: portolan cluster leave w7 --context west --hub-context HUB',
    )
  })
  test('the first belongs to another hub', () => {
    expect(why(east(told('e7', 'north')), west())).toContain(
      'east is Cluster e7 of another hub already; let the other one join that: portolan cluster join NAME --context west',
    )
  })
  test('the other is a hub', () => {
    expect(why(east(), west({ members: [member('south'), member('north')] }))).toBe(
      'west is a hub itself, of north, south; let east join it: portolan cluster connect --context west --destination-context east',
    )
  })
  test('the first runs no hub', () => {
    expect(why(east({ hub: false }), west())).toBe(
      'east runs no hub; let it run one: portolan install --context east --hub, or name the other one first, if it runs one',
    )
  })
  test('two of one name', () => {
    expect(why(east({ installed: 'one' }), west({ installed: 'one' }))).toBe(
      'east and west are both called one; give one of them another name with --destination-name',
    )
  })
  test('another name than the hub knows', () => {
    expect(why(east({ members: [member('west')] }), west({ wanted: 'w2', ...told('west', 'east') }))).toBe(
      'west is Cluster west of east already; leave out --destination-name, or first portolan cluster leave west --context west --hub-context east',
    )
  })
  test('a context that is no name', () => {
    expect(why(east(), end('arn:aws:eks:eu-1:1:cluster/w', { prefix: 'destination-' }))).toBe(
      'arn:aws:eks:eu-1:1:cluster/w was installed without a name, and its context cannot be one; give --destination-name',
    )
  })
})
