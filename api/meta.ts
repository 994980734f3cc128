import { type Static, Type } from 'typebox'

/** Readonly all the way down: what one stage hands to the next is never changed. */
export type DeepReadonly<T> = T extends (infer U)[]
  ? readonly DeepReadonly<U>[]
  : T extends object
    ? { readonly [K in keyof T]: DeepReadonly<T[K]> }
    : T

export interface ObjectMeta {
  readonly name: string
  readonly namespace?: string
  readonly generateName?: string
  readonly uid?: string
  readonly resourceVersion?: string
  readonly generation?: number
  /** RFC 3339, one second exact. */
  readonly creationTimestamp?: string
  readonly deletionTimestamp?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  readonly finalizers?: readonly string[]
  readonly ownerReferences?: readonly {
    readonly apiVersion: string
    readonly kind: string
    readonly name: string
    readonly uid: string
    readonly controller?: boolean
  }[]
  readonly managedFields?: readonly unknown[]
}

/** What every Kubernetes object of ours and theirs has. */
export interface KubeObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: ObjectMeta
}

export interface Custom<Kind extends string, Spec, Status> extends KubeObject {
  readonly kind: Kind
  readonly spec: DeepReadonly<Spec>
  readonly status?: DeepReadonly<Status>
}

export const ConditionSchema = Type.Object(
  {
    type: Type.String({ description: 'What the condition is about, in CamelCase.', maxLength: 316 }),
    status: Type.Enum(['True', 'False', 'Unknown'], { description: 'Whether the condition holds.' }),
    reason: Type.String({
      description: 'Code of the diagnostic that explains the status; docs/diagnostics.md lists them.',
      minLength: 1,
      maxLength: 1024,
    }),
    message: Type.String({ description: 'The same for people, with names and numbers.', maxLength: 32768 }),
    observedGeneration: Type.Optional(
      Type.Integer({
        description: 'metadata.generation that the condition was computed from.',
        minimum: 0,
        format: 'int64',
      }),
    ),
    lastTransitionTime: Type.String({ description: 'When status last changed.', format: 'date-time' }),
  },
  { description: 'One observation about the object.' },
)
export type Condition = DeepReadonly<Static<typeof ConditionSchema>>

/** `status.conditions` of every kind. */
export const ConditionsSchema = Type.Array(ConditionSchema, {
  description: 'What the control plane found, one entry per type.',
  'x-kubernetes-list-type': 'map',
  'x-kubernetes-list-map-keys': ['type'],
})
