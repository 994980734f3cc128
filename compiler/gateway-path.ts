/** What a gateway's listener makes of a path before it looks for a route, as Envoy does with the settings we give it. */

/**
 * A path that leads up, however it is written: from an import's prefix at the gateway to the export beside it. Sidecars
 * refuse it. RE2, of a whole path.
 */
export const LEADS_UP = String.raw`.*[/\\](\.|%2[Ee]){2}([/\\;].*)?`

/** Some applications take such a segment for dots; Envoy does where it is written without escapes. RE2, of a whole path. */
export const DOTS_WITH_PARAMETERS = '.*/[.][.]?(;|%3[Bb]).*'

/** Escapes of what needs none are resolved; `%2e` is a dot. */
const unescaped = (path: string): string =>
  path.replaceAll(/%(2d|2e|3\d|4[1-9a-f]|5[0-9a]|5f|6[1-9a-f]|7[0-9a]|7e)/gi, (written, code) => {
    const character = String.fromCharCode(Number.parseInt(code, 16))
    return /[-.\w~]/.test(character) ? character : written
  })

const escaped = (path: string): string =>
  path.replaceAll(/["<>^`{|}]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)

const withoutDots = (path: string): string => {
  const out: string[] = []
  const segments = path.split('/').slice(1)
  for (const [index, segment] of segments.entries()) {
    if (segment === '..') out.pop()
    if (segment !== '.' && segment !== '..') out.push(segment)
    else if (index === segments.length - 1) out.push('')
  }
  return `/${out.join('/')}`
}

const merged = (path: string): string => {
  if (!path.includes('//')) return path
  const segments = path.split('/').filter((segment) => segment !== '')
  return `/${segments.join('/')}${path.endsWith('/') ? '/' : ''}`
}

const REFUSED = new RegExp(`^${DOTS_WITH_PARAMETERS}$`)

/** Without parameters of dot segments, as far as they are written without escapes. */
const withoutParameters = (path: string): string => path.replaceAll(/\/([.][.]?);[^/]*/g, '/$1')

/** @returns undefined for a path that is answered with 400 */
export const normalized = (path: string): string | undefined => {
  if (!path.startsWith('/') || /%2f|%5c|%00|[^\x21-\x7e]/i.test(path)) return undefined
  const seen = merged(withoutDots(escaped(unescaped(withoutParameters(path.replaceAll('\\', '/'))))))
  return REFUSED.test(seen) ? undefined : seen
}
