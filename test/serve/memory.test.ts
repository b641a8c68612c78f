import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import t from 'tap';
import { rds, story } from './story.ts';

const long = 8 * 2 ** 20;

/** What buffers hold once all that nobody holds is gone, in bytes. */
async function buffered(): Promise<number> {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  for (let round = 0; round < 3; round++) {
    gc();
    // What a WeakRef gave out stays to the end of the task.
    await sleep(10);
  }
  return process.memoryUsage().arrayBuffers;
}

for (const protocol of ['sotw', 'delta'] as const)
  t.test(`${protocol}: a long resource is held once when all have ACKed it`, async (t) => {
    const before = await buffered();
    const s = story();
    await s.apply([rds('r', protocol.charAt(0).repeat(long))]);
    const envoys = [1, 2, 3].map(() => s.connect(protocol));
    for (const envoy of envoys) {
      envoy.send(
        'RDS',
        protocol === 'sotw' ? { resource_names: ['r'] } : { resource_names_subscribe: ['r'] },
      );
      t.equal(envoy.got().length, 1, 'sent');
    }
    t.equal(s.hub.stats.responsesBuilt, 1, 'one response for all while it is under way');
    const underWay = (await buffered()) - before;
    t.ok(
      underWay < 2.5 * long,
      `the resource and the response: ${(underWay / long).toFixed(2)} times its length`,
    );
    for (const envoy of envoys)
      if (protocol === 'delta') envoy.ack('RDS');
      else envoy.ask('RDS', 'r');
    const after = (await buffered()) - before;
    t.ok(
      after > 0.9 * long && after < 1.5 * long,
      `the resource: ${(after / long).toFixed(2)} times its length`,
    );
    const late = s.connect(protocol);
    late.send('RDS', protocol === 'sotw' ? { resource_names: ['r'] } : { resource_names_subscribe: ['r'] });
    t.same(late.got().length, 1, 'who comes later is sent it all the same');
  });
