/** The golden cases of validation: the first document is the object, the others are the world it is judged in. */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { parseAllDocuments } from 'yaml'
import type { Service } from '../../api/core.ts'
import type { KubeObject } from '../../api/meta.ts'
import type { ServiceExport } from '../../api/service-export.ts'
import type { ServiceImport } from '../../api/service-import.ts'
import type { World } from '../../webhook/world.ts'

export const GOLDEN = path.resolve(import.meta.dirname, '../golden')

export interface Case {
  readonly name: string
  readonly object: KubeObject
  readonly world: World
}

export function cases(): readonly Case[] {
  return filesOf('validate', '.in.yaml').map((file) => {
    const [object, ...others] = readObjects(path.join('validate', file))
    if (object === undefined) throw new Error(`${file} is empty`)
    return { name: file.replace('.in.yaml', ''), object, world: worldOf(others) }
  })
}

export function filesOf(folder: string, suffix: string): readonly string[] {
  return readdirSync(path.join(GOLDEN, folder))
    .filter((file) => file.endsWith(suffix))
    .sort()
}

/** The documents of a file under test/golden, read as kubectl reads them: YAML 1.1. */
export function readObjects(file: string): readonly KubeObject[] {
  const text = readFileSync(path.join(GOLDEN, file), 'utf8')
  return parseAllDocuments(text, { version: '1.1' }).map((document) => document.toJS() as KubeObject)
}

/** Kinds that no document is of stay unknown. */
function worldOf(others: readonly KubeObject[]): World {
  const services = others.filter((o): o is Service => o.kind === 'Service')
  const exports = others.filter((o): o is ServiceExport => o.kind === 'ServiceExport')
  const imports = others.filter((o): o is ServiceImport => o.kind === 'ServiceImport')
  return {
    clusters: ['default/default/default/here', 'default/default/default/there', 'eu/west-1/shop/berlin'],
    clusterKey: 'default/default/default/here',
    vipRange: '240.240.0.0/16',
    ...(services.length > 0 ? { services } : {}),
    ...(exports.length > 0 ? { exports } : {}),
    ...(imports.length > 0 ? { imports } : {}),
  }
}
