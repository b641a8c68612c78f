import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { sleep, systemClock } from '../../src/base/clock.ts';
import { seededRandom } from '../../src/base/random.ts';
import { runLoad } from '../../src/drill/load/load.ts';
import { machineClock } from '../../src/drill/time.ts';
import { serveWebsocket } from '../../src/drill/upstream/upstream-websocket.ts';
import type { ListenAddress } from '../../src/model/values/listen-address.ts';
import { type Loose, type PatchedOptions, startPatched } from '../support/envoys/patched.ts';
import { freeAddress, get, until } from '../support/mesh.ts';

// Gray failures: an instance that passes its checks and fails a part of its requests. Each on a real Envoy
// with the values that are pushed, and beside it with one of them altered.

// They need time more than anything else.
t.jobs = 2;

/** Requests a second of a load that is not more than a busy machine bears. */
const few = 90;

/** Requests a second of which each of three instances has the volume that is pushed. */
const enough = 180;

/** Seconds in which a busy machine comes to what takes five on a quiet one. */
const atLast = 120;

/**
 * As pushed, but that fewer requests in less time are enough, and that no test outlives an ejection. Three
 * instances have 180 requests each in 6 s, the one that hangs a third of that: a machine that is too busy to
 * send all of them has enough. What these numbers must be is `test/plan/health/outlier.test.ts`'s.
 */
const soon = (message: Loose) => {
  const outlier = outlierOf(message);
  if (!outlier) return;
  Object.assign(outlier, { failure_percentage_request_volume: 40, interval: '6s' });
  Object.assign(outlier, { base_ejection_time: '300s', max_ejection_time: '300s' });
};

interface GrayApp {
  readonly at: ListenAddress;
  /** When each request came that is no check. */
  readonly served: number[];
}

const servers: Server[] = [];
t.teardown(() => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
});

/**
 * An instance whose checks always pass. Of its requests it fails a share with `status`, or never answers
 * where that is 'hang'.
 */
async function app(share = 0, status: number | 'hang' = 503, seed = 1): Promise<GrayApp> {
  const random = seededRandom(seed);
  const served: number[] = [];
  const server = createServer((request, response) => {
    if (request.url === '/up') return response.end();
    served.push(systemClock.now());
    if (random() >= share) return response.end('ok');
    if (status === 'hang') return undefined;
    return response.writeHead(status).end();
  });
  server.on('upgrade', (request, socket) => serveWebsocket(request, socket, [], () => {}));
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { at: { address: '127.0.0.1', port: (server.address() as AddressInfo).port }, served };
}

function group(instances: readonly GrayApp[], annotations = ''): string {
  const endpoints = instances.map(
    ({ at }) => `{address: ${at.address}, ports: {http: ${at.port}}, locality: sh-a}`,
  );
  return `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: gray, namespace: test, annotations: {isthmus.dev/health-path: /up${annotations}}}
spec:
  hosts: [gray.test]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{number: 80, name: http, protocol: HTTP}]
  endpoints: [${endpoints.join(', ')}]
`;
}

/** A caller's sidecar with a load on it. */
async function start(t: Tap, yaml: string, patch: PatchedOptions['patch'], rate = few) {
  const outbound = await freeAddress();
  const scope = { role: 'sidecar', idc: 'sh-a', namespace: 'test', outbound } as const;
  const { envoy, close } = await startPatched({ scope, yaml, ...(patch && { patch }) });
  t.teardown(close);
  await until('it answers', async () => (await get(outbound, '/', { host: 'gray.test' })).status < 600);
  const waiting = new Set<Promise<unknown>>();
  const send = () => {
    const answer = get(outbound, '/', { host: 'gray.test' }).catch(() => {});
    waiting.add(answer);
    void answer.finally(() => waiting.delete(answer));
  };
  return {
    outbound,
    /** Resolves when all that was sent has been answered. */
    answered: () => until('all is answered', async () => waiting.size === 0),
    /** Ports of the instances that are ejected now. */
    async ejected(): Promise<number[]> {
      const { cluster_statuses } = JSON.parse(await envoy.admin('/clusters?format=json'));
      const instances = cluster_statuses.find(({ name }: Loose) => name.startsWith('instances/gray.test'));
      return instances.host_statuses
        .filter(({ health_status }: Loose) => health_status.failed_outlier_check)
        .map(({ address }: Loose) => address.socket_address.port_value);
    },
    /**
     * Sends what there is of the load in so many seconds, or until `done` is told so; says whether it was. A
     * machine that stands still sends it later.
     */
    async load(seconds: number, done: () => Promise<boolean> = async () => false): Promise<boolean> {
      const from = systemClock.now();
      const all = Math.floor(seconds * rate);
      let [sent, isDone] = [0, false];
      while (!isDone && sent < all) {
        const due = Math.min(all, Math.floor(((systemClock.now() - from) * rate) / 1000));
        for (; sent < due; sent += 1) send();
        await sleep(systemClock, 50);
        isDone = await done();
      }
      return isDone;
    },
  };
}

type Tap = { teardown(fn: () => unknown): void };

const outlierOf = (message: Loose) =>
  message.name?.startsWith('instances/gray.test') ? message.outlier_detection : undefined;

/** What was pushed before: failures in a row alone, forgiven by the next check that passes. */
const before = (message: Loose) => {
  soon(message);
  const outlier = outlierOf(message);
  if (outlier) outlier.enforcing_failure_percentage = 0;
};

