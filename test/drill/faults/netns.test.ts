import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { sleep, systemClock } from '../../../src/base/clock.ts';
import { checkNamespaces, createDropNetwork } from '../../../src/drill/faults/netns.ts';
import { claimSlot } from '../../../src/drill/process/claim.ts';
import { createCrew, startWarden } from '../../../src/drill/process/process.ts';
import { idcOf, planTopology, shopWorld } from '../../../src/drill/world/topology.ts';

function whyNot(): string | false {
  try {
    checkNamespaces(`isthmus-probe-${process.pid}`);
    return false;
  } catch (reason) {
    return (reason as Error).message;
  }
}

/** 'answered', or how long nothing came, in milliseconds. */
function ask(address: string, port: number, waitMs: number): Promise<'answered' | 'silence' | string> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port });
    const timer = setTimeout(() => done('silence'), waitMs);
    const done = (what: string) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(what);
    };
    socket.on('data', () => done('answered'));
    socket.on('error', (error) => done(error.message));
  });
}

t.test('proxies in namespaces reach their control plane at the machine, whichever IDC it is', async (t) => {
  for (const net of ['sh-a', 'sh-b', 'sh-c']) {
    const world = { ...shopWorld, idcs: ['sh-a', 'sh-b', 'sh-c'], net };
    const topology = planTopology({ id: 'abcdef', slot: 7, world });
    t.equal(idcOf(topology, net).xds.address, '198.18.7.1', 'the only address that the network has there');
  }
});

t.test(
  'packets are dropped in silence, and come through again; nothing is left',
  { skip: whyNot() },
  async (t) => {
    const id = randomBytes(3).toString('hex');
    const slot = await claimSlot((randomBytes(1)[0] as number) % 250);
    const topology = planTopology({ id, slot: slot.number, world: { ...shopWorld, net: 'sh-a' } });
    const dir = mkdtempSync(join(tmpdir(), 'isthmus-test-'));
    const warden = await startWarden({ id, dir, net: true });
    const instances = idcOf(topology, 'sh-a').instances;
    const [first, second] = instances;
    if (!topology.net || !first?.netns || !second?.netns) throw new Error('the topology has no network');
    const network = createDropNetwork(id, topology.net, instances);
    const crew = createCrew(id, () => {});
    for (const { inbound, netns } of [first, second]) {
      const code = `require('net').createServer((s) => s.end('here')).listen(${inbound.port}, '${inbound.address}')`;
      crew.start({
        name: netns as string,
        command: process.execPath,
        args: ['-e', code],
        logFile: join(dir, 'log'),
        netns: netns as string,
      });
    }
    const to = ({ inbound }: typeof first, waitMs = 400) => ask(inbound.address, inbound.port, waitMs);
    for (
      let i = 0;
      i < 100 && ((await to(first)) !== 'answered' || (await to(second)) !== 'answered');
      i += 1
    ) {
      await sleep(systemClock, 50);
    }
    t.equal(await to(first), 'answered');

    network.drop([first]);
    t.equal(await to(first), 'silence', 'no refusal, no reset');
    t.equal(await to(second), 'answered', 'its neighbour is not touched');
    network.heal([first]);
    t.equal(await to(first, 3000), 'answered');

    t.equal(await warden.close(), 0);
    await slot.release();
    const left = ['netns list', '-o link show'].map((args) =>
      execFileSync('ip', args.split(' '), { encoding: 'utf8' }),
    );
    t.notMatch(left.join(''), new RegExp(id));
  },
);

t.test('without root the error says what is needed', async (t) => {
  t.throws(() => checkNamespaces('never-made', 1000), {
    code: 'unsupported',
    message: /^This user may not make network namespaces\. .* needs Linux, root and `ip`/,
  });
});
