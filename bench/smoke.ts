// Whether any cost has doubled: `node bench/smoke.ts`, in seconds, for CI. Each cost is compared with a
// trivial one that is measured alternately in the same process, so that a slow or busy machine does not
// change the verdict; the start of a command with that of a Node process that does nothing.
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../src/base/clock.ts';
import { silentLogger } from '../src/base/log.ts';
import { createIndex } from '../src/index/store.ts';
import { createPlanner } from '../src/plan/planner.ts';
import { Catalog } from '../src/translate/catalog.ts';
import { decodeJson, encodeJson, encodeResource, type ResourceJson } from '../src/xds/codec/codec.ts';
import { Hub } from '../src/xds/hub.ts';
import { clusterType, endpointType } from '../src/xds/resource-types.ts';
import { Session } from '../src/xds/stream/session.ts';
import { parseDeltaRequest } from '../src/xds/wire/discovery-messages.ts';
import { drGroup, idc, serviceEntry, upserts, workloadEntry } from '../test/index/fixture.ts';
import { measureStarts, type StartRow } from './smoke/starts.ts';
import { conclude } from './support/conclude.ts';
import { atMost, table } from './support/table.ts';

/** A cost to watch. */
interface Watched {
  readonly name: string;
  /** Its last known cost, in round trips of one ClusterLoadAssignment through JSON. */
  readonly usual: number;
  /** Does it several times; returns how often. */
  run(): number | Promise<number>;
}

/** A larger ratio fails. */
const fallMax = 2;
const rounds = 9;
const hostOf = (i: number) => `svc-${i}.mesh.example`;

function assignment(i: number, address: string): ResourceJson {
  const endpoint = (e: number) => ({
    endpoint: {
      address: {
        socket_address: { address: e === 0 ? address : `10.1.${i % 250}.${e}`, port_value: 8443 },
      },
    },
  });
  const lb_endpoints = Array.from({ length: 10 }, (_, e) => endpoint(e));
  return { '@type': endpointType, cluster_name: hostOf(i), endpoints: [{ lb_endpoints }] } as ResourceJson;
}

const cluster = (i: number) => ({ '@type': clusterType, name: hostOf(i), type: 'EDS' }) as ResourceJson;

const request = (json: object) => encodeJson('envoy.service.discovery.v3.DeltaDiscoveryRequest', json);

function subscribe(type_url: string, resource_names_subscribe: string[]): Buffer {
  return Buffer.from(request({ type_url, resource_names_subscribe }));
}

/**
 * Streams, one for each class given, that subscribe to these and have all; returns what answers all that they
 * were sent.
 */
function join(hub: Hub, classes: readonly string[], hello: readonly Buffer[]): () => number {
  // Responses are shared, so each answer is built once.
  const answers = new Map<Buffer, Buffer>();
  const answerTo = (bytes: Buffer) => {
    const known = answers.get(bytes);
    if (known !== undefined) return known;
    const { type_url, nonce } = decodeJson('envoy.service.discovery.v3.DeltaDiscoveryResponse', bytes) as {
      type_url: string;
      nonce: string;
    };
    const made = Buffer.from(request({ type_url, response_nonce: nonce }));
    answers.set(bytes, made);
    return made;
  };
  const outbox: [Session, Buffer][] = [];
  const settle = () => {
    let answered = 0;
    for (const [session, bytes] of outbox) {
      session.receiveDelta(parseDeltaRequest(answerTo(bytes)));
      answered += 1;
    }
    outbox.length = 0;
    answers.clear();
    return answered;
  };
  for (const [id, nodeClass] of classes.entries()) {
    const info = {
      id,
      node: { id: `n${id}` },
      nodeClass,
      protocol: 'delta',
      peer: { address: `${id}` },
    } as const;
    const session: Session = new Session(info, hub, {
      write: (bytes) => void outbox.push([session, bytes]),
      unreadBytes: () => 0,
      whenRead() {},
    });
    hub.join(session);
    for (const bytes of hello) session.receiveDelta(parseDeltaRequest(bytes));
  }
  while (settle() > 0);
  return settle;
}

