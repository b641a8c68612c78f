import type { ListenAddress } from '../../../../model/values/listen-address.ts';
import { type IdcPlan, idcOf, type Topology } from '../../../world/topology.ts';
import { halfDead, namesText, whole } from '../names.ts';
import { type CommandOutput, jsonOf, nearShares, type Question } from '../question.ts';
import { answeredText, awayPercent, type ProbeReply, placeText } from '../requests.ts';
import { clustersOf, usableText, type Witnesses } from '../witnesses.ts';

interface ExplainJson {
  readonly served: string;
  readonly whyNot?: { readonly idc: string; readonly isChosen: boolean; readonly reasons: readonly string[] };
  readonly by?: string;
  readonly status?: number;
  readonly hops: readonly {
    readonly idc: string;
    readonly trail: readonly string[];
    readonly choices: readonly {
      readonly to: string;
      readonly idc: string;
      readonly percent: number;
      readonly isChosen: boolean;
      readonly hosts: readonly { readonly address: string; readonly isUsable: boolean }[];
    }[];
  }[];
}

const exits: Readonly<Record<string, number>> = { here: 0, away: 1, nobody: 3 };

/** Requests for a share, and four standard deviations of a third of them, in points. */
const [burst, burstPoints] = [200, 14] as const;

/** A request whose way is asked for. */
interface AskedWay extends Pick<Question, 'id' | 'when' | 'question' | 'shows' | 'isAhead'> {
  readonly host: string;
  /** Where it begins; default the caller. */
  readonly from?: string;
  /** More of the command. */
  readonly more?: string;
  readonly to: (idc: IdcPlan) => ListenAddress;
  readonly headers?: Readonly<Record<string, string>>;
}

const toCaller = ({ caller }: IdcPlan) => caller.outbound;
const toGateway = (listener: 'edge' | 'peer') => (idc: IdcPlan) =>
  (idc.ingress[0] as IdcPlan['ingress'][number])[listener];

const overBoth = /^sh-a\/egress-1.* → sh-b\/ingress-1, sh-b\/ingress-2 → an instance of sh-b; served by sh-b/;

const askedWays: readonly AskedWay[] = [
  {
    ...{ id: 'way-away', when: 'half dead', host: 'catalog.shop', to: toCaller, shows: overBoth },
    question: `Why does this request go to ${whole}, and which way?`,
  },
  {
    ...{ id: 'way-near', when: 'half dead', host: 'orders.shop', to: toCaller },
    question: `Why does this request stay in ${halfDead}?`,
    shows: /^sh-a\/orders-1; served by sh-a/,
  },
  {
    ...{ id: 'way-edge', when: 'half dead', host: 'catalog.shop', from: 'sh-a/ingress-1' },
    ...{ to: toGateway('edge'), shows: overBoth },
    question: 'Which way does a request of a client at the edge go?',
  },
  {
    ...{ id: 'way-returning', when: 'half dead', host: 'catalog.shop', from: 'sh-a/ingress-1' },
    ...{ more: ' --trail sh-b', headers: { 'x-isthmus-trail': 'sh-b' }, to: toGateway('peer') },
    question: `What happens to a request that ${whole} sends here?`,
    shows: /^nobody, status 503/,
  },
  {
    ...{ id: 'what-if', when: 'nobody', isAhead: true, host: 'catalog.shop', more: ' --if sh-b=down' },
    ...{ to: toCaller, shows: /^nobody, status 503/ },
    question: `What if ${whole} failed, too?`,
  },
  {
    ...{ id: 'way-nowhere', when: 'nobody', host: 'catalog.shop', to: toCaller },
    question: 'Why does nobody serve this request?',
    shows: /^nobody, status 503/,
  },
  {
    ...{ id: 'way-home', when: 'recovery', host: 'catalog.shop', to: toCaller },
    question: 'Which way does the request go now?',
    shows: /^sh-a\/catalog-1; served by sh-a/,
  },
];

/** The questions that `isthmus explain` answers. */
export function wayQuestions(topology: Topology): readonly Question[] {
  const idc = idcOf(topology, halfDead);
  return [...askedWays.map((one) => way(idc, one)), whyNot(idc), share(idc)];
}

