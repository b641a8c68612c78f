import { loadAll } from 'js-yaml';
import { systemClock } from '../../../src/base/clock.ts';
import { createExplainer, type Explainer, type ExplainQuestion } from '../../../src/explain/explain.ts';
import type { ProxyRefusal } from '../../../src/explain/refused.ts';
import { createIndex } from '../../../src/index/store.ts';
import type { NodeScope } from '../../../src/model/node.ts';
import type { Change } from '../../../src/model/object.ts';
import { showAddress } from '../../../src/model/values/listen-address.ts';
import { evacuationStatuses } from '../../../src/plan/evacuation/evacuation-effect.ts';
import type { HungGateway } from '../../../src/plan/gateways.ts';
import { createPlanner } from '../../../src/plan/planner.ts';
import { parseObject } from '../../../src/registry/parse/object.ts';
import type { AskedProxy, GoneProxy, SeenClusters, SeenHost } from '../../../src/who/types.ts';

/** A host as an Envoy has it. */
export type Seen = Partial<SeenHost> & Pick<SeenHost, 'address'>;

/** A connected proxy, and what it says of its clusters; `clusters` absent: it cannot be read. */
export interface ConnectedProxy {
  readonly node: string;
  readonly scope: NodeScope;
  readonly clusters?: Readonly<Record<string, readonly Seen[]>>;
}

interface ExplainingOptions {
  readonly yaml: string;
  readonly proxies: readonly ConnectedProxy[];
  readonly idc?: string;
  readonly hopLimit?: number;
  readonly loopPrevention?: 'on' | 'off';
  readonly hungGateways?: readonly HungGateway[];
  /** Names of WorkloadEntries in `shop` that are drained. */
  readonly drained?: readonly string[];
  readonly refusals?: readonly ProxyRefusal[];
  readonly gone?: readonly GoneProxy[];
  /** Gateways, as `IP:PORT`, that do not answer a probe, and how. */
  readonly dead?: Readonly<Record<string, 'refused' | 'silent'>>;
}

/** The question of most tests. */
const usual: ExplainQuestion = { from: 'sh-a/caller', path: '/', method: 'GET' };

const unremarkable = {
  priority: 0,
  weight: 1,
  zone: '',
  health: 'healthy',
  why: [],
  requests: 0,
  active: 0,
} as const;

/** Registry objects through index and plan, and an explainer over them: all but proxies is real. */
export function explaining(options: ExplainingOptions) {
  const { idc = 'sh-a', hopLimit = 2, loopPrevention = 'on', hungGateways = [] } = options;
  const { drained = [], gone = [], dead = {}, refusals = [] } = options;
  const index = createIndex({ idc });
  index.apply(
    loadAll(options.yaml).map((document): Change => {
      const { object, faults } = parseObject(document, 'world.yaml');
      if (object === undefined) throw new Error(JSON.stringify(faults));
      return { type: 'upsert', object, at: 0 };
    }),
  );
  index.apply(
    drained.map((name): Change => {
      const meta = { namespace: 'shop', name, labels: {}, annotations: {}, origin: '' };
      return { type: 'upsert', object: { kind: 'Drain', meta, spec: { since: 1 } }, at: 0 };
    }),
  );
  const view = index.view();
  const planner = createPlanner({ localIdc: idc, hopLimit, loopPrevention });
  planner.update(view, { groups: new Set(view.groups.keys()), idcs: new Set() }, systemClock.wall());
  const proxies = options.proxies.map(({ node, scope, clusters }, i): AskedProxy => {
    const at = clusters === undefined ? {} : { clusters: { address: '127.0.0.1', port: 1 + i } };
    return { node, scope, role: scope.role, peer: '127.0.0.1:9', ...at };
  });
  const explainer: Explainer = createExplainer({
    ...{ idc, clock: systemClock, hopLimit, loopPrevention },
    view: () => view,
    plansOf: (host, supposed) => planner.plansOf(view, host, supposed),
    hungGateways: () => hungGateways,
    proxies: () => proxies,
    gone: () => gone,
    refusals: () => refusals,
    probe: async (at) => dead[showAddress(at)] ?? 'answers',
    evacuations: () => evacuationStatuses(view, systemClock.wall()),
    read: async ({ port }, names) => pageOf(options.proxies[port - 1]?.clusters ?? {}, names),
  });
  return (host: string, question: Partial<ExplainQuestion> = {}) =>
    explainer.explain(host, { ...usual, ...question });
}

/** `away`: the cluster of that kind that is asked for, as its name ends with a hash. */
function pageOf(clusters: NonNullable<ConnectedProxy['clusters']>, asked: readonly string[]): SeenClusters {
  return new Map(
    Object.entries(clusters).map(([name, hosts]) => [
      name === 'away' ? (asked.find((one) => one.startsWith('away/')) ?? name) : name,
      hosts.map((host): SeenHost => ({ ...unremarkable, idc: '', ...host })),
    ]),
  );
}
