import { MeshError } from '../base/error.ts';
import { didYouMean } from '../base/text/suggest.ts';
import type { Explanation, Hop, WayChoice } from '../contract/explain.ts';
import { gatewayLabel } from '../model/values/gateway-label.ts';
import type { GroupPlan } from '../plan/types.ts';
import { farChoices } from './choices.ts';
import { drGroupOf } from './objects.ts';
import type { WayFacts } from './types.ts';
import type { RequestWay } from './walk.ts';
import { countWords, listWords } from './words.ts';

/** Why an IDC does not serve a request now, in words. Throws MeshError `not-found` if it is not declared. */
export function explainWhyNot(
  facts: WayFacts,
  way: RequestWay,
  idc: string,
): NonNullable<Explanation['whyNot']> {
  const known = [...facts.idcs.keys()].sort();
  if (!known.includes(idc))
    throw new MeshError(
      'not-found',
      `no Idc is named '${idc}': there ${known.length === 1 ? 'is' : 'are'} ${listWords(known)}.${didYouMean(idc, known)}`,
    );
  if (way.end.kind === 'served' && way.end.idc === idc)
    return { idc, isChosen: true, reasons: [`${idc} is chosen: it serves the request.`] };
  const reasons = idc === facts.idc ? reasonsAtHome(facts, way) : reasonsAway(facts, way, idc);
  return { idc, isChosen: false, reasons };
}

/** Why the IDC where the request begins does not serve it. */
function reasonsAtHome(facts: WayFacts, { hops }: RequestWay): string[] {
  const first = hops[0];
  const plan = facts.plans.get(facts.idc);
  const choices = first?.choices.filter(({ to }) => to === 'instances') ?? [];
  if (first === undefined || plan === undefined || choices.length === 0) return [first?.decision ?? ''];
  return [
    ...choices.map((one) => `Its instances: ${one.why}${hostsWords(one)}`),
    ...(plan.localShare === 0 ? [`${facts.idc} is evacuated: its instances are the last resort.`] : []),
  ];
}

/** Why another IDC does not. */
function reasonsAway(facts: WayFacts, { hops, end }: RequestWay, idc: string): string[] {
  const plan = facts.plans.get(facts.idc);
  if (plan === undefined) return [`${facts.idc} does not know the host.`];
  const barred = whyNeverAway(facts, plan, idc);
  if (barred !== undefined) return [barred];
  const reached = hops.find((hop) => hop.idc === idc && hop.listener === 'peer');
  if (reached !== undefined) return [`It is asked, and does not serve: ${reached.decision}`];
  const last = hops.findLast((hop) => hop.choices.some((one) => one.to === 'idc' && one.idc === idc));
  if (last !== undefined) return reasonsAtEgress(facts, last, idc);
  return reasonsToStay(facts, hops[0], end.kind === 'served' ? end.idc : undefined, idc);
}

/** What no health could change. */
function whyNeverAway(facts: WayFacts, plan: GroupPlan, idc: string): string | undefined {
  const { view, hopLimit, idcs } = facts;
  const drGroup = drGroupOf(facts, plan);
  if (drGroup === undefined)
    return `Requests for ${view.host} never leave ${facts.idc}: no DrGroup has the host. Add it to spec.hosts of one.`;
  const name = `DrGroup ${drGroup.meta.name}`;
  if (!drGroup.spec.idcs.some((one) => one.name === idc)) {
    const others = drGroup.spec.idcs.map((one) => one.name);
    return `${name} does not list ${idc}: it has ${listWords(others)}. Add it to spec.idcs.`;
  }
  if (drGroup.spec.hopLimit === 0) return `${name} has hopLimit 0: its requests never leave ${facts.idc}.`;
  if (hopLimit === 0) return `The mesh has hop limit 0 (--hop-limit): no request leaves an IDC.`;
  if (!idcs.has(facts.idc)) return `No Idc ${facts.idc} is declared: it has no gateways to leave by.`;
  return plan.crossing === undefined
    ? `Requests for ${view.host} never leave ${facts.idc}, as its ServiceEntry says how instances are found (resolution).`
    : undefined;
}

