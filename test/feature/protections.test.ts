import { createServer, type Server } from 'node:http';
import { createServer as createHttp2Server, type Http2Server } from 'node:http2';
import t from 'tap';
import { visitedHeader } from '../../src/model/trail.ts';
import type { ListenAddress } from '../../src/model/values/listen-address.ts';
import {
  type Loose,
  type PatchedOptions,
  startPatched,
  withoutTrailFilters,
} from '../support/envoys/patched.ts';
import { freeAddress, get, until } from '../support/mesh.ts';

// Each protection twice on a real Envoy: as it is pushed, and with that one setting altered.

/** What listens at an address, and can be taken away and put back. */
interface Stand {
  readonly at: ListenAddress;
  /** Requests that it has answered. */
  served: number;
  isUp(): boolean;
  up(): Promise<void>;
  down(): Promise<void>;
}

function stand(at: ListenAddress, create: (served: () => void) => Server | Http2Server): Stand {
  let server: Server | Http2Server | undefined;
  const sockets = new Set<{ destroy(): void }>();
  const self: Stand = {
    at,
    served: 0,
    isUp: () => server?.listening === true,
    up: () =>
      new Promise((resolve) => {
        server = create(() => {
          self.served += 1;
        });
        server.on('connection', (socket: { destroy(): void }) => sockets.add(socket));
        server.listen(at.port, at.address, resolve);
      }),
    down: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        sockets.clear();
        if (server?.listening) server.close(() => resolve());
        else resolve();
      }),
  };
  return self;
}

/** An instance that answers its name. */
async function instance(name: string): Promise<Stand> {
  const one = stand(await freeAddress(), (served) =>
    createServer((request, response) => {
      if (request.url !== '/up') served();
      response.end(name);
    }),
  );
  await one.up();
  return one;
}

/** Stands where an egress gateway would: what arrives there would have left the IDC. */
async function gateway(): Promise<Stand> {
  return stand(await freeAddress(), (served) => {
    const server = createHttp2Server();
    server.on('stream', (stream) => {
      served();
      stream.respond({ ':status': 200 });
      stream.end('left');
    });
    return server;
  });
}

/**
 * An Idc, whose egress gateways stand for the sidecars' port or for the ingress gateways'; nobody is at the
 * other.
 */
function idc(
  name: string,
  egress: readonly ListenAddress[],
  used: 'sidecarPort' | 'ingressPort' = 'sidecarPort',
): string {
  const unused = used === 'sidecarPort' ? 'ingressPort' : 'sidecarPort';
  const gateways = egress.map(
    ({ address, port }, i) => `{address: ${address}, ${used}: ${port}, ${unused}: ${10 + i}}`,
  );
  return `
apiVersion: isthmus.dev/v1alpha1
kind: Idc
metadata: {name: ${name}}
spec:
  ingress: [{address: 127.0.0.1, edgePort: 1, peerPort: 2}]
  egress: [${gateways.join(', ')}]
---`;
}

/** A Group and its instances in sh-a; without IDCs in no DR group, and without retries. */
function group(idcs: readonly string[], traffic: string, instances: readonly Stand[]): string {
  const listed = instances.map(
    ({ at }) => `{address: ${at.address}, ports: {main: ${at.port}}, locality: sh-a}`,
  );
  const drGroup = `
apiVersion: isthmus.dev/v1alpha1
kind: DrGroup
metadata: {name: all}
spec: {hosts: [one.test], idcs: [${idcs.map((name) => `{name: ${name}}`).join(', ')}], hopLimit: 2, traffic: ${traffic}}
---`;
  return `${idcs.length === 0 ? '' : drGroup}
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: one, namespace: test${idcs.length === 0 ? ", annotations: {isthmus.dev/retries: '0'}" : ''}}
spec:
  hosts: [one.test]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{number: 80, name: main, protocol: HTTP}]
  endpoints: [${listed.join(', ')}]
`;
}

/** Starts a caller's sidecar in sh-a. */
async function startSidecar(t: Tap, yaml: string, patch?: PatchedOptions['patch']) {
  const outbound = await freeAddress();
  const scope = { role: 'sidecar', idc: 'sh-a', namespace: 'test', outbound } as const;
  const patched = await startPatched({ scope, yaml, ...(patch && { patch }) });
  t.teardown(() => patched.close());
  const ask = () => get(outbound, '/', { host: 'one.test' });
  return { ...patched, ask };
}
type Tap = { teardown(end: () => Promise<void>): void };

