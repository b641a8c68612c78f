import { compareText } from '../../base/text/compare-text.ts';
import type { LostExit } from '../../contract/who.ts';
import type { EgressGateway } from '../../model/idc.ts';
import { type ListenAddress, showAddress } from '../../model/values/listen-address.ts';
import type { AskedProxy, GoneProxy } from '../types.ts';
import type { WhoOptions } from '../who-options.ts';

/** Whether requests can leave the IDC, whatever the Envoys of their callers say. */
export interface Exits {
  /** Egress gateways of the own Idc that do not answer. */
  readonly lost: readonly LostExit[];
  /** Whether these are all: nothing leaves the IDC. */
  readonly isCutOff: boolean;
}

/** What is asked: proxies, and the gateways themselves. */
export type ExitsOptions = Pick<WhoOptions, 'idc' | 'clock' | 'view' | 'proxies' | 'gone' | 'probe'>;

/** Probes in a row that fail before a gateway counts as lost. */
const failuresMax = 2;

/**
 * Finds the egress gateways of the own IDC that cannot take a request. Envoys keep the last one of a cluster
 * in use, dead or alive, so what they say of it proves nothing. `read`: proxies that have just answered; each
 * other gateway is probed, as one that has lost its control plane still serves.
 */
export async function findLostExits(options: ExitsOptions, read: Iterable<AskedProxy>): Promise<Exits> {
  const { idc, view, proxies, gone, clock } = options;
  const alive = [...read];
  // Ages count back from here: probes take seconds.
  const [connected, left, wallMs] = [[...proxies()], [...gone()], clock.wall()];
  const declared = view().idcs.get(idc)?.spec.egress ?? [];
  const found = await Promise.all(
    declared.map(async (gateway, i): Promise<LostExit | undefined> => {
      if (alive.some((one) => isAt(one, gateway))) return undefined;
      const { address, sidecarPort, ingressPort } = gateway;
      const at = { address, port: sidecarPort };
      const result = await probeAgain(options, at);
      if (result === 'answers') return undefined;
      const since = sinceWords(wallMs, gateway, connected, left);
      return {
        name: `${idc}/egress-${i + 1}`,
        addresses: [at, { address, port: ingressPort }].map(showAddress),
        why: `${since}${probeWords[result]}`,
      };
    }),
  );
  const lost = found.filter((one) => one !== undefined);
  return { lost, isCutOff: lost.length === declared.length };
}

const probeWords = {
  refused: 'accepts no connection',
  silent: 'accepts connections and never answers',
} as const;

async function probeAgain({ probe }: ExitsOptions, at: ListenAddress): ReturnType<ExitsOptions['probe']> {
  let found = await probe(at);
  for (let failures = 1; found !== 'answers' && failures < failuresMax; failures++) found = await probe(at);
  return found;
}

/** Whether it is connected, or since when it is not; '': who is at which address is not known. */
function sinceWords(
  wallMs: number,
  gateway: EgressGateway,
  connected: readonly AskedProxy[],
  left: readonly GoneProxy[],
): string {
  if (connected.some((one) => isAt(one, gateway))) return 'connected, ';
  const [last] = left.filter((one) => isAt(one, gateway)).sort((a, b) => a.goneForMs - b.goneForMs);
  if (last === undefined) return connected.some(isAnywhere) ? '' : 'not connected, ';
  const since = new Date(wallMs - last.goneForMs).toISOString().replace(/\.\d+/, '');
  return `not connected since ${since}, `;
}

/** Whether a proxy listens at this very address: one at an unspecified address may be any gateway. */
function isAt({ scope }: Pick<AskedProxy, 'scope'>, { address, sidecarPort }: EgressGateway): boolean {
  return scope.role === 'egress' && scope.sidecar.address === address && scope.sidecar.port === sidecarPort;
}

/** Whether a proxy listens at an unspecified address. */
function isAnywhere({ scope }: AskedProxy): boolean {
  return scope.role === 'egress' && ['0.0.0.0', '::'].includes(scope.sidecar.address);
}

/** In words, by name: `sh-a/egress-1: not connected, …`. */
export function lostWords(lost: readonly LostExit[]): string {
  return lost
    .toSorted((a, b) => compareText(a.name, b.name))
    .map(({ name, why }) => `${name}: ${why}`)
    .join('; ');
}
