import { counted } from '../../base/text/counted.ts';
import type { NetworkAnswer } from '../../client/who-client.ts';
import { hostReasonWords } from '../../contract/host-reasons.ts';
import type { EgressView, PeerGateway } from '../../contract/network.ts';
import type { AskedPlane } from './asked-plane.ts';
import type { Found } from './check-line.ts';

/** Whether the egress gateways of each IDC that was asked reach the ingress gateways of the others. */
export function checkGateways(planes: readonly AskedPlane[]): readonly Found[] {
  return [...Map.groupBy(planes, ({ idc }) => idc)].flatMap(([idc, own]) => {
    const networks = own.flatMap(({ network }) => (network === undefined ? [] : [network]));
    if (networks.length === 0) return [];
    const peers = networks.flatMap((one) => one.peers);
    if (peers.length === 0)
      return [
        {
          ...{ result: 'ok', what: `gateways of other IDCs, from ${idc}`, tried: 'its Idc objects' },
          found: 'no other IDC has an ingress gateway',
        } as const,
      ];
    return [...Map.groupBy(peers, ({ idc: other, address }) => `${address} of ${other}`)].map(
      ([what, same]) => judgePeer(`${what}, from ${idc}`, same, whyNotSeen(networks)),
    );
  });
}

/** Reasons that may be those of the instances behind a gateway. */
const behind: readonly string[] = ['check-failed', 'told-unhealthy'];

/** One gateway of another IDC, as the control planes of an IDC and their egress gateways see it. */
function judgePeer(what: string, same: readonly PeerGateway[], unseen: string): Found {
  const views = same.flatMap(({ egress }) => egress);
  const failing = views.filter(({ sees }) => sees === 'failing');
  const reached = views.filter(({ sees }) => sees === 'reached');
  const isAnswering = same.some(({ probe }) => probe === 'answers');
  const probe = `the control plane's probe: ${isAnswering ? 'answers' : (same[0]?.probe ?? 'refused')}`;
  const common = {
    what,
    tried: 'health checks of egress gateways (/clusters), a probe by the control plane',
  };
  if (failing.length > 0) {
    const found = `${failing.map(failingWords).join('; ')}; ${probe}`;
    // A gateway passes on what its instances answer: it may be well, and none of them.
    const isUnclear = isAnswering && failing.every(({ why }) => why.every((one) => behind.includes(one)));
    return isUnclear
      ? {
          ...common,
          result: 'warn',
          found,
          todo: 'it answers: look at the instances behind it, isthmus who HOST',
        }
      : {
          ...common,
          result: 'fail',
          found,
          todo: 'start the gateway, or open the path from the egress gateways to it',
        };
  }
  if (reached.length > 0)
    return {
      ...common,
      result: 'ok',
      found: `reached by ${reached.map(({ node }) => node).join(', ')}; ${probe}`,
    };
  const found = `${views.length > 0 ? `nothing that ${views.map(({ node }) => node).join(', ')} has checks it` : unseen}; ${probe}`;
  if (!isAnswering)
    return { ...common, result: 'warn', found, todo: 'start the gateway, or open the path to it' };
  const todo =
    views.length > 0 ? 'give a DrGroup spec.traffic.health: then its gateways are checked' : undefined;
  return { ...common, result: 'not seen', found, ...(todo === undefined ? {} : { todo }) };
}

// A newer control plane may have a reason that has no words here.
function failingWords({ node, why, groups }: EgressView): string {
  return `not reached by ${node}: ${why.map((one) => hostReasonWords[one] ?? one).join(', ')} (${counted(groups, 'Group')} read)`;
}

function whyNotSeen(networks: readonly NetworkAnswer[]): string {
  const silent = networks.flatMap((one) => one.silent);
  if (silent.length === 0) return 'no egress gateway is connected, or no Group may cross';
  return silent.map(({ node, why }) => `${node} could not be read: ${why}`).join('; ');
}
