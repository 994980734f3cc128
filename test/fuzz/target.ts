import { type Chance, chance } from '../federation/random.ts'

/** A part of the system, what it is fed with, and what must hold whatever that is. */
export interface Target<Input> {
  readonly name: string
  /** How many of every hundred inputs of a run are for it. */
  readonly share: number
  /** One input, as the chance will have it. */
  readonly make: (chance: Chance) => Input
  /** What is wrong with how the input was taken; nothing when all is well. Whatever it throws is a finding, too. */
  readonly check: (input: Input) => Promise<string | undefined> | string | undefined
  /** What can be told of many inputs at a time alone: called now and then, and at the end. */
  readonly settle?: () => Promise<readonly Finding[]>
  readonly close?: () => Promise<void>
}

export interface Finding {
  readonly problem: string
  /** Enough to see what it was about. */
  readonly input: unknown
}

/** Seed and number are all that an input depends on: FNV-1a over both and the target's name. */
export const chanceOf = (seed: number, target: string, index: number): Chance => {
  let hash = 0x811c9dc5
  for (const character of `${seed}/${target}/${index}`) {
    hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193)
  }
  return chance(hash)
}
