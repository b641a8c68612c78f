import type { Hop, WayHost } from '../contract/explain.ts';
import type { GuardedListener } from '../model/trail.ts';
import { noIdcOutcome } from '../model/trail.ts';
import { gatewayLabel } from '../model/values/gateway-label.ts';
import type { GroupPlan, ListenerRole, Path } from '../plan/types.ts';
import { awayCluster } from '../translate/names.ts';
import type { ProxyReading } from '../who/types.ts';
import { type DividedChoice, farChoices, nearChoices } from './choices.ts';
import { farObjects, nearObjects } from './objects.ts';
import type { ToldEnd } from './told.ts';
import { forbidsCrossing, passTrail, peerPath, type TrailState } from './trail-rules.ts';
import type { WayFacts } from './types.ts';
import { choiceWords, listWords, retryWords } from './words.ts';

/** How a way ends. */
type WayEnd =
  | { readonly kind: 'served'; readonly idc: string }
  /** `status`: of the answer that a proxy gives instead of an instance. */
  | { readonly kind: 'nobody'; readonly status: number; readonly why: string; readonly handedOn?: boolean };

/** A way, hop by hop. */
export interface RequestWay {
  readonly hops: readonly Hop[];
  readonly end: WayEnd;
}

/** Beyond any hop limit: only without loop prevention a way may be longer, and then it has no end. */
const hopsMax = 24;

/** Follows a request from where it begins: at a sidecar or gRPC client, or at an ingress gateway. */
export function followRequest(
  facts: WayFacts,
  listener: 'outbound' | 'edge' | 'peer',
  trail: readonly string[],
): RequestWay {
  const walk = new Walk(facts);
  const end = walk.arrive(facts.idc, listener, trail);
  return { hops: walk.hops, end };
}

/** A place on the way. */
interface Place {
  readonly idc: string;
  readonly at: string;
  readonly listener: ListenerRole;
  readonly plan: GroupPlan;
  readonly path: Path;
  readonly trail: readonly string[];
  /** Of the proxies that decide here; empty: not read. */
  readonly readings: readonly ProxyReading[];
}

class Walk {
  readonly #facts: WayFacts;
  readonly hops: Hop[] = [];

  constructor(facts: WayFacts) {
    this.#facts = facts;
  }

  /** At a first proxy, or at an ingress for other IDCs. */
  arrive(idc: string, listener: 'outbound' | 'edge' | 'peer', trail: readonly string[]): WayEnd {
    const { plans, caller, callerLabel, readings } = this.#facts;
    const plan = plans.get(idc);
    const isFirst = this.hops.length === 0;
    const told = isFirst ? undefined : this.#facts.told.get(idc);
    if (told !== undefined) return this.#asTold(idc, trail, told);
    const at = isFirst ? callerLabel : `an ingress gateway of ${idc}`;
    const state = this.#pass(idc, listener, trail);
    if (state.isRefused) return this.#refuse({ idc, at, listener, trail }, state);
    if (plan === undefined)
      return this.#stop({ idc, at, listener, trail: state.trail }, `${idc} does not know the host`, 503);
    const path = listener === 'peer' ? peerPath(plan, state.visited) : plan.paths[listener];
    const own = isFirst ? readings.filter(({ proxy }) => proxy === caller) : [];
    const place: Place = { idc, at, listener, plan, path, trail: state.trail, readings: own };
    if (path.priorities.length === 0)
      return this.#stop(
        place,
        `${at} ${unservedWords[listener]}`,
        listener === 'peer' ? 503 : 404,
        nearObjects(this.#facts, idc, plan, path),
      );
    return this.#choose(place);
  }

