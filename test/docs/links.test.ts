/** What pages lead to. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { processIo } from '../../cli/io.ts'
import { program } from '../../cli/program.ts'

const ROOT = join(import.meta.dirname, '../..')
const below = (dir: string) =>
  readdirSync(join(ROOT, dir))
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(dir, name))
const pages = [...below('.'), ...below('docs'), ...below('docs/adr'), ...below('examples'), 'test/lab/README.md']
const read = (page: string) => readFileSync(join(ROOT, page), 'utf8')

test.each(pages)('%s leads to files that are there', (page) => {
  const links = [...read(page).matchAll(/\]\(([^)#\s]+)[^)]*\)/g)].map(([, link = '']) => link)
  const missing = links.filter((link) => !/^[a-z]+:/.test(link) && !existsSync(join(ROOT, dirname(page), link)))
  expect(missing).toEqual([])
})

/** What a heading is led to by. */
const anchorOf = (heading: string) =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .trim()
    .replaceAll(' ', '-')
const anchorsOf = (page: string) => [...read(page).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => anchorOf(heading))

test.each(pages)('%s leads to headings that are there', (page) => {
  const links = [...read(page).matchAll(/\]\(([^)#\s:]*)#([^)\s]+)\)/g)]
  const missing = links.filter(([, to = '', anchor = '']) => {
    const target = to === '' ? page : join(dirname(page), to)
    return target.endsWith('.md') && !anchorsOf(target).includes(anchor)
  })
  expect(missing.map(([link]) => link)).toEqual([])
})

const root = program(processIo(), () => {})

test.each(pages)('%s names commands and flags that there are', (page) => {
  const lines = [...read(page).matchAll(/```sh\n([\s\S]*?)```/g)].flatMap(([, block = '']) => block.split('\n'))
  const uses = lines.flatMap((line) =>
    [...line.matchAll(/(?:^|[|&(] *)portolan ([a-z][^|#;>]*)/g)].map(([, use]) => use),
  )
  const wrong = uses.filter((use = '') => {
    const words = use.trim().split(/\s+/)
    let command = root
    while (command.commands.length > 0) {
      const next = command.commands.find((each) => each.name() === words[0])
      if (next === undefined) return true
      command = next
      words.shift()
    }
    const flags = words.filter((word) => /^--?[a-z]/.test(word))
    return flags.some((flag) => !command.options.some(({ long, short }) => [long, short, '--help'].includes(flag)))
  })
  expect(wrong).toEqual([])
})
