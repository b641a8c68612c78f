import { idcOf, type Topology } from '../../../world/topology.ts';
import { halfDead, namesText, whole } from '../names.ts';
import { jsonOf, nearShares, type Question } from '../question.ts';
import { answeredText, awayPercent } from '../requests.ts';
import { clustersOf, type Witnesses } from '../witnesses.ts';

interface EventJson {
  readonly phase?: string;
  readonly node?: string;
  readonly type?: string;
  readonly refused?: readonly string[];
  readonly group?: string;
  readonly to?: string;
  readonly change?: string;
  readonly object?: string;
  readonly percent?: number;
  readonly groups?: readonly string[];
  readonly targets?: readonly string[];
}

interface EventsJson {
  readonly events: readonly EventJson[];
}

/** Requests for the share of an evacuation; four standard deviations of half of them, in points. */
const [burst, burstPoints] = [200, 15] as const;

/** Hosts whose instances are checked by proxies: the failover of one is an event. */
const checkedHosts = ['checkout.shop', 'catalog.shop', 'orders.shop', 'stock.shop'];

/** Events of a kind that are asked for. */
interface AskedEvents extends Omit<Question, 'command' | 'said' | 'reads'> {
  readonly kind: string;
  readonly reads?: boolean;
  said(events: readonly EventJson[], envoys: Witnesses): string;
}

/** What happened in the last minutes, by kind of event. */
export function eventQuestions(topology: Topology): readonly Question[] {
  const asked = [
    refusal,
    ...failovers(topology),
    lostGateways,
    hungGateway,
    evacuation(topology),
    removal(topology),
  ];
  return asked.map(({ kind, said, reads = false, ...rest }): Question => {
    return {
      ...{ ...rest, reads, command: `events --since 10m --kind ${kind}` },
      said: (output, { envoys }) =>
        said(
          jsonOf<EventsJson[]>(output).flatMap((answer) => answer.events),
          envoys,
        ),
    };
  });
}

const refusal: AskedEvents = {
  ...{ id: 'event-refusal', when: 'half dead', kind: 'nack', shows: /^caller LDS tcp\/ledger/ },
  question: 'What was refused in the last minutes?',
  witness: 'the error states in `/config_dump` of the proxy',
  said: (list) =>
    namesText(
      list.flatMap(({ node, type, refused = [] }) => refused.map((name) => `${node} ${type} ${name}`)),
    ),
  envoys: async ({ envoys }) => {
    const dump = await envoys.dump(halfDead, 'caller');
    return namesText(
      dump.flatMap(({ type, name, error }) => (error === undefined ? [] : [`caller ${type} ${name}`])),
    );
  },
};

function failovers(topology: Topology): readonly AskedEvents[] {
  const { caller } = idcOf(topology, halfDead);
  return [
    {
      ...{ id: 'event-failover', when: 'half dead', kind: 'failover', reads: true },
      question: 'Which hosts have failed over in the last minutes, and where to?',
      witness: '`/clusters` of its gateways, and who answers real requests',
      said: (list) =>
        namesText(underWay(list).map(({ group, to }) => `${hostOfGroup(group)} to ${to ?? 'nobody'}`)),
      async envoys({ envoys, requests }) {
        const away = await hostsWithout(envoys);
        const found = away.map(
          async (host) =>
            `${host} to ${answeredText(await requests.send(host, { to: caller.outbound, count: 4 }))}`,
        );
        return namesText(await Promise.all(found));
      },
      shows: /^catalog\.shop to sh-b$/,
    },
    {
      ...{ id: 'event-home', when: 'recovery', kind: 'failover', reads: true, shows: /^none$/ },
      question: 'Which hosts are still away?',
      witness: '`/clusters` of its gateways',
      said: (list) =>
        list.length === 0
          ? 'no failover at all'
          : namesText(underWay(list).map(({ group }) => hostOfGroup(group))),
      envoys: async ({ envoys }) => namesText(await hostsWithout(envoys)),
    },
  ];
}

/** Hosts of which no ingress gateway that answers can use an instance. */
async function hostsWithout(envoys: Witnesses): Promise<readonly string[]> {
  const found = await Promise.all(
    checkedHosts.map(async (host) => {
      const seen = await envoys.hosts(halfDead, ['ingress'], clustersOf(host).instances);
      return seen.flat().some(({ isUsable }) => isUsable) ? [] : [host];
    }),
  );
  return found.flat();
}