function way(idc: IdcPlan, asked: AskedWay): Question {
  const { host, more = '', from = 'sh-a/caller', to, headers = {}, ...rest } = asked;
  return {
    ...{ ...rest, reads: true, command: `explain --from ${from} --host ${host}${more}` },
    witness: 'the access logs of all Envoys on the way of real requests, and `/clusters` where it begins',
    said: (output, { envoys }) => explainedText(output, envoys),
    envoys: async ({ requests, envoys }) => {
      const node = from.split('/')[1] ?? '';
      const seen = usableText(await envoys.hosts(halfDead, ['caller', 'ingress'], 'egress', node));
      const { down } = await envoys.ready(halfDead, ['egress']);
      const exits = seen.split(', ').filter((name) => !down.some((one) => name === `${halfDead}/${one}`));
      const replies = await requests.send(host, { to: to(idc), headers });
      const way = byExits(await requests.wayOf(replies), exits);
      return travelledText(replies, way, await requests.trailOf(replies));
    },
  };
}

/**
 * A way with all egress gateways that its first Envoy may send to, and that are alive: it ejects a dead one
 * for some seconds at a time, and in between tries it, and then another one. Access logs have the last try.
 */
function byExits(way: string, exits: readonly string[]): string {
  const [first = '', ...rest] = way.split(' → ');
  const isKnown = rest.length > 0 && first.split(', ').every((name) => exits.includes(name));
  return [isKnown ? namesText(exits) : first, ...rest].join(' → ');
}

function whyNot({ caller }: IdcPlan): Question {
  const told = (names: Iterable<string>) => `${halfDead} does not serve it: ${namesText(names)} cannot`;
  return {
    ...{ id: 'why-not', when: 'half dead', reads: true, question: `Why does ${halfDead} not serve it?` },
    command: `explain --from ${halfDead}/${caller.name} --host catalog.shop --why-not ${halfDead}`,
    witness: '`/clusters` of the sidecar where it begins',
    said: (output) => {
      const { whyNot: why } = jsonOf<ExplainJson>(output);
      if (why?.isChosen !== false) return `${halfDead} serves it`;
      const names = why.reasons.flatMap((reason) => [...reason.matchAll(/\bshop\/([\w-]+) \(/g)]);
      return told(names.map(([, name]) => `${halfDead}/${name}`));
    },
    envoys: async ({ envoys }) => {
      const seen = await envoys.hosts(halfDead, ['caller'], clustersOf('catalog.shop').instances);
      return told(seen.flat().flatMap(({ name, isUsable }) => (isUsable ? [] : [name])));
    },
    shows: /catalog-1 cannot/,
  };
}

function share({ caller }: IdcPlan): Question {
  return {
    ...{ id: 'way-share', when: 'half dead', reads: true },
    question: 'Which part of the requests leaves, with two of three instances dead?',
    command: `explain --from ${halfDead}/${caller.name} --host checkout.shop`,
    witness: `the IDCs that answer ${burst} real requests`,
    said: (output) => {
      const choices = jsonOf<ExplainJson>(output).hops[0]?.choices ?? [];
      const away = choices.filter(({ to }) => to === 'egress').reduce((sum, { percent }) => sum + percent, 0);
      return `${away.toFixed(1)} % leave`;
    },
    envoys: async ({ requests }) => {
      const replies = await requests.send('checkout.shop', { to: caller.outbound, count: burst });
      return `${awayPercent(replies).toFixed(1)} % of ${burst} left`;
    },
    shows: /^[1-5]\d\./,
    agrees: nearShares(burstPoints),
  };
}

function explainedText(output: CommandOutput, { nameOf }: Pick<Witnesses, 'nameOf'>): string {
  const { served, by, status, hops } = jsonOf<ExplainJson>(output);
  if (served === 'nobody') return `nobody, status ${status}; exit ${output.code}`;
  const places = hops.map(({ idc, choices }) => {
    const chosen = choices.find(({ isChosen }) => isChosen);
    const usable = chosen?.hosts.filter(({ isUsable }) => isUsable) ?? [];
    if (idc !== halfDead && chosen?.to !== 'idc' && usable.length === 0) return placeText(`${idc}/`);
    return namesText(usable.map(({ address }) => placeText(nameOf(address))));
  });
  const trail = hops.at(-1)?.trail.join(',') ?? '';
  return `${places.join(' → ')}; served by ${by}; trail ${trail || 'none'}; exit ${output.code}`;
}

function travelledText(replies: readonly ProbeReply[], way: string, trail: string): string {
  const served = answeredText(replies);
  if (served.startsWith('nobody')) return `${served}; exit ${exits.nobody}`;
  const code = served === halfDead ? exits.here : exits.away;
  return `${way}; served by ${served}; trail ${trail || 'none'}; exit ${code}`;
}
