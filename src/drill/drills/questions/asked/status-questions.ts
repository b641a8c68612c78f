import { hostOf, type IdcPlan, idcOf, isTcpGroup, type Topology } from '../../../world/topology.ts';
import { halfDead, namesText, whole } from '../names.ts';
import { type CommandOutput, jsonOf, type Question, type QuestionEvidence } from '../question.ts';
import { answeredText } from '../requests.ts';
import { clustersOf, type Witnesses } from '../witnesses.ts';

interface StatusJson {
  readonly status: {
    readonly ready: boolean;
    readonly proxies: readonly {
      readonly id: string;
      readonly types: Readonly<Record<string, { readonly state: string }>>;
    }[];
    readonly problems: readonly { readonly code: string; readonly message: string }[];
  };
  readonly served?: { readonly notHere: readonly { readonly host: string; readonly by?: string }[] };
}

interface VersionJson {
  readonly clients: readonly {
    readonly version: string;
    readonly idc: string;
    readonly nodes: readonly string[];
  }[];
}

interface CheckJson {
  readonly topic: string;
  readonly result: string;
  readonly what: string;
}

type Proxy = StatusJson['status']['proxies'][number];

/** The questions that `isthmus status`, `wait` and `version` answer: is it safe now, and if not, why. */
export function statusQuestions(topology: Topology): readonly Question[] {
  return [
    safe(topology, { id: 'safe', when: 'steady', shows: /^exit 0/ }),
    synced({ id: 'synced', when: 'steady', shows: /ingress-2/ }),
    version(topology),
    safe(topology, { id: 'unsafe', when: 'half dead', shows: /^exit 1/ }),
    safe(topology, { id: 'safe-elsewhere', when: 'half dead', shows: /^exit 0/, idc: whole }),
    synced({ id: 'out-of-sync', when: 'half dead', shows: /^(?!.*gress-2).*; refusing: caller LDS$/ }),
    missing({ id: 'gateway-missing', when: 'half dead', shows: /^sh-a\/egress-2, sh-a\/ingress-2$/ }),
    checked({ id: 'check', when: 'half dead', shows: /^sh-a\/egress-2, sh-a\/ingress-2; exit 1$/ }),
    elsewhere(topology, { id: 'hosts-elsewhere', when: 'half dead', shows: /^catalog.shop: sh-b$/ }),
    waiting({ id: 'wait-unsafe', when: 'half dead', shows: /^caller LDS NACKED; exit 1$/ }),
    elsewhere(topology, { id: 'hosts-unserved', when: 'nobody', shows: /^catalog.shop: nobody$/ }),
    safe(topology, { id: 'unsafe-elsewhere', when: 'nobody', shows: /^exit 1/, idc: whole }),
    safe(topology, { id: 'safe-again', when: 'recovery', shows: /^exit 0/ }),
    waiting({ id: 'wait-safe', when: 'recovery', shows: /^none; exit 0$/ }),
  ];
}

type Frame = Pick<Question, 'id' | 'when' | 'shows'>;

/** Whether all is well, as a script reads it: by the exit code. */
function safe(topology: Topology, { idc = halfDead, ...frame }: Frame & { readonly idc?: string }): Question {
  return {
    ...{ ...frame, command: 'status', at: [idc], reads: frame.id === 'unsafe-elsewhere' },
    question: `Is it safe now${idc === halfDead ? '' : ` in ${idc}`}?`,
    witness:
      '`/config_dump` and `/ready` of all its Envoys, and real requests for hosts without a healthy instance',
    said: (output) => `exit ${output.code}`,
    async envoys(evidence) {
      const refusing = await evidence.envoys.refusals(idc);
      const { down } = await evidence.envoys.ready(idc, ['ingress', 'egress']);
      const hosts = (await awayHosts(evidence, topology, idc)).filter((words) => words.endsWith('nobody'));
      return `exit ${refusing.length + down.length + hosts.length === 0 ? 0 : 1}`;
    },
  };
}

function synced(frame: Frame): Question {
  const text = (inSync: Iterable<string>, refusing: Iterable<string>) =>
    `in sync: ${namesText(inSync)}; refusing: ${namesText(refusing)}`;
  return {
    ...{ ...frame, command: 'status', reads: false },
    question: 'Which proxies are in sync, and which refuse something?',
    witness: '`/ready` and the error states in `/config_dump` of all its Envoys',
    said: (output) => {
      const { proxies } = jsonOf<StatusJson>(output).status;
      return text(
        proxies.filter((one) => statesOf(one).every(([, state]) => state === 'SYNCED')).map(({ id }) => id),
        proxies.flatMap((one) =>
          statesOf(one).flatMap(([type, state]) => (state === 'NACKED' ? [`${one.id} ${type}`] : [])),
        ),
      );
    },
    async envoys({ envoys }) {
      const refusing = await envoys.refusals(halfDead);
      const { up } = await envoys.ready(halfDead);
      return text(
        up.filter((name) => !refusing.some((one) => one.startsWith(`${name} `))),
        refusing,
      );
    },
  };
}

function statesOf({ types }: Proxy): (readonly [type: string, state: string])[] {
  return Object.entries(types).map(([type, { state }]) => [type, state] as const);
}