function newHub(): Hub {
  return new Hub({
    random: () => 0.5,
    clock: systemClock,
    log: silentLogger,
    hooks: {},
    ready: true,
    // No pause between pushes, so that only the push is measured.
    holdoffMsMax: 0,
    answerWaitMsMax: 5000,
  });
}

/** 100 Groups that may leave sh-a together, and so many sidecars that use them. */
function groupsOnTheMove(streams: number) {
  const index = createIndex({ idc: 'sh-a' });
  const planner = createPlanner({ localIdc: 'sh-a', hopLimit: 1, loopPrevention: 'on' });
  const catalog = new Catalog();
  const numbers = Array.from({ length: 100 }, (_, i) => i);
  const endpoints = (i: number) =>
    Array.from({ length: 10 }, (_, e) => {
      return { address: `10.1.${i}.${e}`, ports: {}, labels: {}, locality: 'sh-a/z1' };
    });
  const group = (i: number) => serviceEntry(`ns${i % 20}/s${i}`, [hostOf(i)], { endpoints: endpoints(i) });
  const shop = drGroup('shop', numbers.map(hostOf));
  index.apply(upserts(idc('sh-a'), idc('sh-b'), shop, ...numbers.map(group)));
  const { idcs, groups } = index.view();
  catalog.updateContext(idcs, { localIdc: idcs.get('sh-a'), filters: {} });
  const all = { groups: new Set(groups.keys()), idcs: new Set(idcs.keys()) };
  catalog.update(planner.update(index.view(), all, 0));
  const hub = newHub();
  const outbound = { address: '127.0.0.1', port: 15001 };
  const classes = Array.from({ length: 20 }, (_, i) => `ns${i}`);
  for (const namespace of classes) {
    const built = catalog.open(namespace, { role: 'sidecar', idc: 'sh-a', namespace, outbound });
    hub.apply(
      namespace,
      built.map(({ message }) => ({ upsert: message })),
      { at: 0 },
    );
  }
  const names = numbers.map((i) => `instances/${hostOf(i)}:80`);
  const of = Array.from({ length: streams }, (_, i) => `ns${i % 20}`);
  const settle = join(hub, of, [subscribe(clusterType, ['*']), subscribe(endpointType, names)]);
  return { index, planner, catalog, hub, settle, meta: shop.meta };
}

/**
 * A step of an evacuation: 100 Groups, 1,000 sidecars of 20 namespaces that use five of them each, planned,
 * pushed and ACKed.
 */
function evacuating(): Watched {
  const streams = 1000;
  const { index, planner, catalog, hub, settle, meta } = groupsOnTheMove(streams);
  let change = 0;
  return {
    name: 'a step of an evacuation (100 Groups, 1,000 sidecars)',
    usual: 3048,
    async run() {
      change += 1;
      const spec = {
        idc: 'sh-a',
        groups: [],
        percent: 1 + (change % 99),
        expiresAt: 10,
        steps: [],
        stepMs: 1,
      };
      const delta = index.apply(upserts({ kind: 'Evacuation', meta, spec }));
      for (const [nodeClass, { upserts: built }] of catalog.update(planner.update(index.view(), delta, 0)))
        hub.apply(
          nodeClass,
          built.map(({ message }) => ({ upsert: message })),
          { at: change },
        );
      let answered = settle();
      while (answered < streams) {
        await sleep(1);
        answered += settle();
      }
      return 1;
    },
  };
}

