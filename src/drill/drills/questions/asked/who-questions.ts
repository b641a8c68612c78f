import { idcOf, type Topology } from '../../../world/topology.ts';
import { halfDead, namesText, whole } from '../names.ts';
import { type CommandOutput, jsonOf, nearShares, type Question, type QuestionEvidence } from '../question.ts';
import { answeredText, awayPercent, type ProbeReply } from '../requests.ts';
import { clustersOf, instancesText, usableText, type Witnesses } from '../witnesses.ts';

interface ShownHost {
  readonly address: string;
  readonly health: string;
  readonly usableAt: number;
  readonly why: readonly { readonly reason: string }[];
}

interface WhoJson {
  readonly idc: string;
  readonly groups: readonly {
    readonly served: string;
    readonly by?: string;
    readonly takesOver?: string;
    readonly keepsPercent?: number;
    readonly awayShare?: number;
    readonly evacuations: readonly string[];
    readonly instances: readonly ShownHost[];
    readonly next: readonly { readonly gateways: readonly ShownHost[] }[];
  }[];
}

const exits: Readonly<Record<string, number>> = { here: 0, away: 1, nobody: 3 };

/** Requests for the share of an evacuation; four standard deviations of half of them, in points. */
const [burst, burstPoints] = [200, 15] as const;

/** A host that an IDC is asked for. */
interface AskedHost extends Pick<Question, 'id' | 'when' | 'question' | 'shows'> {
  readonly host: string;
  /** Default the one that is half dead. */
  readonly idc?: string;
}

const askedHosts: readonly AskedHost[] = [
  {
    ...{ id: 'who-partial', when: 'half dead', host: 'checkout.shop' },
    question: 'Who serves a host of which two of three instances are dead, and who takes over?',
    shows: /here.*then sh-b.*checkout-1 healthy.*checkout-2 unhealthy.*checkout-3 unhealthy/,
  },
  {
    ...{ id: 'who-away', when: 'half dead', host: 'catalog.shop' },
    question: 'Who serves a host whose instances here are all dead?',
    shows: /away, by sh-b.*catalog-1 unhealthy/,
  },
  {
    ...{ id: 'who-elsewhere', when: 'half dead', host: 'catalog.shop', idc: whole },
    question: 'Who takes over in the IDC that stands in, if it loses the host, too?',
    // Its egress gateways ask through those of the other IDC, which have no instance left.
    shows: /sh-b: here, by sh-b; then none/,
  },
  {
    ...{ id: 'who-gateways', when: 'half dead', host: 'orders.shop', idc: whole },
    question: 'Through which gateways could the other IDC take over?',
    shows: /usable gateways elsewhere: sh-a\/ingress-1;/,
  },
  {
    ...{ id: 'who-gone', when: 'half dead', host: 'orders.shop' },
    question: 'Which instances has a host of which one has deregistered?',
    shows: /instances: sh-a\/orders-1 healthy;/,
  },
  {
    ...{ id: 'who-nobody', when: 'nobody', host: 'catalog.shop' },
    question: 'Who serves a host that has no instance left anywhere?',
    shows: /nobody/,
  },
  {
    ...{ id: 'who-home', when: 'recovery', host: 'catalog.shop' },
    question: 'Does the IDC serve the host itself again?',
    shows: /sh-a: here, by sh-a; then sh-b.*catalog-1 healthy/,
  },
];

/** The questions that `isthmus who` answers. */
export function whoQuestions(topology: Topology): readonly Question[] {
  return [
    ...askedHosts.map((one) => who(topology, one)),
    everywhere(topology),
    evacuated(topology),
    ...sharesSent(topology),
  ];
}

function who(topology: Topology, { host, idc = halfDead, ...rest }: AskedHost): Question {
  return {
    ...rest,
    ...{ command: `who ${host} --for 500ms`, at: [idc], reads: true },
    witness: '`/clusters` of its sidecar and gateways, and who answers real requests',
    said: (output, { envoys }) => whoText(output, envoys),
    envoys: (evidence) => servedWords(topology, evidence, host, idc),
  };
}

/** Who serves a host in an IDC, as its Envoys and real requests say. */
async function servedWords(
  topology: Topology,
  { envoys, requests }: QuestionEvidence,
  host: string,
  idc: string,
): Promise<string> {
  const replies = await requests.send(host, { to: idcOf(topology, idc).caller.outbound });
  const served = answeredText(replies);
  const isHere = served.includes(idc);
  const word = isHere ? 'here' : served.startsWith('nobody') ? 'nobody' : 'away';
  const gateways = usableText(await envoys.hosts(idc, ['egress'], clustersOf(host).idcs));
  return [
    `${idc}: ${word}${word === 'nobody' ? '' : `, by ${isHere ? idc : served}`}`,
    `then ${isHere ? namesText(gateways === 'none' ? [] : gateways.split(', ').map(idcNameOf)) : 'none'}`,
    `instances: ${await instancesText(envoys, host, idc)}`,
    `usable gateways elsewhere: ${gateways}`,
    `exit ${exits[word]}`,
  ].join('; ');
}

