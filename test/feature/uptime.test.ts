import t from 'tap';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import { seededRandom } from '../../src/base/random.ts';
import { startControlPlane } from '../../src/plane/controlplane.ts';
import { createPolicyCompiler } from '../../src/trail/compile.ts';
import { idc, service, workload } from '../registry/objects.ts';
import { follow } from '../support/clients/follower.ts';
import { connectXds } from '../support/clients/xds-client.ts';
import { manualClock } from '../support/manual-clock.ts';
import { until } from '../support/mesh.ts';
import { createRawSource } from '../support/planes/raw-source.ts';

const day = 86_400_000;
const metadata = {
  isthmus: {
    ...{ role: 'sidecar', idc: 'sh-a', namespace: 'shop' },
    outbound: { address: '127.0.0.1', port: 15001 },
  },
};

t.test(
  'ten years of uptime: every change arrives, and no connection is lost',
  { timeout: 600_000 },
  async (t) => {
    const clock = manualClock();
    const random = seededRandom(10);
    const instance = (port: number) => workload('w', { ports: { http: port } });
    const source = createRawSource(
      [idc('sh-a'), service('s', 'a.example'), instance(1_000)],
      undefined,
      clock,
    );
    const plane = await startControlPlane(
      {
        ...{ idc: 'sh-a', sources: [source], xds: { address: '127.0.0.1', port: 0 }, hopLimit: 1 },
        ...{ clock, logger: silentLogger },
      },
      // A process of its own, which takes its time as it is.
      { compiler: createPolicyCompiler({ clock: systemClock, logger: silentLogger }) },
    );
    t.teardown(() => plane.close());
    const ready = () => {
      clock.pass(10);
      return plane.readiness().ready;
    };
    await until('it is ready', ready, 240_000);
    const followers = (['delta', 'sotw'] as const).map((protocol) => {
      const client = connectXds(`127.0.0.1:${plane.xds.port}`, protocol, { id: protocol, metadata });
      t.teardown(() => client.close());
      return follow(client, protocol, 'instances/a.example:80', /"port_value":(\d+)/);
    });
    const settled = () =>
      plane.status().proxies.length === 2 &&
      plane
        .status()
        .proxies.every(({ types }) => Object.values(types).every(({ state }) => state === 'SYNCED'));
    const arrived = (port: number) =>
      until(`port ${port} after ${Math.round(clock.now() / day)} days`, () => {
        // Timers that are due while messages are on their way.
        clock.pass(10);
        for (const one of followers)
          if (one.ended() !== '') throw new Error(`a stream ended: ${one.ended()}`);
        return followers.every((one) => one.last() === `${port}`) && settled();
      });
    await arrived(1_000);
    let port = 1_000;
    while (clock.now() < 3_653 * day) {
      // A machine that sleeps, and one that is awake; some of both are longer than a timer of Node's can be.
      const quiet = random() * 60 * day;
      const slow = followers[Math.floor(random() * 2)];
      if (random() < 0.3) slow?.ack(false);
      port += 2;
      // Events of one moment: they are told apart however old the process is.
      source.put(instance(port - 1));
      source.put(idc('sh-b'));
      source.put(instance(port));
      await new Promise((resolve) => setTimeout(resolve, 5));
      clock.stall(quiet);
      // Pings and their answers.
      for (let second = 0; second < 16; second += 1) {
        await new Promise((resolve) => setTimeout(resolve, 2));
        clock.pass(1_000);
      }
      slow?.ack(true);
      await arrived(port);
      const gone = [...source.stored.values()].filter(({ meta }) => meta.name === 'sh-b');
      t.equal(gone.length, 1);
      source.removeAll(gone);
    }
    const { eventToAck, proxies, problems } = plane.status();
    // Of two events of one moment the second goes.
    t.ok(eventToAck.count >= port - 1_000, `${eventToAck.count} ACKs of ${port - 1_000} events`);
    t.ok(Math.min(...proxies.map(({ connectedForMs }) => connectedForMs)) > 3_600 * day);
    // The gateways of the Idc are not part of this world.
    t.same(
      problems.filter(({ code }) => code !== 'GatewayMissing'),
      [],
    );
    t.match(await plane.metrics.registry.metrics(), /isthmus_ready\S* 1\n/);
  },
);
