import type { ServedAnswer } from '../client/who-client.ts';
import type { Answer } from '../contract/contract.ts';
import type { ShownFinding } from '../contract/status.ts';
import { describeMissing } from '../delivery/problems/missing-gateways.ts';
import type { Finding } from '../model/finding.ts';

type ControlPlaneStatus = Exclude<Answer<'getStatus'>['body'], readonly unknown[]>;
type ProxyStatus = ControlPlaneStatus['proxies'][number];

/** The data of `isthmus status` for a control plane. */
export interface Overview {
  readonly status: ControlPlaneStatus;
  readonly problems: readonly ShownFinding[];
  /** Which Groups the IDC does not serve itself; absent: the control plane does not say. */
  readonly served?: ServedAnswer;
}

/** A control plane's answer, or why there is none. */
export type OverviewReply = { readonly admin: string } & (
  | { readonly reply: Overview }
  | { readonly error: { readonly message: string } }
);

/**
 * Gateways of an IDC that are connected to none of its control planes, where all of them were asked. One that
 * is alone reports its own.
 */
export function missingTogether(replies: readonly OverviewReply[]): readonly Finding[] {
  const all = replies.flatMap((one) => ('reply' in one ? [one.reply.status] : []));
  return [...Map.groupBy(all, ({ idc }) => idc)].flatMap(([idc, planes]) => {
    const peers = Math.max(
      0,
      ...planes.map((one) => one.peers.filter(({ state }) => state !== 'self').length),
    );
    if (peers === 0 || planes.length <= peers || planes.some(({ ready, gateways }) => !ready || !gateways))
      return [];
    const [first] = planes;
    const gateways = (first?.gateways ?? []).map((one, i) => ({
      ...one,
      nodes: planes.flatMap((plane) => plane.gateways[i]?.nodes ?? []),
    }));
    return describeMissing(
      idc,
      gateways,
      planes.flatMap(({ proxies }) => proxies),
    );
  });
}

/** Warnings that a script has to know of, beside each error and what is not ready or refused. */
const alarming: readonly string[] = ['GatewayMissing', 'DuplicateNodeId', 'SharedListener'];

/**
 * Whether all is well: each control plane has answered, is ready and reports no error, no proxy refuses
 * anything, each declared gateway is connected once, no node id is used twice, and somebody serves each host.
 * That another IDC serves a host is what failover is for, and `who` has an exit code for it.
 */
export function isWell(replies: readonly OverviewReply[]): boolean {
  return replies.every(isWellAt) && missingTogether(replies).length === 0;
}

function isWellAt(one: OverviewReply): boolean {
  if (!('reply' in one)) return false;
  const { status, problems, served } = one.reply;
  return (
    status.ready &&
    !status.proxies.some(isRefusing) &&
    ![...status.problems, ...problems].some(isAlarming) &&
    !served?.notHere.some((group) => group.served === 'nobody')
  );
}

function isAlarming({ severity, code }: Pick<ShownFinding, 'severity' | 'code'>): boolean {
  return severity === 'error' || alarming.includes(code);
}

/** Whether a proxy refuses something that it was sent. */
export function isRefusing({ types }: Pick<ProxyStatus, 'types'>): boolean {
  return Object.values(types).some(({ state }) => state === 'NACKED');
}