const lostGateways: AskedEvents = {
  ...{ id: 'event-gateway', when: 'half dead', kind: 'gateway', shows: /^egress-2, ingress-2$/ },
  question: 'Which gateways were lost in the last minutes?',
  witness: '`/ready` of all its gateways',
  said: (list) => namesText(lostNow(list)),
  envoys: async ({ envoys }) => namesText((await envoys.ready(halfDead, ['ingress', 'egress'])).down),
};

const hungGateway: AskedEvents = {
  ...{ id: 'event-hung', when: 'half dead', kind: 'reach', at: [whole], shows: /^sh-a\/ingress-2$/ },
  question: 'Which gateway of the other IDC accepts connections and never answers?',
  witness: '`/ready` of all its ingress gateways',
  said: (list, { nameOf }) => namesText(hungNow(list).map(nameOf)),
  envoys: async ({ envoys }) => {
    const { down } = await envoys.ready(halfDead, ['ingress']);
    return namesText(down.map((name) => `${halfDead}/${name}`));
  },
};

function evacuation(topology: Topology): AskedEvents {
  const { caller } = idcOf(topology, halfDead);
  return {
    ...{ id: 'event-evacuation', when: 'half dead', kind: 'evacuation', shows: /^[3-6]\d/ },
    question: 'Which evacuation has begun in the last minutes?',
    witness: `the IDCs that answer ${burst} real requests for its host`,
    said: (list) => {
      const begun = list.filter(({ phase }) => phase === 'begun').at(-1);
      return `${begun?.percent} % of ${namesText(begun?.groups ?? [])}`;
    },
    envoys: async ({ requests }) => {
      const replies = await requests.send('stock.shop', { to: caller.outbound, count: burst });
      return `${awayPercent(replies).toFixed(1)} % of ${burst} for stock.shop`;
    },
    agrees: (said, envoys) => said.endsWith('stock.shop') && nearShares(burstPoints)(said, envoys),
  };
}

function removal(topology: Topology): AskedEvents {
  const began = idcOf(topology, halfDead).instances.filter(({ group }) => group.protocol !== 'TCP');
  return {
    ...{ id: 'event-removal', when: 'half dead', kind: 'change', shows: /^sh-a\/orders-2$/ },
    question: 'Which instance was removed in the last minutes?',
    witness: '`/clusters` of its sidecar and gateways, beside the instances that the world began with',
    said: (list) => {
      const removed = list.filter(({ change }) => change === 'removed').map(({ object = '' }) => object);
      return namesText(removed.map((object) => `${halfDead}/${object.split('/')[1] ?? object}`));
    },
    async envoys({ envoys }) {
      const all = await Promise.all(
        checkedHosts.map((host) => envoys.hosts(halfDead, ['ingress', 'caller'], clustersOf(host).instances)),
      );
      const known = new Set(all.flat(2).map(({ name }) => name));
      return namesText(began.map(({ name }) => `${halfDead}/${name}`).filter((name) => !known.has(name)));
    },
  };
}

/** Failovers that have begun and not ended, the last of each Group. */
function underWay(list: readonly EventJson[]): readonly EventJson[] {
  const last = new Map(list.map((event) => [event.group, event]));
  return [...last.values()].filter(({ phase }) => phase !== 'end');
}

/** Gateways that were lost and are not back. */
function lostNow(list: readonly EventJson[]): string[] {
  const last = new Map(list.map((event) => [event.node ?? '', event]));
  return [...last].flatMap(([node, { phase }]) => (phase === 'lost' ? [node] : []));
}

/** Addresses that were found to hang and have not answered since. */
function hungNow(list: readonly EventJson[]): string[] {
  const last = new Map(list.flatMap(({ phase, targets = [] }) => targets.map((at) => [at, phase] as const)));
  return [...last].flatMap(([at, phase]) => (phase === 'hung' ? [at] : []));
}

/** The host of `NAMESPACE/HOST:PORT`. */
function hostOfGroup(group = ''): string {
  return /^[^/]*\/(.*):\d+$/.exec(group)?.[1] ?? group;
}