/** Alters the cluster of that name. */
const cluster = (name: string, alter: (cluster: Loose) => void) => (message: Loose) => {
  if (message['@type'].endsWith('.Cluster') && message.name === name) alter(message);
};

t.test('the last egress gateway is not ejected', async (t) => {
  const [one, other] = [await gateway(), await gateway()];
  const yaml = idc('sh-a', [one.at, other.at]) + idc('sh-b', [await freeAddress()]);
  const text = yaml + group(['sh-a', 'sh-b'], '{retries: 0}', []);
  const both = async (what: 'up' | 'down') => {
    await one[what]();
    await other[what]();
  };
  t.teardown(() => both('down'));

  /**
   * Both gateways die; requests tell; they come back: whether the next requests are served, by the last at
   * least.
   */
  async function isUsedWhenBack({ ask }: { ask: () => ReturnType<typeof get> }): Promise<boolean> {
    await both('down');
    for (let i = 0; i < 12; i += 1) await ask();
    await both('up');
    return (await ask()).status === 200;
  }

  const asPushed = await startSidecar(t, text);
  for (let i = 0; i < 5; i += 1) t.ok(await isUsedWhenBack(asPushed), 'as it is pushed');
  const altered = await startSidecar(
    t,
    text,
    cluster('egress', (egress) => {
      egress.outlier_detection.max_ejection_percent = 100;
    }),
  );
  await until('with 100 % the last one is ejected too, and is not used when it is back', async () => {
    return !(await isUsedWhenBack(altered));
  });
});

t.test('an instance that was removed gets nothing, though its checks pass', async (t) => {
  const [stays, leaves] = [await instance('stays'), await instance('leaves')];
  t.teardown(async () => {
    await stays.down();
    await leaves.down();
  });
  const head = idc('sh-a', [await freeAddress()]) + idc('sh-b', [await freeAddress()]);
  const checked = "{health: {path: /up, interval: '1s'}}";
  const both = head + group(['sh-a', 'sh-b'], checked, [stays, leaves]);
  const without = head + group(['sh-a', 'sh-b'], checked, [stays]);

  /** Requests of 40 that still go to it once its removal has been ACKed. */
  async function toRemoved(patch?: PatchedOptions['patch']): Promise<number> {
    const sidecar = await startSidecar(t, both, patch);
    const before = leaves.served;
    await until('both serve', async () => {
      await sidecar.ask();
      return leaves.served > before;
    });
    await sidecar.save(without);
    const removed = leaves.served;
    for (let i = 0; i < 40; i += 1) t.equal((await sidecar.ask()).status, 200);
    return leaves.served - removed;
  }

  t.equal(await toRemoved(), 0, 'as it is pushed');
  const altered = cluster('instances/one.test:80', (instances) => {
    delete instances.ignore_health_on_host_removal;
  });
  t.ok((await toRemoved(altered)) > 0, 'without ignore_health_on_host_removal');
});

t.test('a second ejection counts at once', async (t) => {
  const [x, y, z] = [await instance('x'), await instance('y'), await instance('z')];
  // In no DR group: with a third of its instances alive it would send requests away.
  const yaml = group([], '', [x, y, z]);
  t.teardown(async () => {
    for (const one of [x, y, z]) await one.down();
  });

  /** Two instances die, one after the other: how many of the 60 requests after the second's death fail. */
  async function failures({ ask }: { ask: () => ReturnType<typeof get> }): Promise<number> {
    for (const one of [x, y]) if (!one.isUp()) await one.up();
    await until('all three serve', async () => {
      const bodies = new Set<string>();
      for (let i = 0; i < 20; i += 1) bodies.add((await ask()).body);
      return ['x', 'y', 'z'].every((name) => bodies.has(name));
    });
    await x.down();
    // Three failures eject it.
    for (let failed = 0; failed < 3; ) if ((await ask()).status !== 200) failed += 1;
    await y.down();
    let failed = 0;
    for (let i = 0; i < 60; i += 1) if ((await ask()).status !== 200) failed += 1;
    return failed;
  }

  // Three that eject it, and what is under way between the main thread and the worker.
  const asPushed = await startSidecar(t, yaml);
  const few = await failures(asPushed);
  t.ok(few >= 3 && few <= 12, `as it is pushed: ${few} failed`);
  const altered = await startSidecar(
    t,
    yaml,
    cluster('instances/one.test:80', (instances) => {
      delete instances.common_lb_config.update_merge_window;
    }),
  );
  // Envoy holds the second one back for a second, by its default.
  await until("with Envoy's default requests go on to fail", async () => (await failures(altered)) >= 16);
});

