/** Which calls a client may make, as conditions of Envoy's RBAC. */
import { expressionOf, quoted } from './regex.ts'
import type { Json } from './render-envoy.ts'
import type { Client, GatewayRoute, HttpRule } from './tables.ts'

/** What decides who may call a route, and how. */
export type AccessibleRoute = Pick<GatewayRoute, 'clients'> &
  Partial<Pick<GatewayRoute, 'path' | 'pathType' | 'rewrite'>>

const NEVER: Json = { not_rule: { any: true } }
const ALWAYS: Json = { any: true }

const whole = (regex: string): Json => ({ safe_regex: { regex } })

/** One policy for each client whom rules are for. */
export const policiesByRules = (route: AccessibleRoute, principalOf: (client: Client) => Json): Json =>
  Object.fromEntries(
    (route.clients ?? []).flatMap((client, index) => {
      const { rules } = client
      if (rules === undefined) return []
      const permissions = [allOf(rules.map((some) => anyOf(some.map((rule) => permissionOf(rule, route)))))]
      return [[`client-${index}`, { permissions, principals: [principalOf(client)] }]]
    }),
  )

const allOf = (rules: readonly Json[]): Json => (rules.length === 1 ? (rules[0] ?? ALWAYS) : { and_rules: { rules } })
const anyOf = (rules: readonly Json[]): Json =>
  rules.length === 0 ? NEVER : rules.length === 1 ? (rules[0] ?? NEVER) : { or_rules: { rules } }

function permissionOf({ methods, path, headers = {} }: HttpRule, route: AccessibleRoute): Json {
  const parts = [
    ...(methods === undefined ? [] : [header(':method', methods.map(quoted).join('|'))]),
    ...(path === undefined ? [] : [pathPermission(path, route)]),
    ...Object.entries(headers).map(([name, regex]) => header(name, regex)),
  ]
  return parts.length === 0 ? ALWAYS : allOf(parts)
}

const header = (name: string, regex: string): Json => ({ header: { name, string_match: whole(regex) } })

/** The gateway sees the path before what leads to the export is taken off, and cannot tell what a rewrite will make of it. */
function pathPermission(regex: string, { path = '/', pathType, rewrite }: AccessibleRoute): Json {
  if (rewrite !== undefined) return NEVER
  const root = matchesRoot(regex)
  if (pathType === 'Exact') return root ? ALWAYS : NEVER
  const prefix = path === '/' ? '' : quoted(path)
  return { url_path: { path: whole(root && prefix !== '' ? `${prefix}(?:${regex}|)` : `${prefix}(?:${regex})`) } }
}

/** An application sees / when nothing follows what leads to it. */
function matchesRoot(regex: string): boolean {
  const expression = expressionOf(regex)
  return !('problem' in expression) && expression.matcher('/').matches()
}