for (const [what, share, status, annotations] of [
  ['fails 5 % of its requests', 0.05, 503, ''],
  ['fails 5 % of its requests with 500', 0.05, 500, ''],
  ['hangs for a tenth of them', 0.1, 'hang', ', isthmus.dev/per-try-timeout: 2s'],
] as const) {
  t.test(
    `one of three ${what}: it is out within seconds, and its checks do not bring it back`,
    { buffered: true },
    async (t) => {
      const apps = [await app(), await app(share, status), await app()];
      const sick = apps[1] as GrayApp;
      const { ejected, load, answered } = await start(t, group(apps, annotations), soon);
      const isOut = async () => (await ejected()).length > 0;
      t.ok(await load(atLast, isOut), 'it is found');
      t.strictSame(await ejected(), [sick.at.port]);
      // What waited for it when it was ejected may be late.
      await answered();
      const at = systemClock.now();
      await load(6);
      await answered();
      const [first, later, third] = apps.map(({ served }) => served.filter((when) => when > at).length);
      t.equal(later, 0, 'it has no request');
      t.ok(Number(first) > 10 && Number(third) > 10, `the others have ${first} and ${third}`);
      t.strictSame(await ejected(), [sick.at.port], 'all the time');
    },
  );
}

t.test('without the failure percentage no instance is found', { buffered: true }, async (t) => {
  const apps = [await app(), await app(0.05), await app()];
  const { ejected, load } = await start(t, group(apps), before);
  t.notOk(await load(15, async () => (await ejected()).length > 0));
});

t.test('a check that passes would bring it back', { buffered: true }, async (t) => {
  const apps = [await app(), await app(0.05), await app()];
  const { ejected, load } = await start(t, group(apps), (message) => {
    soon(message);
    const outlier = outlierOf(message);
    if (outlier) delete outlier.successful_active_health_check_uneject_host;
  });
  t.ok(await load(atLast, async () => (await ejected()).length > 0), 'it is found');
  t.ok(await load(30, async () => (await ejected()).length === 0), 'and is back, long before its time');
});

t.test('1 % of failures everywhere: nobody is ejected', { buffered: true }, async (t) => {
  const apps = [await app(0.01, 503, 1), await app(0.01, 503, 2), await app(0.01, 503, 3)];
  const { ejected, load } = await start(t, group(apps), undefined, enough);
  t.notOk(await load(25, async () => (await ejected()).length > 0));
});

t.test(
  '30 requests a second with 1 % of failures: a share of so few says nothing',
  { buffered: true },
  async (t) => {
    const apps = [await app(0.01, 503, 1), await app(0.01, 503, 2), await app(0.01, 503, 3)];
    const slow = await start(t, group(apps), undefined, 30);
    t.notOk(await slow.load(20, async () => (await slow.ejected()).length > 0), 'nobody is ejected');
    const hasty = await start(
      t,
      group(apps),
      (message) => {
        const outlier = outlierOf(message);
        if (outlier) Object.assign(outlier, { failure_percentage_request_volume: 20, interval: '2.5s' });
      },
      30,
    );
    t.ok(await hasty.load(atLast, async () => (await hasty.ejected()).length > 0), 'of 20 one is enough');
  },
);

t.test('a failure common to all four instances ejects at most two', { buffered: true }, async (t) => {
  const apps = await Promise.all([1, 2, 3, 4].map((seed) => app(0.2, 503, seed)));
  const { ejected, load } = await start(t, group(apps), soon);
  let most = 0;
  const isOut = async (count: number) => {
    most = Math.max(most, (await ejected()).length);
    return most >= count;
  };
  await load(atLast, () => isOut(2));
  await load(10, () => isOut(3));
  t.equal(most, 2);
});

t.test('the end of a WebSocket connection is no failure of its instance', { buffered: true }, async (t) => {
  /** Who is ejected for some 300 websockets, each closed by its client after 20 ms; or for more of them. */
  const after = async (rounds: number, patch?: PatchedOptions['patch']) => {
    const apps = [await app(), await app(), await app()];
    const { outbound, ejected } = await start(t, group(apps), (message) => {
      soon(message);
      // So few that on a busy machine no twenty end in a row.
      const outlier = outlierOf(message);
      if (outlier) outlier.failure_percentage_request_volume = 12;
      patch?.(message);
    });
    const errors: string[] = [];
    let out = 0;
    for (let round = 0; round < rounds && out === 0; round += 1) {
      await runLoad(
        {
          stream: `websockets-${outbound.port}-${round}`,
          ...{ startAtMs: machineClock.now(), durationMs: 8_000, ratePerSecond: 36, seed: 1 },
          ...{
            hosts: ['gray.test'],
            path: '/',
            tiers: [[outbound]],
            timeoutMs: 20_000,
            connectTimeoutMs: 5_000,
          },
          mix: [{ name: 'websocket', kind: 'websocket', weight: 1, everyMs: 20, lastsMs: [20, 20] }],
        },
        machineClock,
        ({ error }) => error !== '' && errors.push(error),
      );
      out = (await ejected()).length;
    }
    t.strictSame(errors, []);
    return out;
  };
  t.equal(await after(1), 0);
  const unsplit = await after(10, (message) => {
    const outlier = outlierOf(message);
    if (outlier) outlier.split_external_local_origin_errors = false;
  });
  t.equal(unsplit, 1, 'where answers and connections are one, half of all that happens has failed');
});