t.test('a retry finds the healthy one of two instances, however busy it is', async (t) => {
  const dead = await freeAddress();
  const held: { end(): void }[] = [];
  const busy = stand(await freeAddress(), () =>
    createServer((request, response) => {
      if (request.url === '/hold') held.push(response);
      else response.end('busy');
    }),
  );
  await busy.up();
  t.teardown(() => busy.down());
  const one = group([], '', [busy, { ...busy, at: dead }]).replace("retries: '0'", "retries: '1'");
  const yaml = idc('sh-a', [await freeAddress()]) + one;

  /** Whether a request is served while nothing is ejected and the living one has requests under way. */
  async function startBusy(selections?: string) {
    const outbound = await freeAddress();
    const scope = { role: 'sidecar', idc: 'sh-a', namespace: 'test', outbound } as const;
    const { close } = await startPatched({
      scope,
      yaml,
      patch(message: Loose) {
        if (message['@type'].endsWith('.Cluster')) delete message.outlier_detection;
        if (selections !== undefined) replaceAll(message, 'host_selection_retry_max_attempts', selections);
      },
    });
    t.teardown(close);
    const before = held.length;
    for (let i = 0; i < 4; i += 1) get(outbound, '/hold', { host: 'one.test' }).catch(() => {});
    await until('requests are under way', async () => held.length >= before + 4);
    return async () => (await get(outbound, '/', { host: 'one.test' })).status === 200;
  }

  const asPushed = await startBusy();
  let failed = 0;
  for (let i = 0; i < 1000; i += 1) if (!(await asPushed())) failed += 1;
  t.equal(failed, 0, 'as it is pushed');
  const altered = await startBusy('16');
  await until('with 16 picks a retry meets the dead one again', async () => !(await altered()));
  for (const response of held) response.end();
});

/** Sets each field of that name, however deep. */
function replaceAll(value: Loose, name: string, to: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  for (const key of Object.keys(value)) {
    if (key === name) value[key] = to;
    else replaceAll(value[key], name, to);
  }
}

t.test("the peer listener's routes lead to no other IDC by themselves", async (t) => {
  const egress = await gateway();
  await egress.up();
  t.teardown(() => egress.down());
  const names = ['sh-a', 'sh-b', 'bj-c'];
  const yaml = names.map((name) => idc(name, [egress.at], 'ingressPort')).join('') + group(names, '{}', []);

  /** An ingress gateway of sh-b whose peer listener has lost its filter; nobody serves the Group there. */
  async function startPeer(loopPrevention: 'on' | 'off') {
    const [edge, peer] = [await freeAddress(), await freeAddress()];
    const { close } = await startPatched({
      scope: { role: 'ingress', idc: 'sh-b', edge, peer },
      yaml,
      hopLimit: 2,
      loopPrevention,
      patch: withoutTrailFilters,
    });
    t.teardown(close);
    /** Whether a request left the IDC; `visited` is what the filter would have named. */
    const leaves = async (visited?: string): Promise<boolean> => {
      const before = egress.served;
      const headers = { ...(visited === undefined ? {} : { [visitedHeader]: visited }) };
      const { status } = await get(peer, '/', { host: 'one.test', headers });
      t.equal(status, egress.served > before ? 200 : 503, `${loopPrevention}: ${visited}`);
      return egress.served > before;
    };
    return leaves;
  }

  const leaves = await startPeer('on');
  t.equal(await leaves('sh-a,sh-b'), true, 'one crossing is left');
  t.equal(await leaves('bj-c,sh-a,sh-b'), false, 'at the hop limit');
  t.equal(await leaves(), false, 'no filter has named what it visited');
  t.equal(await leaves('_unknown'), false, 'an IDC that is not known');
  const leavesAnyway = await startPeer('off');
  t.equal(await leavesAnyway('bj-c,sh-a,sh-b'), true);
  t.equal(await leavesAnyway(), true);
});
