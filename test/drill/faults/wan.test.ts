import { execFile, execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { checkNamespaces } from '../../../src/drill/faults/netns.ts';
import { checkWan, createWan } from '../../../src/drill/faults/wan.ts';
import { claimSlot } from '../../../src/drill/process/claim.ts';
import { createCrew, startWarden } from '../../../src/drill/process/process.ts';
import { createPaths } from '../../../src/drill/world/paths.ts';
import { planTopology, shopWorld } from '../../../src/drill/world/topology.ts';

function whyNot(): string | false {
  try {
    checkNamespaces(`isthmus-probe-${process.pid}`);
    checkWan();
    return false;
  } catch (reason) {
    return (reason as Error).message;
  }
}

t.test('missing prerequisites are reported', async (t) => {
  t.throws(() => checkWan('/dev/net/none'), {
    message: /There is no \/dev\/net\/none\. .*needs Linux with \/dev\/net\/tun/,
  });
});

t.test(
  'packets between IDCs are cut, late, lost and paced as told, each way by itself',
  { skip: whyNot(), timeout: 60_000 },
  async (t) => {
    const id = randomBytes(3).toString('hex');
    const slot = await claimSlot((randomBytes(1)[0] as number) % 250);
    const topology = planTopology({ id, slot: slot.number, world: { ...shopWorld, wan: true } });
    const dir = mkdtempSync(join(tmpdir(), 'isthmus-test-'));
    const warden = await startWarden({ id, dir, net: true });
    const [a, b] = topology.idcs;
    const [gateway, peer] = [a?.egress[0], b?.ingress[0]?.peer];
    if (!gateway?.netns || !peer) throw new Error('the topology has no network between IDCs');
    const wan = await createWan(
      id,
      topology,
      createCrew(id, () => {}),
      createPaths(dir),
    );
    const server = createServer((socket) => socket.end(Buffer.alloc(100_000)));
    await new Promise<void>((resolve) => server.listen(peer.port, peer.address, resolve));
    t.teardown(() => server.close());

    /**
     * Seconds until 100,000 bytes have come from an ingress gateway's address of sh-b to an egress gateway of
     * sh-a; NaN when not within `limitS`.
     */
    const seconds = (limitS = 4): Promise<number> => {
      const code = `const from=process.hrtime.bigint();let n=0;const s=require('net').connect({host:'${peer.address}',port:${peer.port}});
      s.on('data',d=>n+=d.length);s.on('error',()=>process.exit(1));s.on('end',()=>{console.log(n===100000?Number(process.hrtime.bigint()-from)/1e9:'cut');process.exit()})`;
      return printed(gateway.netns as string, code, limitS);
    };
    const whole = await seconds();
    t.ok(whole < 1, `${whole} s`);
    wan.set('sh-b', 'sh-a', { cut: true });
    t.ok(Number.isNaN(await seconds(2)), 'answers are lost');
    wan.set('sh-b', 'sh-a', {});
    wan.set('sh-a', 'sh-b', { cut: true });
    t.ok(Number.isNaN(await seconds(2)), 'requests are lost');
    wan.set('sh-a', 'sh-b', { delayMs: 300 });
    const late = await seconds();
    t.ok(late >= 0.6, `two round trips: ${late} s`);
    wan.set('sh-a', 'sh-b', {});
    wan.set('sh-b', 'sh-a', { kbit: 800 });
    const paced = await seconds(8);
    t.ok(paced >= 0.9, `100,000 bytes at 800 kbit/s: ${paced} s`);
    wan.set('sh-b', 'sh-a', { loss: 1 });
    t.ok(Number.isNaN(await seconds(2)), 'all are lost');
    wan.set('sh-b', 'sh-a', { loss: 0.3 });
    t.ok((await seconds(30)) > 0, 'three in ten are lost, and sent again');
    wan.set('sh-b', 'sh-a', {});
    t.ok((await seconds()) < 1, 'whole again');

    await new Promise((resolve) => server.close(resolve));
    t.equal(await warden.close(), 0);
    await slot.release();
    const left = ['netns list', '-o link show'].map((args) =>
      execFileSync('ip', args.split(' '), { encoding: 'utf8' }),
    );
    t.notMatch(left.join(''), new RegExp(id));
  },
);

/** What a script in a namespace prints, as a number; NaN when it does not end in time. */
function printed(netns: string, code: string, limitS: number): Promise<number> {
  const args = ['netns', 'exec', netns, process.execPath, '-e', code];
  return new Promise((resolve) => {
    execFile('ip', args, { timeout: 1000 * (limitS + 1), encoding: 'utf8' }, (error, out) =>
      resolve(error ? Number.NaN : Number(out)),
    );
  });
}
