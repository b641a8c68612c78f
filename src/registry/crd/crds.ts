import { ownApiVersion } from '../../model/values/api-version.ts';
import { documentSchemas, drGroupSpec, idcSpec } from '../parse/own/schema.ts';
import { evacuationSpec } from '../parse/own/schema-evacuation.ts';
import { buildCrd, type CrdKind } from './crd.ts';
import { istioKinds } from './istio-kinds.ts';
import {
  type Amendments,
  drGroupAmendments,
  evacuationAmendments,
  idcAmendments,
  idcNameRule,
} from './rules.ts';
import { amend, type Structural, structuralOf } from './structural.ts';

const [group = '', version = ''] = ownApiVersion.split('/');

/** Kinds of `isthmus.dev`. */
const ownKinds: readonly CrdKind[] = [
  {
    ...own('Idc', 'idcs', []),
    spec: amended(structuralOf(idcSpec), idcAmendments),
    rules: [idcNameRule],
    columns: [
      { name: 'Ingress', type: 'string', jsonPath: '.spec.ingress[*].address' },
      { name: 'Egress', type: 'string', jsonPath: '.spec.egress[*].address' },
    ],
  },
  {
    ...own('DrGroup', 'drgroups', ['drg']),
    spec: amended(structuralOf(drGroupSpec), drGroupAmendments),
    columns: [
      { name: 'Idcs', type: 'string', jsonPath: '.spec.idcs[*].name' },
      { name: 'Hosts', type: 'string', jsonPath: '.spec.hosts' },
    ],
  },
  {
    ...own('Evacuation', 'evacuations', ['evac']),
    spec: amended(structuralOf(evacuationSpec), evacuationAmendments),
    columns: [
      { name: 'Idc', type: 'string', jsonPath: '.spec.idc' },
      { name: 'Percent', type: 'integer', jsonPath: '.spec.percent' },
      { name: 'Expires', type: 'string', jsonPath: '.spec.expires' },
    ],
  },
];

function own(kind: keyof typeof documentSchemas, plural: string, shortNames: readonly string[]) {
  const { description = '' } = documentSchemas[kind].meta() ?? {};
  return {
    ...{ group, version, kind, plural, shortNames, description },
    categories: ['isthmus'],
    scope: 'Cluster' as const,
  };
}

function amended(schema: Structural, amendments: Amendments): Structural {
  for (const [path, more] of Object.entries(amendments)) amend(schema, path, more);
  return schema;
}

/** All of them by their file below `deploy/crds`: our own, and Istio's for clusters without Istio. */
export function buildCrds(): Readonly<Record<string, Structural>> {
  const fileOf = ({ group, plural }: CrdKind) => `${group}_${plural}.yaml`;
  return Object.fromEntries([
    ...ownKinds.map((one) => [fileOf(one), buildCrd(one)]),
    ...istioKinds.map((one) => [`istio/${fileOf(one)}`, buildCrd(one)]),
  ]);
}