  /** In an IDC whose control plane has been asked: one hop stands for all that it tells. */
  #asTold(idc: string, arriving: readonly string[], told: ToldEnd): WayEnd {
    const place = { idc, at: `an ingress gateway of ${idc}`, listener: 'peer' } as const;
    const says = `as the control plane of ${idc} says`;
    if (told.kind === 'served') {
      const by = told.trail.at(-1) ?? idc;
      this.#stop({ ...place, trail: told.trail }, `${by} serves it, ${says}`, 200);
      return { kind: 'served', idc: by };
    }
    const { status, handedOn } = told;
    const why = `${idc} ${status === 503 ? 'has nobody for it' : `answers ${status}`}, ${says}`;
    this.#stop({ ...place, trail: [...arriving, idc] }, why, status);
    return { kind: 'nobody', status, why, handedOn };
  }

  #choose(place: Place): WayEnd {
    const { idc, at, listener, plan, path, trail, readings } = place;
    const choices = nearChoices(this.#facts, idc, path, readings);
    const [first, ...others] = inOrder(choices, plan);
    const by = nearObjects(this.#facts, idc, plan, path);
    if (first === undefined && this.#isKnownByChecks(place)) return this.#trustChecks(place, by);
    if (first === undefined) {
      const end = nobodyAt(listener, idc, choices);
      this.#push(
        place,
        choices,
        undefined,
        `${at} has nobody to send it to${stayWords(place)}: ${end.status}, ${noIdcOutcome}.`,
        by,
      );
      return end;
    }
    if (first.to === 'instances') {
      this.#push(place, choices, first, `${at} sends it to ${instanceWords(first, plan)}.`, by);
      return { kind: 'served', idc };
    }
    this.#push(place, choices, first, `${at} sends it to ${gatewayWords(first, 'egress')}.`, by);
    const end = this.#leave(idc, listener === 'outbound' ? 'sidecar' : 'ingress', trail);
    const last = others.find(({ to }) => to === 'instances');
    if (end.kind === 'served' || end.status !== 503 || last === undefined) return end;
    const words = `No other IDC serves it: ${at} sends it to ${instanceWords(last, plan)}, the last resort.`;
    this.#push(place, choices, last, words, by);
    return { kind: 'served', idc };
  }

  /**
   * Whether another IDC serves a Group although this registry has none of its instances: the checks of the
   * egress gateways that were read go through its gateways to an instance, or its gateways were not chosen.
   */
  #isKnownByChecks({ idc, listener, plan }: Place): boolean {
    const { idc: own, plans } = this.#facts;
    const isListed = plan.instances.some(({ endpoints }) => endpoints.length > 0);
    const isChecked = plans.get(own)?.crossing?.check !== undefined && this.#exits(plan).length > 0;
    return idc !== own && listener === 'peer' && !isListed && isChecked;
  }

  #trustChecks(place: Place, by: Hop['by']): WayEnd {
    const { idc, at, plan } = place;
    const all: DividedChoice = { priority: 0, to: 'instances', idc, percent: 100, usable: 0, hosts: [] };
    const words = `${at} sends it to an instance of ${idc}, which is not in the registry of ${this.#facts.idc}.`;
    this.#push({ ...place, readings: this.#exits(plan) }, [all], all, words, by);
    return { kind: 'served', idc };
  }

  /** Readings of local egress gateways that have the Group. */
  #exits(plan: GroupPlan): readonly ProxyReading[] {
    return this.#facts.readings.filter(
      ({ proxy, after }) => proxy.role === 'egress' && after.has(awayCluster(plan)),
    );
  }

  /** At the egress gateways of an IDC. */
  #leave(idc: string, listener: 'sidecar' | 'ingress', arriving: readonly string[]): WayEnd {
    const { plans, readings } = this.#facts;
    const plan = plans.get(idc) as GroupPlan;
    const at = `an egress gateway of ${idc}`;
    const state = this.#pass(idc, listener, arriving);
    if (state.isRefused) return this.#refuse({ idc, at, listener, trail: arriving }, state);
    const own = idc === this.#facts.idc ? readings.filter(({ proxy }) => proxy.role === 'egress') : [];
    const place = { idc, at, listener, plan, path: plan.paths[listener], trail: state.trail, readings: own };
    const choices = farChoices(this.#facts, plan, forbidsCrossing(plan, state), own);
    const able = inOrder(choices, plan);
    const asksNext = place.path.retry.other.on.some(
      (one) => one === 'told-nobody' || one === 'gateway-error',
    );
    const asked: string[] = [];
    for (const one of able) {
      if (this.hops.length >= hopsMax)
        return { kind: 'nobody', status: 503, why: 'loop prevention is off: it goes in circles' };
      const words = asked.length === 0 ? '' : `${listWords(asked)} had nobody: `;
      this.#push(
        place,
        choices,
        one,
        `${words}${at} sends it to ${gatewayWords(one, 'ingress')}.`,
        farObjects(this.#facts, plan, one.idc),
      );
      const before = this.hops.length;
      const end = this.arrive(one.idc, 'peer', state.trail);
      if (end.kind === 'served' || end.status !== 503 || this.hops.length >= hopsMax) return end;
      // An IDC that has handed the request on has asked all that are left.
      const handedOn =
        end.handedOn === true || this.hops.slice(before).some((hop) => hop.listener === 'ingress');
      if (handedOn || !asksNext) return { ...end, why: `${one.idc} has nobody for it` };
      asked.push(one.idc);
    }
    if (asked.length > 0)
      return { kind: 'nobody', status: 503, why: `${listWords(asked)} had nobody for it` };
    const words = `${at} may send it to no other IDC that can serve: 503, ${noIdcOutcome}.`;
    this.#push(place, choices, undefined, words, farObjects(this.#facts, plan, undefined));
    return {
      kind: 'nobody',
      status: 503,
      why: `no instance of ${idc} can serve, and no other IDC may be asked that can`,
    };
  }

  /** The trail after a listener. Sidecars have no filter: the trail begins at the egress. */
  #pass(idc: string, listener: ListenerRole, trail: readonly string[]): TrailState {
    const guarded: Partial<Record<ListenerRole, GuardedListener>> = {
      ...{ edge: 'ingress-edge', peer: 'ingress-peer', sidecar: 'egress-sidecar', ingress: 'egress-ingress' },
    };
    const name = guarded[listener];
    return name === undefined
      ? { isRefused: false, trail: [], visited: '' }
      : passTrail(this.#facts, idc, name, trail);
  }

  #refuse(place: Stop, { outcome, status }: Extract<TrailState, { isRefused: true }>): WayEnd {
    const words = `${place.at} refuses it, loop prevention: ${status}, ${outcome} (trail ${place.trail.join(',') || 'none'}).`;
    return this.#stop(place, words, status);
  }

  #stop({ idc, at, listener, trail }: Stop, words: string, status: number, by: Hop['by'] = []): WayEnd {
    const nothing = { choices: [], retries: '', health: 'registry', readAt: [] } as const;
    this.hops.push({ idc, at, listener, trail, decision: sentence(words), by, ...nothing });
    return { kind: 'nobody', status, why: words.replace(/\.$/, '') };
  }

  #push(
    place: Place,
    choices: readonly DividedChoice[],
    chosen: DividedChoice | undefined,
    decision: string,
    by: Hop['by'],
  ): void {
    const { idc, at, listener, plan, path, trail, readings } = place;
    this.hops.push({
      ...{ idc, at, listener, trail, decision: sentence(decision), by },
      choices: choices.map((one, i) => {
        const { usable: _, forbidden: __, ...rest } = one;
        return { ...rest, isChosen: one === chosen, why: choiceWords(one, choices.slice(0, i), plan) };
      }),
      retries: chosen === undefined ? '' : retryWords(path, this.#facts.method, plan.protocol === 'tcp'),
      health: readings.length === 0 ? 'registry' : 'proxies',
      readAt: readings.map(({ proxy }) => proxy.node).sort(),
    });
  }
}

