/** The users of one of several views of a host. */
export interface Audience {
  /** Whether gateways use it; exactly one view does. */
  readonly gateways: boolean;
  /** True: callers of all namespaces but those named; false: only those. */
  readonly all: boolean;
  readonly exceptNamespaces: readonly string[];
}

/** A declaration of a host: its namespace, and the namespaces that may see it; absent: all. */
interface Exported {
  readonly namespace: string;
  readonly exportTo: readonly string[] | undefined;
}

/** Declarations of one namespace that some callers see together. */
interface HostView {
  /** Their positions, ascending. */
  readonly members: readonly number[];
  /** Absent: all callers. */
  readonly audience?: Audience;
}

/**
 * The views of a host. A caller sees its own namespace's declarations, else those of the first namespace
 * exported to it, limited to what it may see (Istio). Gateways see all of the first one's namespace: that
 * view comes first. Each caller has one view; views without users are left out.
 */
export function viewsOf(declared: readonly Exported[]): readonly HostView[] {
  const first = declared[0]?.namespace;
  const ofGateways = declared.flatMap(({ namespace }, i) => (namespace === first ? i : []));
  const views = new Map<string, readonly number[]>([[ofGateways.join(), ofGateways]]);
  const choose = (namespace: string | undefined): string => {
    const members = seenFrom(declared, namespace);
    if (members.length > 0) views.set(members.join(), members);
    return members.join();
  };
  const rest = choose(undefined);
  const named = new Set(declared.flatMap(({ namespace, exportTo = [] }) => [namespace, ...exportTo]));
  const chosen = [...named].map((namespace) => [namespace, choose(namespace)] as const);
  return [...views].map(([key, members], i): HostView => {
    const all = rest === key;
    const but = chosen.filter(([, choice]) => (choice === key) !== all).map(([namespace]) => namespace);
    const isEverybodys = i === 0 && all && but.length === 0;
    return {
      members,
      ...(isEverybodys ? {} : { audience: { gateways: i === 0, all, exceptNamespaces: but.sort() } }),
    };
  });
}

/**
 * Positions of the declarations that callers of a namespace see; undefined: of a namespace that is not named.
 */
function seenFrom(declared: readonly Exported[], namespace: string | undefined): readonly number[] {
  const seen = declared.flatMap(({ exportTo }, i) =>
    exportTo === undefined || (namespace !== undefined && exportTo.includes(namespace)) ? i : [],
  );
  const of = (whose: string | undefined) => seen.filter((i) => declared[i]?.namespace === whose);
  const own = of(namespace);
  return own.length > 0 ? own : of(declared[seen[0] ?? -1]?.namespace);
}

/** Whether callers of a namespace are in an audience. */
export function isSeenBy(audience: Audience | undefined, namespace: string): boolean {
  return audience === undefined || audience.all !== audience.exceptNamespaces.includes(namespace);
}
