import type { Topology } from '../../../world/topology.ts';
import { endpointsText, scopeText } from '../config-dump.ts';
import { halfDead, namesText } from '../names.ts';
import { jsonOf, type Question, type QuestionEvidence } from '../question.ts';
import { clustersOf } from '../witnesses.ts';

interface DiffJson {
  readonly classes: readonly {
    readonly nodes: number;
    readonly changed: Readonly<Record<string, readonly string[]>>;
    readonly added: object;
    readonly removed: object;
  }[];
}

interface ConfigJson {
  readonly resources: readonly {
    readonly type: string;
    readonly name: string;
    readonly state: string;
    readonly acked?: string;
    readonly content?: object;
    readonly refusal?: string;
  }[];
}

interface InstanceJson {
  readonly name: string;
  readonly state: string;
}

/** The questions that `isthmus diff`, `config` and `instances` answer. */
export function changeQuestions(topology: Topology): readonly Question[] {
  return [
    proposed(),
    accepted,
    {
      ...{ id: 'config-refused', when: 'half dead', command: 'config caller --type lds', reads: false },
      question: 'What does this proxy refuse, and why?',
      witness: 'the error state in `/config_dump` of the proxy',
      said: (output) => {
        const [{ resources } = { resources: [] }] = jsonOf<ConfigJson[]>(output);
        const refused = resources.filter(({ state }) => state === 'NACKED');
        return namesText(refused.map(({ name, refusal = '' }) => `${name}: ${causeIn(refusal)}`));
      },
      envoys: async ({ envoys }) => {
        const dump = await envoys.dump(halfDead, 'caller');
        return namesText(
          dump.flatMap(({ name, error }) => (error === undefined ? [] : [`${name}: ${causeIn(error)}`])),
        );
      },
      shows: /^tcp\/ledger\.shop:\S+: cannot bind/,
    },
    {
      ...{ id: 'config-accepted', when: 'recovery', command: 'config caller --type lds', reads: false },
      question: 'Has the proxy accepted everything again?',
      witness: 'the error states in `/config_dump` of the proxy',
      said: (output) => {
        const [{ resources } = { resources: [] }] = jsonOf<ConfigJson[]>(output);
        const behind = resources.filter(({ state }) => state !== 'SYNCED').map(({ name }) => name);
        return `not accepted: ${namesText(behind)}; exit ${output.code}`;
      },
      envoys: async ({ envoys }) => {
        const dump = await envoys.dump(halfDead, 'caller');
        const behind = dump.flatMap(({ name, error }) => (error === undefined ? [] : [name]));
        return `not accepted: ${namesText(behind)}; exit ${behind.length === 0 ? 0 : 1}`;
      },
      shows: /^not accepted: none/,
    },
    registered(topology),
  ];
}

const accepted: Question = {
  ...{ id: 'config', when: 'half dead', command: 'config caller', reads: false },
  question: 'What has this proxy, in which versions, and which endpoints?',
  witness: '`/config_dump` of the proxy',
  said: (output) => {
    const [{ resources } = { resources: [] }] = jsonOf<ConfigJson[]>(output);
    const synced = resources.filter(({ state }) => state === 'SYNCED');
    return versionsText(
      synced.map(({ type, name, acked = '', content = {} }) => {
        if (type === 'EDS') return { type, name, version: endpointsText(content) };
        return { type, name, version: type === 'SRDS' ? scopeText(content) : acked };
      }),
    );
  },
  async envoys({ envoys }) {
    const dump = await envoys.dump(halfDead, 'caller');
    // These clusters have no endpoints by EDS: Envoy lists them with all others.
    return versionsText(
      dump.filter(({ type, name }) => type !== 'EDS' || !/^(failover|tunnel)\//.test(name)),
    );
  },
  shows: /CDS .*EDS .*LDS .*RDS .*SRDS /,
};

/** The proxies that take a push of endpoints after the change, against those that were foretold. */
function proposed(): Question {
  const { instances } = clustersOf('catalog.shop');
  let before: ReadonlyMap<string, number> | undefined;
  const text = (count: number) => `EDS ${instances} to ${count} proxies`;
  return {
    ...{ id: 'diff', when: 'steady', command: 'diff DIR', isAhead: true, reads: false },
    question: 'What would this change push, and to whom?',
    witness: '`update_success` of the cluster at all Envoys, before and after the change is made',
    said: (output) => {
      const [{ classes } = { classes: [] }] = jsonOf<DiffJson[]>(output);
      const nodes = classes.reduce((sum, one) => sum + one.nodes, 0);
      const changed = classes.flatMap((one) => Object.entries(one.changed));
      const names = namesText(changed.flatMap(([type, list]) => list.map((name) => `${type} ${name}`)));
      const others = classes.some(({ added, removed }) => Object.keys({ ...added, ...removed }).length > 0);
      return `${names} to ${nodes} proxies${others ? ', and more' : ''}`;
    },
    async envoys({ envoys }: QuestionEvidence) {
      const now = await envoys.endpointUpdates(halfDead, instances);
      // It is called for the first time before the change is made.
      before ??= now;
      const earlier = before;
      return text([...now].filter(([name, count]) => count > (earlier.get(name) ?? count)).length);
    },
    shows: /to [1-9]\d* proxies/,
  };
}

function registered({ groups }: Topology): Question {
  const registering = groups.filter((group) => group.registers).map(({ name }) => name);
  const [first = ''] = registering;
  return {
    ...{ id: 'instances', when: 'half dead', command: 'instances', reads: false },
    question: 'Which instances are registered?',
    witness: '`/clusters` of its sidecar and gateways',
    said: (output) =>
      namesText(
        jsonOf<InstanceJson[]>(output).flatMap(({ name, state }) =>
          state === 'leaving' ? [] : [`${halfDead}/${name}`],
        ),
      ),
    async envoys({ envoys }) {
      const seen = await envoys.hosts(halfDead, ['ingress', 'caller'], clustersOf(`${first}.shop`).instances);
      return namesText(seen.flat().map(({ name }) => name));
    },
    shows: /^sh-a\/orders-1$/,
  };
}

/** Resources with their versions, those that were accepted. */
function versionsText(
  list: readonly { readonly type: string; readonly name: string; readonly version?: string }[],
): string {
  return namesText(
    list.flatMap(({ type, name, version = '' }) => (version === '' ? [] : [`${type} ${name} ${version}`])),
  );
}

/** The cause in Envoy's message, which stands between other words in a refusal. */
function causeIn(message: string): string {
  return /cannot bind '[^']*': [\w ]+/.exec(message)?.[0].trim() ?? message.trim();
}
