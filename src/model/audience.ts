/** Who uses one of several declarations of a host. */
export interface Audience {
  /** The one of them on which gateways go. */
  readonly gateways: boolean;
  /** Callers of all namespaces but those named, or of just those. */
  readonly all: boolean;
  readonly but: readonly string[];
}

/** A declaration of a host: where it stands, and the namespaces that may see it; absent: all. */
export interface Exported {
  readonly namespace: string;
  readonly exportTo: readonly string[] | undefined;
}

/**
 * Who uses which of the declarations of a host, at most one of each namespace, the first one that of the gateways. A caller
 * takes its own namespace's, else the first that is exported to it (Istio). Undefined: everybody uses it.
 */
export function audiencesOf(declared: readonly Exported[]): readonly (Audience | undefined)[] {
  const rest = declared.findIndex(({ exportTo }) => exportTo === undefined);
  const named = new Set(declared.flatMap(({ namespace, exportTo = [] }) => [namespace, ...exportTo]));
  const chosen = new Map<string, number>();
  for (const namespace of named) {
    const isSeen = ({ exportTo }: Exported) => exportTo === undefined || exportTo.includes(namespace);
    const own = declared.findIndex((one) => one.namespace === namespace && isSeen(one));
    chosen.set(namespace, own >= 0 ? own : declared.findIndex(isSeen));
  }
  return declared.map((_, i): Audience | undefined => {
    const all = i === rest;
    const but = [...chosen].filter(([, choice]) => (choice === i) !== all).map(([namespace]) => namespace);
    return i === 0 && all && but.length === 0 ? undefined : { gateways: i === 0, all, but: but.sort() };
  });
}

/** Whether callers of a namespace are of an audience. */
export function isSeenBy(audience: Audience | undefined, namespace: string): boolean {
  return audience === undefined || audience.all !== audience.but.includes(namespace);
}
