import type { Kind } from './kinds.ts'
import { toStrict } from './structural.ts'

/** The CustomResourceDefinition of a kind, as plain data. */
export function crd(kind: Kind): object {
  const { spec, status } = kind
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: {
      name: `${kind.plural}.${kind.group}`,
      labels: kind.labels,
      ...(Object.keys(kind.annotations).length > 0 ? { annotations: kind.annotations } : {}),
    },
    spec: {
      group: kind.group,
      names: {
        kind: kind.kind,
        listKind: `${kind.kind}List`,
        plural: kind.plural,
        singular: kind.kind.toLowerCase(),
        ...(kind.shortNames.length > 0 ? { shortNames: kind.shortNames } : {}),
        ...(kind.categories === undefined ? {} : { categories: kind.categories }),
      },
      scope: kind.scope,
      versions: kind.versions.map((name) => ({
        name,
        served: true,
        storage: name === kind.versions.at(-1),
        additionalPrinterColumns: kind.columns,
        subresources: { status: {} },
        schema: {
          openAPIV3Schema: {
            type: 'object',
            description: kind.description,
            ...(kind.specRequired ? { required: ['spec'] } : {}),
            properties: {
              apiVersion: { type: 'string', description: 'Version of the schema of this object.' },
              kind: { type: 'string', description: 'Kind of this object.' },
              metadata: { type: 'object' },
              spec,
              status,
            },
          },
        },
      })),
    },
  }
}

/** JSON schema (draft 7) of a kind for editors and for our own validation: refuses what the kind does not declare. */
export function jsonSchema(kind: Kind): object {
  const versions = kind.versions.map((version) => `${kind.group}/${version}`)
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: kind.kind,
    description: kind.description,
    type: 'object',
    required: ['apiVersion', 'kind', 'metadata', ...(kind.specRequired ? ['spec'] : [])],
    properties: {
      apiVersion: versions.length === 1 ? { const: versions[0] } : { enum: versions },
      kind: { const: kind.kind },
      metadata: { type: 'object', description: 'Name, namespace, labels and the rest that every object has.' },
      spec: toStrict(kind.spec),
      status: toStrict(kind.status),
    },
    additionalProperties: false,
  }
}