function evacuated(topology: Topology): Question {
  return {
    ...{ id: 'who-evacuated', when: 'half dead', command: 'who stock.shop --for 500ms', reads: false },
    question: 'How much of a host leaves by an evacuation?',
    witness: `the IDCs that answer ${burst} real requests`,
    said: (output) => {
      const [{ groups: [group] = [] } = { groups: [] }] = jsonOf<WhoJson[]>(output);
      return `${100 - (group?.keepsPercent ?? 100)} % leave, by ${namesText(group?.evacuations ?? [])}`;
    },
    envoys: async ({ requests }) => {
      const to = idcOf(topology, halfDead).caller.outbound;
      const replies = await requests.send('stock.shop', { to, count: burst });
      return `${awayPercent(replies).toFixed(1)} % of ${burst} left`;
    },
    shows: /^[3-6]\d/,
    agrees: nearShares(burstPoints),
  };
}

interface TopJson {
  readonly hosts: readonly {
    readonly host: string;
    readonly idcs: readonly { readonly idc: string; readonly requests: number }[];
  }[];
}

/** The share that leaves, of requests that are sent while a command counts. */
function sentAway(
  topology: Topology,
  asked: Pick<Question, 'id' | 'command' | 'question'>,
  shareIn: (output: CommandOutput) => number,
): Question {
  let replies: readonly ProbeReply[] = [];
  return {
    ...{ ...asked, when: 'half dead', reads: true },
    witness: 'the IDCs that answer real requests in that time',
    async during({ requests }, ended) {
      const to = idcOf(topology, halfDead).caller.outbound;
      replies = await requests.sendUntil(ended, 'checkout.shop', { to, count: 8 });
    },
    said: (output) => `${(100 * shareIn(output)).toFixed(1)} % left`,
    envoys: async () => `${awayPercent(replies).toFixed(1)} % of ${replies.length} left`,
    shows: /^[1-5]\d\./,
    agrees: nearShares(burstPoints),
  };
}

function sharesSent(topology: Topology): readonly Question[] {
  return [
    sentAway(
      topology,
      {
        ...{ id: 'who-share', command: 'who checkout.shop --for 1s' },
        question: 'Which share of the requests has left in the last seconds?',
      },
      (output) => jsonOf<WhoJson[]>(output)[0]?.groups[0]?.awayShare ?? Number.NaN,
    ),
    sentAway(
      topology,
      { id: 'top', command: 'top --for 1s', question: 'Which IDCs serve the busiest hosts?' },
      (output) => {
        const found = jsonOf<TopJson[]>(output)[0]?.hosts.find(({ host }) => host === 'checkout.shop');
        const all = found?.idcs ?? [];
        const sum = (list: typeof all) => list.reduce((total, { requests }) => total + requests, 0);
        return sum(all.filter(({ idc }) => idc !== halfDead)) / sum(all);
      },
    ),
  ];
}

function everywhere(topology: Topology): Question {
  const brief = (text: string) => text.split('; ')[0] ?? '';
  return {
    ...{ id: 'who-everywhere', when: 'half dead', command: 'who catalog.shop --for 500ms --all-idcs' },
    ...{ reads: true, question: 'Who serves a host in each IDC?' },
    witness: 'who answers real requests in each IDC',
    said: (output, { envoys }) => {
      const words = jsonOf<WhoJson[]>(output).map((one) =>
        brief(whoText({ ...output, stdout: JSON.stringify([one]) }, envoys)),
      );
      return `${words.sort().join('; ')}; exit ${output.code}`;
    },
    envoys: async (evidence) => {
      const words = await Promise.all(
        topology.idcs.map(async ({ name }) =>
          brief(await servedWords(topology, evidence, 'catalog.shop', name)),
        ),
      );
      return `${words.sort().join('; ')}; exit ${words.some((one) => one.includes('away')) ? 1 : 0}`;
    },
    shows: /sh-a: away, by sh-b; sh-b: here, by sh-b/,
  };
}

function idcNameOf(gateway: string): string {
  return gateway.split('/')[0] ?? '';
}

function whoText(output: CommandOutput, { nameOf }: Pick<Witnesses, 'nameOf'>): string {
  const [answer] = jsonOf<WhoJson[]>(output);
  const group = answer?.groups[0];
  if (answer === undefined || group === undefined) throw new RangeError('no Group in the answer');
  const hosts = group.instances.map(({ address, health, why }) => {
    const reasons = why.map(({ reason }) => reason).sort();
    return `${nameOf(address)} ${health}${reasons.length === 0 ? '' : ` (${reasons.join(', ')})`}`;
  });
  const gateways = group.next.flatMap((one) => one.gateways).filter(({ usableAt }) => usableAt > 0);
  return [
    `${answer.idc}: ${group.served}${group.by === undefined ? '' : `, by ${group.by}`}`,
    `then ${group.takesOver ?? 'none'}`,
    `instances: ${namesText(hosts)}`,
    `usable gateways elsewhere: ${namesText(gateways.map(({ address }) => nameOf(address)))}`,
    `exit ${output.code}`,
  ].join('; ');
}