/** One endpoint changes; 1,000 streams are sent that, and acknowledge it. */
function pushing(): Watched {
  const streams = 1000;
  const hub = newHub();
  const names = Array.from({ length: 1000 }, (_, i) => hostOf(i));
  const upsertAll = names.flatMap((_, i) => [{ upsert: cluster(i) }, { upsert: assignment(i, '10.0.0.1') }]);
  hub.apply('k', upsertAll, { at: 0 });
  const settle = join(
    hub,
    Array.from({ length: streams }, () => 'k'),
    [subscribe(clusterType, ['*']), subscribe(endpointType, names)],
  );
  let change = 0;
  return {
    name: 'a push to one stream, and its ACK (1,000 streams)',
    usual: 0.56,
    async run() {
      change += 1;
      hub.apply('k', [{ upsert: assignment(7, `10.9.${change >> 8}.${change & 255}`) }], { at: change });
      let answered = settle();
      while (answered < streams) {
        await sleep(1);
        answered += settle();
      }
      return streams;
    },
  };
}

/** One instance of 30,000 changes. */
function indexing(): Watched {
  const index = createIndex({ idc: 'sh-a' });
  const app = (i: number) => ({ env: 'prod', app: `app${i}` });
  const service = (i: number) => serviceEntry(`shop/s${i}`, [hostOf(i)], { workloadSelector: app(i) });
  const workload = (i: number, address: string) => workloadEntry(`shop/w${i}`, app(i), { address });
  const numbers = Array.from({ length: 30_000 }, (_, i) => i);
  index.apply(upserts(...numbers.map(service), ...numbers.map((i) => workload(i, '10.0.0.1'))));
  let change = 0;
  return {
    name: 'an event in the index (30,000 x 30,000)',
    usual: 2.65,
    run() {
      for (let i = 0; i < 500; i++) {
        change += 1;
        index.apply(upserts(workload((change * 7) % 30_000, `10.9.${(change >> 8) % 250}.${change & 255}`)));
      }
      return 500;
    },
  };
}

/** A ClusterLoadAssignment that nobody has seen is encoded. */
function encoding(): Watched {
  let change = 0;
  return {
    name: 'encoding a ClusterLoadAssignment of 10',
    usual: 2.75,
    run() {
      for (let i = 0; i < 500; i++) {
        change += 1;
        encodeResource(assignment(i, `10.8.${(change >> 8) % 250}.${change & 255}`));
      }
      return 500;
    },
  };
}

/** The trivial cost. */
function baseline(): number {
  const sample = assignment(1, '10.0.0.1');
  for (let i = 0; i < 2000; i++) JSON.parse(JSON.stringify(sample));
  return 2000;
}

async function cpuUs(run: () => number | Promise<number>): Promise<number> {
  const before = process.cpuUsage();
  const times = await run();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / times;
}

async function measure({ name, usual, run }: Watched) {
  // The least of several rounds: what disturbs a round only ever adds to it.
  let [least, unit] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let round = 0; round < rounds; round++) {
    least = Math.min(least, await cpuUs(run));
    unit = Math.min(unit, await cpuUs(baseline));
  }
  return { name, us: least, unit, ratio: least / unit, usual };
}

const rows: Awaited<ReturnType<typeof measure>>[] = [];
for (const make of [pushing, indexing, encoding, evacuating]) rows.push(await measure(make()));
console.log(
  table<(typeof rows)[0]>(
    [
      ['cost', ({ name }) => name],
      ['CPU µs', ({ us }) => Number(us.toFixed(2))],
      ['in round trips through JSON', ({ ratio }) => Number(ratio.toFixed(2))],
      ['usually', ({ usual }) => usual],
    ],
    rows,
  ),
);

const starts = await measureStarts();
console.log(
  table<StartRow>(
    [
      ['start', ({ name }) => name],
      ['CPU ms', ({ ms }) => Math.round(ms)],
      ['in starts of a bare Node', ({ ratio }) => Number(ratio.toFixed(2))],
      ['usually', ({ usual }) => usual],
    ],
    starts,
  ),
);
conclude([
  ...rows.flatMap(({ name, ratio, usual }) => atMost(name, ratio, fallMax * usual, 'x JSON')),
  ...starts.flatMap(({ name, ratio, usual }) => atMost(name, ratio, fallMax * usual, 'x Node')),
]);