/** Why a listener has no route for a Group (`withoutGateways` of the plan). */
const unservedWords = {
  outbound: 'answers 404: TLS to a host that is looked up by request is not spoken',
  edge: 'answers 404, unknown-host: an edge serves neither hosts with exportTo nor external ones',
  peer: `answers 503, ${noIdcOutcome}: external hosts without a DrGroup are not served to other IDCs`,
} as const;

type Stop = Pick<Place, 'idc' | 'at' | 'listener' | 'trail'>;

/** Why a request from another IDC is not handed on, where it might have been. */
function stayWords({ listener, plan, path, trail }: Place): string {
  if (listener !== 'peer' || plan.crossing === undefined) return '';
  if (path.priorities.some(({ kind }) => kind === 'egress')) return '';
  const crossings = trail.length - 1;
  return `, and may not hand it on after ${crossings} crossing${crossings === 1 ? '' : 's'}`;
}

/** Those that can be sent to, the largest part first; what is looked up by request has no hosts to know. */
function inOrder(choices: readonly DividedChoice[], { lookup }: GroupPlan): readonly DividedChoice[] {
  const able = choices.filter(
    (one) => (lookup === 'request' || one.usable > 0) && one.forbidden === undefined,
  );
  return able.toSorted((a, b) => b.percent - a.percent || a.priority - b.priority);
}

function nobodyAt(
  listener: ListenerRole,
  idc: string,
  choices: readonly DividedChoice[],
): Extract<WayEnd, { kind: 'nobody' }> {
  const exit = choices.find(({ to }) => to === 'egress');
  const stays = exit === undefined ? 'it may not leave' : lostWords(exit);
  const why =
    listener === 'peer' ? `${idc} has nobody for it` : `no instance of ${idc} can serve, and ${stays}`;
  return { kind: 'nobody', status: 503, why };
}

/** Why no egress gateway can be used. */
function lostWords({ idc, hosts }: DividedChoice): string {
  const each = hosts.map(({ name, address, why }) => `${name ?? address}: ${why}`);
  return `no egress gateway of ${idc} can be used${each.length === 0 ? '' : ` (${each.join('; ')})`}`;
}

function instanceWords({ idc, hosts, usable }: DividedChoice, { lookup }: GroupPlan): string {
  if (lookup === 'request') return 'the address that its host has in DNS';
  const only = hosts.filter((one) => one.isUsable);
  return usable === 1
    ? `${only[0]?.name ?? only[0]?.address} in ${idc}`
    : `one of ${usable} instances in ${idc}`;
}

/** Gateways have names. */
type NamedHost = WayHost & { readonly name: string };

function gatewayWords({ idc, hosts, usable }: DividedChoice, kind: 'egress' | 'ingress'): string {
  const only = hosts.filter((one) => one.isUsable);
  return usable === 1 ? gatewayLabel(only[0] as NamedHost) : `one of ${usable} ${kind} gateways of ${idc}`;
}

function sentence(words: string): string {
  const text = words.endsWith('.') ? words : `${words}.`;
  return /^an? /.test(text) ? `${text.charAt(0).toUpperCase()}${text.slice(1)}` : text;
}
