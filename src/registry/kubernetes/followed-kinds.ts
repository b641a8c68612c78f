import type { SoughtKind } from '../../kube/watch/discovery.ts';
import type { Kind } from '../../model/object.ts';

/** A kind that is read from the Kubernetes API. */
export interface FollowedKind extends SoughtKind {
  readonly kind: Kind;
  /** Where its definition comes from, for messages. */
  readonly definedBy: string;
  /** Its objects are in namespaces. */
  readonly isNamespaced: boolean;
  /** Its objects get conditions. Not Istio's: there a list of conditions is replaced as a whole. */
  readonly hasConditions: boolean;
}

const istio = {
  ...{ group: 'networking.istio.io', versions: ['v1', 'v1beta1', 'v1alpha3'] },
  ...{ definedBy: "Istio's CustomResourceDefinitions", isNamespaced: true, hasConditions: false },
};
const own = {
  ...{ group: 'isthmus.dev', versions: ['v1alpha1'] },
  ...{ definedBy: "Isthmus' CustomResourceDefinitions", isNamespaced: false, hasConditions: true },
};

/** Every kind that is read: a new kind is a new row. The Idcs first: others name them. */
export const followedKinds: readonly FollowedKind[] = [
  { ...own, kind: 'Idc', plural: 'idcs' },
  { ...own, kind: 'DrGroup', plural: 'drgroups' },
  { ...own, kind: 'Evacuation', plural: 'evacuations' },
  { ...istio, kind: 'ServiceEntry', plural: 'serviceentries' },
  { ...istio, kind: 'DestinationRule', plural: 'destinationrules' },
  { ...istio, kind: 'WorkloadEntry', plural: 'workloadentries' },
];
