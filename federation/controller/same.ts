/** Whether two objects have the very same values under the same names. */
export function sameFields(a: object, b: object): boolean {
  const [these, those] = [Object.entries(a), new Map(Object.entries(b))]
  return these.length === those.size && these.every(([name, value]) => those.get(name) === value)
}

/** The value before, when it says the same as the one now. */
export const asBefore = <T extends object>(now: T, before: T | undefined): T =>
  before !== undefined && (before === now || JSON.stringify(before) === JSON.stringify(now)) ? before : now