/** It is a choice of an egress gateway, and another one is chosen, or none. */
function reasonsAtEgress(facts: WayFacts, { choices, at }: Hop, idc: string): string[] {
  const own = choices.find((one) => one.idc === idc) as WayChoice;
  const chosen = choices.find((one) => one.isChosen);
  if (own.why.startsWith('forbidden')) return [`${idc} is ${own.why}.`];
  if (own.hosts.length === 0) return [`Idc ${idc} has no ingress gateway.`];
  if (!own.hosts.some((one) => one.isUsable))
    return [`No ingress gateway of ${idc} can be used at ${at}${deadWords(facts, own)}`];
  if (chosen !== undefined && own.priority === chosen.priority)
    return [
      `${idc} gets ${own.percent} % of these requests, and ${chosen.idc} ${chosen.percent} %: they share by weight.`,
    ];
  const before = chosen === undefined ? 'another IDC' : chosen.idc;
  return [`${before} comes first in the order and can serve; ${idc} is asked when it cannot.`];
}

/** Its gateways, of which none can be used, and what that may mean. */
function deadWords(facts: WayFacts, own: Pick<WayChoice, 'hosts'>): string {
  const isAssumed = own.hosts.some((one) => one.health === 'down');
  const isChecked = !isAssumed && facts.plans.get(facts.idc)?.crossing?.check !== undefined;
  const meaning = isChecked
    ? ' The check goes through the gateway to an instance: either the gateway is down, or it has no instance that can serve.'
    : '';
  return `${hostsWords(own)}${meaning}`;
}

/** Why an IDC could not take the request over, as the egress gateways that were read have it. */
function reasonsUnable(facts: WayFacts, plan: GroupPlan, idc: string): string[] {
  const exits = facts.readings.filter(({ proxy }) => proxy.role === 'egress');
  const own = farChoices(facts, plan, () => undefined, exits).find((one) => one.idc === idc);
  if (own === undefined || own.usable > 0) return [];
  if (own.hosts.length === 0) return [`It could not now: Idc ${idc} has no ingress gateway.`];
  return [
    `It could not now: no ingress gateway of ${idc} can be used at an egress gateway of ${facts.idc}${deadWords(facts, own)}`,
  ];
}

/** Requests stay where they begin. */
function reasonsToStay(
  facts: WayFacts,
  first: Hop | undefined,
  by: string | undefined,
  idc: string,
): string[] {
  const near = first?.choices.filter(({ to }) => to === 'instances') ?? [];
  const exit = first?.choices.find(({ to }) => to === 'egress');
  if (by === undefined)
    return [exit === undefined ? (first?.decision ?? '') : `The request does not get as far: ${exit.why}.`];
  const hosts = near.flatMap((one) => one.hosts);
  const usable = hosts.filter((one) => one.isUsable).length;
  const plan = facts.plans.get(facts.idc);
  const order = plan?.crossing?.idcs.map((one) => one.idc) ?? [];
  const place =
    order[0] === idc ? 'takes over' : `comes after ${listWords(order.slice(0, order.indexOf(idc)))}`;
  const exits =
    exit === undefined || exit.hosts.some((one) => one.isUsable)
      ? []
      : [`It could not be reached now: ${exit.why}.`];
  return [
    `The instances of ${by} come first, and ${countWords(usable, hosts.length)}.`,
    `${idc} ${place} once fewer than half of them can serve.`,
    ...exits,
    ...(plan === undefined || exits.length > 0 ? [] : reasonsUnable(facts, plan, idc)),
  ];
}

/** The hosts that cannot be sent to, with the reason of each. */
function hostsWords({ hosts }: Pick<WayChoice, 'hosts'>): string {
  const dead = hosts.filter((one) => !one.isUsable);
  if (dead.length === 0) return '';
  const words = dead.map(
    ({ name, node, address, why, health }) =>
      `${name === undefined ? address : gatewayLabel({ name, node })} (${health === 'down' ? 'assumed down' : why})`,
  );
  return `: ${words.join(', ')}.`;
}
