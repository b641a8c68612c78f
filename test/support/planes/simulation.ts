import { mkdtempSync, rmSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../../src/base/clock.ts';
import { type Logger, silentLogger } from '../../../src/base/log.ts';
import { openFailbackStore } from '../../../src/failback/store.ts';
import type { MeshObject } from '../../../src/model/object.ts';
import { startControlPlane } from '../../../src/plane/controlplane.ts';
import type { ControlPlane } from '../../../src/plane/types.ts';
import { createEvacuationsSource } from '../../../src/registry/evacuations/evacuations-source.ts';
import { createRegistrationsSource } from '../../../src/registry/registrations/registrations-source.ts';
import { createPolicyCompiler } from '../../../src/trail/compile.ts';
import { drGroup, idc, service, workload } from '../../registry/objects.ts';
import { readBody } from '../../registry/registrations/registration-world.ts';
import { type Follower, follow } from '../clients/follower.ts';
import { connectXds } from '../clients/xds-client.ts';
import { type ManualClock, manualClock } from '../manual-clock.ts';
import { until } from '../mesh.ts';
import { createRawSource } from './raw-source.ts';

/** A control plane whose time is simulated; its clients, its files and what it asks are real. */
export interface Simulation {
  readonly clock: ManualClock;
  readonly plane: ControlPlane;
  /** Errors that it has logged. */
  readonly errors: readonly string[];
  /**
   * The time passes at once by `quietMs`, then second by second while clients come and go, leases end, the
   * home is lost and comes back, an evacuation begins and ends. Throws where one of these does not come
   * about, or a client that stays loses its stream.
   */
  round(quietMs: number): Promise<void>;
  /**
   * So many changes are pushed and confirmed, while hardly any time passes; after the first round, when there
   * are clients to push to.
   */
  push(changes: number): Promise<void>;
  /** Hours pass, and nobody comes. */
  rest(hours: number): Promise<void>;
  /** How much it remembers that ages by the clock, and how many timers run. */
  kept(): Promise<ReadonlyMap<string, number>>;
  close(): Promise<void>;
}

const assignment = 'instances/a.example:80';
const node = (id: string) => ({
  id,
  metadata: {
    isthmus: {
      ...{ role: 'sidecar', idc: 'sh-a', namespace: 'shop' },
      outbound: { address: '127.0.0.1', port: 15_001 },
    },
  },
});

/** Something that listens on all of loopback, and may be gone for a while. */
interface Listening {
  readonly port: number;
  down(): Promise<void>;
  up(): Promise<void>;
}

async function listening(make: () => Server): Promise<Listening> {
  let [server, port] = [undefined as Server | undefined, 0];
  const up = async () => {
    server = make();
    server.unref();
    await new Promise<void>((resolve) => server?.listen(port, '0.0.0.0', resolve));
    port = (server.address() as AddressInfo).port;
  };
  await up();
  return {
    up,
    down: () => new Promise((resolve) => server?.close(() => resolve()) ?? resolve()),
    get port() {
      return port;
    },
  };
}

/** Whoever answers is alive, whatever it says; one that hangs accepts and says nothing. */
const gateway = (hangs = () => false) =>
  createServer((socket) => {
    // Read on, it sees the other end go.
    socket.on('error', () => {}).resume();
    if (!hangs()) socket.end('anything');
  });
const instance = () =>
  createHttpServer((_, response) => response.writeHead(200, { connection: 'close' }).end('well'));

export async function startSimulation(): Promise<Simulation> {
  const clock = manualClock();
  const folder = mkdtempSync(join(tmpdir(), 'isthmus-simulation-'));
  const errors: string[] = [];
  const logger: Logger = {
    ...silentLogger,
    error: (message, fields) => void errors.push(`${message} ${JSON.stringify(fields ?? {})}`),
  };
  const home = await listening(instance);
  let hangs = false;
  const [first, second, far] = [
    await listening(() => gateway()),
    await listening(() => gateway(() => hangs)),
    await listening(() => gateway()),
  ];
  const egress = [first, second].map(({ port }, i) => ({
    ...{ address: '127.0.0.1', sidecarPort: port, ingressPort: 4 + i },
  }));
  const idcs = ['sh-a', 'sh-b'].map((name) => {
    const made = idc(name);
    const ingress = [{ address: '127.0.0.1', edgePort: 1, peerPort: far.port }];
    return { ...made, spec: { ...made.spec, egress, ingress } };
  });
  const group = drGroup('all', ['a.example'], 'sh-a', 'sh-b');
  const traffic = { health: { path: '/', interval: '1s' } };
  const raw = createRawSource(
    [
      ...idcs,
      service('s', 'a.example'),
      { ...group, spec: { ...group.spec, traffic, failback: { hold: '2s', ramp: '5s' } } },
    ],
    undefined,
    clock,
  );
  const registrations = createRegistrationsSource({
    ...{ file: join(folder, 'registrations.db'), clock, replication: { idc: 'sh-a', links: [] } },
  });
  const evacuations = createEvacuationsSource({ file: join(folder, 'evacuations.json'), clock });
  const plane = await startControlPlane(
    {
      ...{ idc: 'sh-a', sources: [raw, registrations, evacuations], xds: { address: '127.0.0.1', port: 0 } },
      ...{ hopLimit: 1, clock, logger, failbackStore: openFailbackStore(folder, logger) },
      async onListening() {
        // The start of a source may wait by the clock.
        void until('it is ready', pass, 240_000).catch(() => {});
      },
    },
    // A process of its own, which takes its time as it is.
    { compiler: createPolicyCompiler({ clock: systemClock, logger: silentLogger }) },
  );
  function pass(): boolean {
    clock.pass(10);
    return plane?.readiness().ready === true;
  }
  await until('it is ready', pass, 240_000);
  const connect = (id: string, protocol: 'delta' | 'sotw' = 'delta') =>
    connectXds(`127.0.0.1:${plane.xds.port}`, protocol, node(id));
  const register = (name: string, address: string, ttl: string) => {
    const body = { address, ports: { http: home.port }, labels: { app: 'checkout' }, ttl };
    return registrations.submit(readBody({ namespace: 'shop', name }, body));
  };
  await register('stays', '127.1.0.1', '1h');
  const staying = (['delta', 'sotw'] as const).map((protocol) => {
    const client = connect(`stays-${protocol}`, protocol);
    return { client, ...follow(client, protocol, assignment, /"address":"(127\.1\.[\d.]+)"/) };
  });

  /** Seconds pass, in which clients answer pings and the control plane's checks are answered. */
  async function awake(seconds: number, renews = true): Promise<void> {
    for (let second = 0; second < seconds; second += 1) {
      if (renews && second % 5 === 0) registrations.renew({ namespace: 'shop', name: 'stays' }, undefined);
      await new Promise((resolve) => setTimeout(resolve, 2));
      clock.pass(1_000);
    }
  }

  async function come(what: string, isSo: () => boolean): Promise<void> {
    await until(`${what}, after ${(clock.now() / 86_400_000).toFixed(2)} days`, () => {
      // Timers that are due while messages are on their way.
      clock.pass(50);
      for (const { ended } of staying) if (ended() !== '') throw new Error(`a stream ended: ${ended()}`);
      return isSo();
    });
  }

  const isSynced = () =>
    plane
      .status()
      .proxies.every(({ types }) => Object.values(types).every(({ state }) => state === 'SYNCED'));

  /**
   * Clients under names that nobody had before: one leaves before it has ACKed, one refuses, one is refused.
   */
  async function receive(count: number): Promise<void> {
    const leaves = connect(`leaves-${count}`);
    leaves.send('CDS', { resource_names_subscribe: ['*', `name-${count}`] });
    await leaves.next();
    leaves.close();
    const refuses = connect(`refuses-${count}`);
    refuses.send('CDS', { resource_names_subscribe: ['*'] });
    refuses.nack(await refuses.next(), `refused ${count}`);
    const refused = connect(`refused-${count}`);
    refused.send('type.googleapis.com/no.Such', {});
    await refused.ended;
    const follows = connect(`follows-${count}`);
    const own = follow(follows, 'delta', assignment, /"address":"(127\.1\.[\d.]+)"/);
    await come('a client that comes is told all', () => own.last() !== '' && isSyncedBy(`follows-${count}`));
    for (const one of [refuses, refused, follows]) one.close();
    await come('guests are gone', () => plane.status().proxies.length === staying.length);
  }

  const isSyncedBy = (id: string) =>
    plane
      .status()
      .proxies.some(
        (one) => one.id === id && Object.values(one.types).every(({ state }) => state === 'SYNCED'),
      );

  let count = 0;
  const percentOf = (name: string) =>
    plane.evacuations.list().items.find((one) => one.name === name)?.percentNow ?? 0;

  /** Leases that nobody renews, one of a name that was there before: they run out, and their instances go. */
  async function expire(): Promise<void> {
    for (const name of ['again', `once-${count}`, `leaves-${count}`])
      await register(name, '127.2.0.1', '15s');
    await registrations.submit({ type: 'deregister', key: { namespace: 'shop', name: `leaves-${count}` } });
    await awake(20);
    await come('leases have run out', () => registrations.list().length === 1);
  }

  /**
   * The home is lost and comes back: held, then little by little. Beside it a gateway hangs, and is left out
   * as long.
   */
  async function lose(): Promise<void> {
    hangs = true;
    await home.down();
    await awake(5);
    await come('the home is held back', () => plane.evacuations.limitedShares().size > 0);
    await come('a gateway is left out', () => plane.problems().some(({ where }) => /egress/.test(where)));
    hangs = false;
    await home.up();
    await come('all is home again', () => plane.evacuations.limitedShares().size === 0);
    await come('the gateway is back', () => plane.problems().every(({ where }) => !/egress/.test(where)));
  }

  /** An evacuation that expires, or is ended before. */
  async function evacuate(): Promise<void> {
    const name = `evacuation-${count}`;
    const expires = new Date(clock.wall() + 20_000).toISOString();
    await evacuations.put(name, { idc: 'sh-a', percent: 50, expires });
    await come('it is in force', () => percentOf(name) === 50);
    if (count % 2 === 0) await evacuations.end(name);
    else await awake(21);
    await come('it is over', () => percentOf(name) === 0 && plane.evacuations.limitedShares().size === 0);
  }

  return {
    ...{ clock, plane, errors },
    async round(quietMs) {
      count += 1;
      clock.stall(quietMs);
      await awake(8);
      const slow = staying[count % 2] as Follower;
      if (count % 3 === 0) slow.ack(false);
      const address = `127.1.${1 + ((count >> 7) & 127)}.${1 + (count & 127)}`;
      await register('stays', address, '1h');
      await receive(count);
      await expire();
      slow.ack(true);
      await come(
        'the change is everywhere',
        () => isSynced() && staying.every((one) => one.last() === address),
      );
      if (count % 8 === 4) await lose();
      if (count % 3 === 0) await evacuate();
    },
    async push(changes) {
      for (let i = 1; i <= changes; i += 1) {
        raw.put(workload('pushed', { address: `127.3.${(i >> 7) & 127}.${1 + (i & 127)}` }));
        if (i % 16 === 0 || i === changes) await come('it is confirmed', isSynced);
      }
      raw.removeAll([raw.stored.get('WorkloadEntry/shop/pushed') as MeshObject]);
      await come('it is gone', isSynced);
    },
    async rest(hours) {
      for (let hour = 0; hour < hours; hour += 1) {
        clock.stall(3_600_000);
        await awake(15);
      }
    },
    async kept() {
      const found = new Map([['timers', clock.pending]]);
      const page = await plane.metrics.registry.metrics();
      const line = /^isthmus_(?:xds_level|registrations_remembered)\{[^}]*of="(\w+)"[^}]*\} (\S+)/gm;
      for (const [, of = '', value] of page.matchAll(line)) found.set(of, Number(value));
      found.set('evacuations', evacuations.records().length);
      found.set('held deletions', Number(/^isthmus_deletions_pending\S* (\S+)/m.exec(page)?.[1]));
      return found;
    },
    async close() {
      for (const { client } of staying) client.close();
      let isClosed = false;
      void plane.close().then(() => {
        isClosed = true;
      });
      await until('it is closed', () => {
        clock.pass(100);
        return isClosed;
      });
      for (const one of [home, first, second, far]) void one.down();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
