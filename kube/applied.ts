import type { KubeObject } from './object.ts'
import { type FieldSet, fieldsOf } from './owned.ts'

/**
 * Whether applying `wanted` as `manager` would change nothing of `there`: every field has its value already, the manager
 * owns it, and owns no other. What the API server fills in counts as little as what others have added.
 * @param there with the manager's own managedFields
 * @param wanted all that is applied, but for apiVersion, kind, and the metadata that names the object
 */
export function isApplied(there: KubeObject, wanted: Readonly<Record<string, unknown>>, manager: string): boolean {
  return stands(there, wanted, fieldsOf(there, manager))
}

function stands(there: unknown, wanted: unknown, owned: FieldSet | undefined): boolean {
  // Empty lists and maps are left out of an answer as often as not, and so is who owns them.
  if (isEmpty(wanted)) return membersOf(owned).length === 0 && (!Array.isArray(wanted) || isEmpty(there ?? []))
  if (owned === undefined) return false
  const members = membersOf(owned)
  // Of a list or map that is owned as a whole nothing more is said.
  if (members.length === 0) return has(there, wanted)
  if (Array.isArray(wanted))
    return (
      Array.isArray(there) &&
      members.length === wanted.length &&
      wanted.every((each: unknown) => {
        const member = members.find((key) => names(key, each))
        if (member === undefined) return false
        const same = there.find((other: unknown) => names(member, other))
        return member.startsWith('v:') ? same !== undefined : stands(same, each, owned[member])
      })
    )
  if (!isRecord(wanted) || !isRecord(there)) return false
  return (
    Object.entries(wanted).every(
      ([name, value]) => value === undefined || stands(there[name], value, owned[`f:${name}`]),
    ) && members.every((key) => wanted[key.slice(2)] !== undefined)
  )
}

/** Whether all of `wanted` is in `there`, which may say more in each of its maps. */
function has(there: unknown, wanted: unknown): boolean {
  if (isEmpty(wanted)) return !Array.isArray(wanted) || isEmpty(there ?? [])
  if (Array.isArray(wanted))
    return (
      Array.isArray(there) && there.length === wanted.length && wanted.every((each, index) => has(there[index], each))
    )
  if (!isRecord(wanted)) return there === wanted
  return (
    isRecord(there) && Object.entries(wanted).every(([name, value]) => value === undefined || has(there[name], value))
  )
}

/** Fields of a map, or entries of a list: `.` says that it is there at all. */
const membersOf = (owned: FieldSet = {}): readonly string[] => Object.keys(owned).filter((key) => key !== '.')

/** Whether a key of a field set is that of a list entry; what the entry leaves out may be a default. */
function names(key: string, entry: unknown): boolean {
  const said: unknown = JSON.parse(key.slice(2))
  if (key.startsWith('v:')) return said === entry
  if (!key.startsWith('k:') || !isRecord(said) || !isRecord(entry)) return false
  return Object.entries(said).every(([name, value]) => entry[name] === undefined || entry[name] === value)
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const isEmpty = (value: unknown): boolean =>
  Array.isArray(value) ? value.length === 0 : isRecord(value) && Object.keys(value).length === 0
