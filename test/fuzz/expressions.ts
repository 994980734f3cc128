/** Regular expressions, most of which some engine takes. */
import type { Chance } from '../federation/random.ts'
import { mutatedText } from './mutate.ts'

const ATOMS = [
  ...[
    '/',
    'a',
    'b',
    'x-1',
    '\\.',
    '.',
    '\\d',
    '\\w',
    '\\W',
    '\\s',
    '\\S',
    '\\b',
    '\\B',
    '\\A',
    '\\z',
    '^',
    '$',
    '~',
    '%2F',
    ' ',
  ],
  ...['[a-z]', '[^/]', '[/a]', '[[:alpha:]]', '[^[:^word:]]', '[\\d-]', '[]a]', '[^]/]', '[a-]', '[\\x00-\\x7f]'],
  ...[
    '\\pL',
    '\\PN',
    '\\p{Lu}',
    '\\p{Greek}',
    '\\p{^Latin}',
    '[\\pS\\pP]',
    '\\x2f',
    '\\x{2f}',
    '\\x{fF}',
    '\\057',
    '\\Q/.*\\E',
    '\\Qa',
  ],
  ...[
    '(?i)',
    '(?s)',
    '(?U)',
    '(?m)',
    '(?-i)',
    '(?i:a)',
    '(?:)',
    '|',
    '\\x{100}',
    '\\C',
    '\\Z',
    '(?=a)',
    '(?<!a)',
    '\\1',
    'é',
    '\u0000',
  ],
] as const
const QUANTIFIERS = [
  '*',
  '+',
  '?',
  '*?',
  '+?',
  '??',
  '{2}',
  '{0,3}',
  '{1,}',
  '{0}',
  '{3,2}',
  '{1000}',
  '{1,500}',
  '{,4}',
  '{7}{7}',
] as const
const GROUPS = ['(', '(', '(?:', '(?P<n>', '(?<m>', '(?i:', '(?P<n1>'] as const

const piece = (chance: Chance, depth: number): string => {
  const atom =
    depth > 0 && chance.next() < 0.3
      ? `${chance.pick(GROUPS)}${pieces(chance, depth - 1)})`
      : // What no engine takes stands last, and is not for every expression.
        chance.pick(chance.next() < 0.97 ? (ATOMS.slice(0, -8) as [string, ...string[]]) : ATOMS)
  return chance.next() < 0.25 ? atom + chance.pick(QUANTIFIERS) : atom
}

const pieces = (chance: Chance, depth: number): string =>
  Array.from({ length: 1 + chance.below(5) }, () => piece(chance, depth)).join('')

export const expression = (chance: Chance): string => {
  const plain =
    chance.next() < 0.2 ? chance.pick(['^/a/?', '^/shop/web/80', '^/(.*)', '^/a(/|$)(.*)']) : pieces(chance, 3)
  const text = chance.next() < 0.1 ? mutatedText(chance, plain) : plain
  return text.slice(0, 512) || '^'
}

export const replacement = (chance: Chance): string =>
  Array.from({ length: 1 + chance.below(3) }, () =>
    chance.pick([
      '/',
      '/',
      '/x',
      '\\0',
      '\\1',
      '\\2',
      '\\\\',
      'a',
      '.',
      '%20',
      '$',
      '10',
      '\\',

      'é',
      '?',
      '//',
    ]),
  ).join('')
