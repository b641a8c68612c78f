import fc from 'fast-check';
import t from 'tap';
import type { GroupView } from '../../src/index/view.ts';
import type { DrGroup, Idc } from '../../src/model/idc.ts';
import type { Meta } from '../../src/model/meta.ts';
import {
  decideTrail,
  type GuardedListener,
  type LoopPrevention,
  parseTrail,
  type TrailPolicy,
} from '../../src/model/trail.ts';
import { planGroup } from '../../src/plan/group.ts';
import { planTrailPolicies } from '../../src/plan/trail.ts';
import type { GroupPlan } from '../../src/plan/types.ts';

/**
 * Walks all the ways that a request can take through random worlds: the plans of all IDCs and the trail
 * filters' rules, with every choice that health and load balancing could make. No Envoy: what Envoy does with
 * these plans is in test/feature/crossings.test.ts.
 */
interface World {
  readonly idcs: readonly string[];
  readonly members: readonly string[];
  /** Each IDC's own registry may list the DR group in an order of its own. */
  readonly orders: Readonly<Record<string, readonly string[]>>;
  /** By weight instead of in order, the same in every IDC; 0: only when none of the others can. */
  readonly weights?: Readonly<Record<string, number>> | undefined;
  readonly meshHopLimit: number;
  readonly groupHopLimit: number;
  /** IDCs in which the Group has instances that serve. */
  readonly serving: ReadonlySet<string>;
}

const world: fc.Arbitrary<World> = fc.integer({ min: 2, max: 6 }).chain((count) => {
  const idcs = ['bj', 'gz', 'hk', 'sg', 'sh', 'tk'].slice(0, count);
  const members = fc.shuffledSubarray(idcs, { minLength: 2 });
  return members.chain((members) =>
    fc.record({
      idcs: fc.constant(idcs),
      members: fc.constant(members),
      orders: fc.record(
        Object.fromEntries(
          idcs.map((idc) => [idc, fc.shuffledSubarray(members, { minLength: members.length })]),
        ),
      ),
      weights: fc.option(
        fc.record(Object.fromEntries(members.map((idc) => [idc, fc.integer({ min: 0, max: 3 })]))),
        { nil: undefined },
      ),
      meshHopLimit: fc.integer({ min: 0, max: 4 }),
      groupHopLimit: fc.integer({ min: 0, max: 4 }),
      serving: fc.subarray(members).map((names) => new Set(names)),
    }),
  );
});

const meta = (name: string): Meta => ({
  name,
  namespace: 'test',
  labels: {},
  annotations: {},
  origin: 'test',
});

const gateways = {
  ingress: [{ address: '10.0.0.1', edgePort: 80, peerPort: 81 }],
  egress: [{ address: '10.0.0.2', sidecarPort: 90, ingressPort: 91 }],
};

interface Site {
  readonly plan: GroupPlan;
  readonly policies: ReadonlyMap<GuardedListener, TrailPolicy>;
}

function build(given: World, loopPrevention: LoopPrevention = 'on'): ReadonlyMap<string, Site> {
  const idcs = new Map(
    given.idcs.map((name): [string, Idc] => [name, { kind: 'Idc', meta: meta(name), spec: gateways }]),
  );
  return new Map(
    given.idcs.map((own): [string, Site] => {
      const drGroup: DrGroup = {
        kind: 'DrGroup',
        meta: meta('dr'),
        spec: {
          hosts: ['x.test'],
          idcs: (given.orders[own] ?? []).map((name) => ({
            name,
            ...(given.weights && { weight: given.weights[name] ?? 0 }),
          })),
          hopLimit: given.groupHopLimit,
          traffic: {},
        },
      };
      const view: GroupView = {
        host: 'x.test',
        entry: {
          kind: 'ServiceEntry',
          meta: meta('x'),
          spec: {
            hosts: ['x.test'],
            ports: [{ number: 80, name: 'http', protocol: 'HTTP' }],
            resolution: 'STATIC',
            location: 'MESH_INTERNAL',
            endpoints: [],
          },
        },
        instances: [],
        drGroup,
      };
      const context = {
        localIdc: own,
        idcs,
        hopLimit: given.meshHopLimit,
        loopPrevention,
        checkIntervalMsMin: 0,
      };
      const policies = planTrailPolicies(own, idcs, given.meshHopLimit, loopPrevention);
      const plan = planGroup(view, context)[0] as GroupPlan;
      return [own, { plan, policies: new Map(policies.map((policy) => [policy.listener, policy])) }];
    }),
  );
}

/** Where a request that stands in an IDC may end up, and what it crossed on the way. */
interface Walk {
  /** IDCs in order, the first is where it began. */
  readonly visits: readonly string[];
  readonly end: 'served' | 'refused';
}

/** Whether an egress knows who serves (active checks), or may try anyone. */
type Knowledge = 'knows' | 'blind';

