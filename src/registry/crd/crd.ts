import type { CelRule, Structural } from './structural.ts';

/** A column of `kubectl get`. */
interface PrinterColumn {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'date';
  readonly jsonPath: string;
}

/** What a CustomResourceDefinition is made of. */
export interface CrdKind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly scope: 'Cluster' | 'Namespaced';
  readonly description: string;
  /** The schema of `spec`. */
  readonly spec: Structural;
  /** Rules for the whole object. */
  readonly rules?: readonly CelRule[];
  readonly columns: readonly PrinterColumn[];
}

const conditionColumn = (type: string): PrinterColumn => ({
  name: type,
  type: 'string',
  jsonPath: `.status.conditions[?(@.type=="${type}")].status`,
});

const condition: Structural = {
  type: 'object',
  required: ['type', 'status', 'lastTransitionTime', 'reason', 'message'],
  properties: {
    type: { type: 'string', maxLength: 316 },
    status: { type: 'string', enum: ['True', 'False', 'Unknown'] },
    observedGeneration: { type: 'integer', format: 'int64', minimum: 0 },
    lastTransitionTime: { type: 'string', format: 'date-time' },
    reason: { type: 'string', minLength: 1, maxLength: 1024 },
    message: { type: 'string', maxLength: 32768 },
  },
};

/** Written by control planes; fields that a newer one adds are kept. */
const status: Structural = {
  type: 'object',
  'x-kubernetes-preserve-unknown-fields': true,
  description:
    'Accepted: whether the object is in force. Programmed: whether the proxies have acknowledged it.',
  properties: {
    observedGeneration: { type: 'integer', format: 'int64' },
    conditions: {
      type: 'array',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['type'],
      items: condition,
    },
  },
};

/** A CustomResourceDefinition (apiextensions.k8s.io/v1). */
export function buildCrd(one: CrdKind): Structural {
  const names = {
    ...{ plural: one.plural, singular: one.kind.toLowerCase(), kind: one.kind, listKind: `${one.kind}List` },
    ...(one.shortNames.length === 0 ? {} : { shortNames: one.shortNames }),
    categories: one.categories,
  };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${one.plural}.${one.group}`, labels: { 'app.kubernetes.io/part-of': 'isthmus' } },
    spec: {
      group: one.group,
      scope: one.scope,
      names,
      versions: [
        {
          name: one.version,
          served: true,
          storage: true,
          subresources: { status: {} },
          additionalPrinterColumns: [
            ...one.columns,
            ...['Accepted', 'Programmed'].map(conditionColumn),
            { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
          ],
          schema: {
            openAPIV3Schema: {
              description: one.description,
              type: 'object',
              required: ['spec'],
              properties: {
                apiVersion: { type: 'string' },
                kind: { type: 'string' },
                metadata: { type: 'object' },
                spec: one.spec,
                status,
              },
              ...(one.rules === undefined ? {} : { 'x-kubernetes-validations': one.rules }),
            },
          },
        },
      ],
    },
  };
}
