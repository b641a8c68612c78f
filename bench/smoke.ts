// Has anything become twice as slow? `node bench/smoke.ts`: seconds, for CI. Each cost is held against a trivial one
// that is measured by turns with it in the same process, so that a slow or busy machine changes neither verdict.
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../src/base/clock.ts';
import { silentLogger } from '../src/base/log.ts';
import { createIndex } from '../src/index/store.ts';
import { decodeJson, encodeJson, encodeResource, type ResourceJson } from '../src/serve/codec.ts';
import { Hub } from '../src/serve/hub.ts';
import { Session } from '../src/serve/session.ts';
import { clusterType, endpointType } from '../src/serve/types.ts';
import { parseDeltaRequest } from '../src/serve/wire.ts';
import { serviceEntry, upserts, workloadEntry } from '../test/index/fixture.ts';
import { table } from './support/table.ts';

/** A cost that is watched. */
interface Watched {
  readonly name: string;
  /** What it costs in round trips of one ClusterLoadAssignment through JSON, when last looked at. */
  readonly usual: number;
  /** Does it some times over; returns how many. */
  run(): number | Promise<number>;
}

/** A fall of more than this fails. */
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

/** One endpoint changes; 1,000 streams are sent that, and acknowledge it. */
function pushing(): Watched {
  const streams = 1000;
  const hub = new Hub({
    random: () => 0.5,
    clock: systemClock,
    log: silentLogger,
    hooks: {},
    ready: true,
    // No pause between pushes: nothing but the push is measured.
    holdoffMsMax: 0,
    answerWaitMsMax: 5000,
  });
  const names = Array.from({ length: 1000 }, (_, i) => hostOf(i));
  const upsertAll = names.flatMap((_, i) => [{ upsert: cluster(i) }, { upsert: assignment(i, '10.0.0.1') }]);
  hub.apply('k', upsertAll, 0);
  const request = (json: object) => encodeJson('envoy.service.discovery.v3.DeltaDiscoveryRequest', json);
  // Responses are shared: what answers one is made once.
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
  const subscribe = (type_url: string, resource_names_subscribe: string[]) =>
    Buffer.from(request({ type_url, resource_names_subscribe }));
  const hello = [subscribe(clusterType, ['*']), subscribe(endpointType, names)];
  for (let id = 1; id <= streams; id++) {
    const info = {
      id,
      node: { id: `n${id}` },
      nodeClass: 'k',
      protocol: 'delta',
      peer: { address: '' },
    } as const;
    const session: Session = new Session(info, hub, {
      write: (bytes) => void outbox.push([session, bytes]),
      isClogged: () => false,
    });
    hub.join(session);
    for (const bytes of hello) session.receiveDelta(parseDeltaRequest(bytes));
  }
  while (settle() > 0);
  let change = 0;
  return {
    name: 'a push to one stream, and its ACK (1,000 streams)',
    usual: 0.56,
    async run() {
      change += 1;
      hub.apply('k', [{ upsert: assignment(7, `10.9.${change >> 8}.${change & 255}`) }], change);
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
for (const make of [pushing, indexing, encoding]) rows.push(await measure(make()));
const isSlow = ({ ratio, usual }: (typeof rows)[0]) => ratio > fallMax * usual;
console.log(
  table<(typeof rows)[0]>(
    [
      ['cost', ({ name }) => name],
      ['CPU µs', ({ us }) => Number(us.toFixed(2))],
      ['in round trips through JSON', ({ ratio }) => Number(ratio.toFixed(2))],
      ['usually', ({ usual }) => usual],
      ['', (row) => (isSlow(row) ? 'MORE THAN TWICE AS SLOW' : 'ok')],
    ],
    rows,
  ),
);
if (rows.some(isSlow)) process.exitCode = 1;