/** All walks from a listener of an IDC. */
function* walk(
  sites: ReadonlyMap<string, Site>,
  given: World,
  knowledge: Knowledge,
  at: { idc: string; listener: 'outbound' | 'edge' | 'peer'; trail: readonly string[] },
  visits: readonly string[],
): Generator<Walk> {
  if (visits.length > 12) throw new Error(`circles: ${visits}`);
  const site = sites.get(at.idc) as Site;
  let lines: readonly string[] = at.trail.length === 0 ? [] : [at.trail.join(',')];
  let path = at.listener === 'outbound' ? site.plan.paths.outbound : site.plan.paths.edge;
  if (at.listener !== 'outbound') {
    const listener = at.listener === 'edge' ? 'ingress-edge' : 'ingress-peer';
    const verdict = decideTrail(site.policies.get(listener) as TrailPolicy, lines);
    if (verdict.action === 'refuse') {
      yield { visits, end: 'refused' };
      return;
    }
    lines = [verdict.trail];
    if (at.listener === 'peer') path = peerPath(site.plan, verdict.visited);
  }
  // Instances that serve are priority 0: nobody leaves an IDC that can serve.
  if (given.serving.has(at.idc)) {
    yield { visits, end: 'served' };
    return;
  }
  if (!path.priorities.some(({ kind }) => kind === 'egress')) {
    yield { visits, end: 'refused' };
    return;
  }
  const listener = at.listener === 'outbound' ? 'egress-sidecar' : 'egress-ingress';
  const verdict = decideTrail(
    site.policies.get(listener) as TrailPolicy,
    at.listener === 'outbound' ? [] : lines,
  );
  if (verdict.action === 'refuse') {
    yield { visits, end: 'refused' };
    return;
  }
  const choices = choicesOf(site.plan, verdict.visited);
  const healthy = choices.filter((idc) => given.serving.has(idc));
  // With checks the egress sends only to who serves; without, any permitted IDC may be taken.
  const taken = knowledge === 'knows' && healthy.length > 0 ? healthy : choices;
  if (taken.length === 0) yield { visits, end: 'refused' };
  for (const idc of taken) {
    const trail = parseTrail(verdict.trail) ?? [];
    yield* walk(sites, given, knowledge, { idc, listener: 'peer', trail }, [...visits, idc]);
  }
}

/** What the peer listener's routes choose, as translate/route/route.ts matches the visited set. */
function peerPath(plan: GroupPlan, visited: string) {
  const count = /^[a-z0-9-]+(,[a-z0-9-]+)*$/.test(visited) ? visited.split(',').length : 0;
  const most = plan.crossing?.handOnNamesMax ?? 0;
  if (plan.handOn === undefined) return plan.paths.peer;
  if (most === Number.POSITIVE_INFINITY) return plan.handOn.later;
  if (count === 2) return plan.handOn.first;
  return count > 2 && count <= most ? plan.handOn.later : plan.paths.peer;
}

/** The endpoints that the visited set selects. */
function choicesOf(plan: GroupPlan, visited: string): readonly string[] {
  const { crossing } = plan;
  if (crossing === undefined) return [];
  if (crossing.permits === 'all') return crossing.idcs.map(({ idc }) => idc);
  return crossing.permits.find((permit) => permit.visited === visited)?.to ?? [];
}

function walks(given: World, knowledge: Knowledge, loopPrevention: LoopPrevention = 'on'): Walk[] {
  const sites = build(given, loopPrevention);
  return given.idcs.flatMap((idc) =>
    (['outbound', 'edge'] as const).flatMap((listener) => [
      ...walk(sites, given, knowledge, { idc, listener, trail: [] }, [idc]),
    ]),
  );
}

const runs = { numRuns: Number(process.env.WALK_RUNS ?? 400) };

t.test('no walk visits an IDC twice, or crosses more often than the limits allow', async () => {
  fc.assert(
    fc.property(world, (given) => {
      const most = Math.min(given.meshHopLimit, given.groupHopLimit);
      for (const { visits } of walks(given, 'blind')) {
        if (new Set(visits).size < visits.length) throw new Error(`twice: ${visits}`);
        if (visits.length - 1 > most) throw new Error(`${visits.length - 1} crossings of ${most}: ${visits}`);
        if (visits.slice(1).some((idc) => !given.members.includes(idc)))
          throw new Error(`left the DR group: ${visits}`);
      }
    }),
    runs,
  );
});

t.test(
  'a request that may cross finds any serving IDC; with one crossing if the egress knows it',
  async () => {
    fc.assert(
      fc.property(world, (given) => {
        if (Math.min(given.meshHopLimit, given.groupHopLimit) === 0 || given.serving.size === 0) return;
        for (const { visits, end } of walks(given, 'knows')) {
          if (end !== 'served') throw new Error(`refused after ${visits}`);
          if (visits.length > 2) throw new Error(`more than one crossing: ${visits}`);
        }
      }),
      runs,
    );
  },
);

t.test('blind, it is found as long as crossings last', async () => {
  fc.assert(
    fc.property(world, (given) => {
      const most = Math.min(given.meshHopLimit, given.groupHopLimit);
      for (const { visits, end } of walks(given, 'blind')) {
        if (end === 'served') continue;
        const left = given.members.filter((idc) => !visits.includes(idc));
        const spent = visits.length - 1 === most;
        if (!spent && left.length > 0) throw new Error(`gave up after ${visits} with ${left} left`);
        if (!spent && given.serving.size > 0) throw new Error(`missed ${[...given.serving]} after ${visits}`);
      }
    }),
    runs,
  );
});

t.test('negative control: without loop prevention a walk goes in circles', async (t) => {
  const given: World = {
    idcs: ['bj', 'gz'],
    members: ['bj', 'gz'],
    orders: { bj: ['bj', 'gz'], gz: ['gz', 'bj'] },
    meshHopLimit: 4,
    groupHopLimit: 4,
    serving: new Set(),
  };
  t.throws(() => walks(given, 'blind', 'off'), { message: /^circles: bj,gz,bj,gz/ });
  t.equal(walks(given, 'blind').length, 4, 'with it, every walk ends');
});