function missing(frame: Frame): Question {
  return {
    ...{ ...frame, command: 'status', reads: false, question: 'Which gateways are missing?' },
    witness: '`/ready` of all its gateways',
    said: (output, { envoys }) => {
      const found = jsonOf<StatusJson>(output).status.problems.filter(
        ({ code }) => code === 'GatewayMissing',
      );
      const names = found.map(({ message }) => {
        const [address] = /\d+(?:\.\d+){3}:\d+/.exec(message) ?? [];
        return address === undefined ? message : envoys.nameOf(address);
      });
      return namesText(names);
    },
    async envoys({ envoys }) {
      const { down } = await envoys.ready(halfDead, ['ingress', 'egress']);
      return namesText(down.map((name) => `${halfDead}/${name}`));
    },
  };
}

function checked(frame: Frame): Question {
  return {
    ...{ ...frame, command: 'check --all-idcs', reads: false },
    question: 'Which gateways of all IDCs do not answer at their addresses?',
    witness: '`/ready` of all gateways of all IDCs',
    said: (output, { envoys }) => {
      const lines = jsonOf<CheckJson[]>(output).filter(
        ({ topic, result }) => topic === 'addresses' && result === 'fail',
      );
      return `${namesText(lines.map(({ what }) => envoys.nameOf(what.split(',')[0] ?? '')))}; exit ${output.code}`;
    },
    async envoys({ envoys }) {
      const all = await Promise.all(
        [halfDead, whole].map(async (idc) => {
          const { down } = await envoys.ready(idc, ['ingress', 'egress']);
          return down.map((name) => `${idc}/${name}`);
        }),
      );
      return `${namesText(all.flat())}; exit ${all.flat().length === 0 ? 0 : 1}`;
    },
  };
}

function elsewhere(topology: Topology, frame: Frame): Question {
  return {
    ...{ ...frame, command: 'status', reads: true },
    question: 'Which hosts does the IDC not serve itself, and who does?',
    witness: '`/clusters` of its Envoys, and who answers real requests',
    said: (output) => {
      const { served } = jsonOf<StatusJson>(output);
      if (served === undefined) return 'not told';
      return namesText(served.notHere.map(({ host, by }) => `${host}: ${by ?? 'nobody'}`));
    },
    envoys: async (evidence) => namesText(await awayHosts(evidence, topology, halfDead)),
  };
}

/** The hosts of which no Envoy of an IDC can use an instance of its own, and who answers. */
async function awayHosts(
  { envoys, requests }: QuestionEvidence,
  topology: Topology,
  idc: string,
): Promise<readonly string[]> {
  const { caller }: IdcPlan = idcOf(topology, idc);
  const hosts = topology.groups.filter((group) => !isTcpGroup(group)).map((group) => hostOf(topology, group));
  const all = await Promise.all(
    hosts.map(async (host) => {
      const seen = await envoys.hosts(idc, ['ingress', 'caller'], clustersOf(host).instances);
      if (seen.flat().some(({ isUsable }) => isUsable)) return [];
      const served = answeredText(await requests.send(host, { to: caller.outbound, count: 4 }));
      return [`${host}: ${served.startsWith('nobody') ? 'nobody' : served}`];
    }),
  );
  return all.flat();
}

function waiting(frame: Frame): Question {
  return {
    ...{ ...frame, command: 'wait --for synced --all-idcs --settle 0s --timeout 1s', reads: false },
    question: 'Has every proxy of all IDCs what it should have, for a script that waits?',
    witness: 'the error states in `/config_dump` of all Envoys',
    said: ({ stderr, code }) => {
      const reasons = /^not synced within [^\n]*\n([\s\S]*)$/m.exec(stderr)?.[1] ?? '';
      const words = [...reasons.matchAll(/^ {2}(\S+) of \S+ at \S+: (.*)$/gm)].map(
        ([, node, what]) => `${node} ${what}`,
      );
      return `${namesText(words)}; exit ${code}`;
    },
    async envoys({ envoys }) {
      const all = (await Promise.all([halfDead, whole].map((idc) => envoys.refusals(idc)))).flat();
      return `${namesText(all.map((one) => `${one} NACKED`))}; exit ${all.length === 0 ? 0 : 1}`;
    },
  };
}

function version({ idcs }: Topology): Question {
  const names = idcs.map(({ name }) => name);
  return {
    ...{ id: 'version', when: 'steady', command: 'version', at: names, reads: false },
    question: 'Which versions run where?',
    witness: '`/server_info` of all Envoys',
    said: (output: CommandOutput) => {
      const { clients } = jsonOf<VersionJson>(output);
      return namesText(clients.map(({ idc, nodes, version: one }) => `${idc}: ${nodes.length} × ${one}`));
    },
    async envoys({ envoys }: { readonly envoys: Witnesses }) {
      const all = await Promise.all(
        names.map(async (idc) => {
          const versions = Map.groupBy(await envoys.versions(idc), (one) => one);
          return [...versions].map(([one, { length }]) => `${idc}: ${length} × ${one}`);
        }),
      );
      return namesText(all.flat());
    },
    shows: /sh-a: \d+ × 1\.\d+/,
  };
}
