import t from 'tap';
import { serveAdmin } from '../../src/api/admin-server.ts';
import { PageTurns, pageTurns } from '../../src/api/pages/page-turns.ts';
import type { ControlPlane } from '../../src/plane/types.ts';
import { manualClock } from '../support/manual-clock.ts';
import { problemFaults } from '../support/planes/contract.ts';

const settled = () => new Promise((resolve) => setImmediate(resolve));

t.test('pages have a share of the processor, and addresses take turns', async (t) => {
  const clock = manualClock();
  const turns = new PageTurns(clock);
  const made: string[] = [];
  const ask = (peer: string, isWanted = true) =>
    turns.make(
      peer,
      () => isWanted,
      () => {
        made.push(peer);
        clock.leap(50);
      },
    );
  const greedy = Array.from({ length: 60 }, () => ask('10.0.0.1'));
  for (const one of greedy) one.catch(() => {});
  // What else falls due has its turn between two of them.
  for (let i = 0; i < 9; i++) {
    clock.pass(0);
    await settled();
  }
  t.ok(made.length <= 10, `one at a time: ${made.length}`);
  void ask('10.0.0.3', false);
  void ask('10.0.0.2');
  for (let i = 0; i < 8; i++) {
    clock.pass(1_000);
    await settled();
  }
  t.ok(made.includes('10.0.0.2') && made.indexOf('10.0.0.2') < 13, 'it does not wait for all of the other');
  t.notOk(made.includes('10.0.0.3'), 'who is gone is left');
  const begin = clock.now();
  const before = made.length;
  for (let i = 0; i < 100; i++) {
    clock.pass(100);
    await settled();
  }
  const spent = (made.length - before) * 50;
  const most = (clock.now() - begin) * pageTurns.share + 200;
  t.ok(spent <= most && spent > most / 3, `${spent} of ${clock.now() - begin} ms`);
});

t.test('the number of waiting requests per address is limited; failures are reported', async (t) => {
  const turns = new PageTurns(manualClock());
  await t.rejects(
    turns.make(
      'a',
      () => true,
      () => {
        throw new Error('no');
      },
    ),
    /no/,
  );
  const all = Array.from({ length: pageTurns.waitingMax + 2 }, () =>
    turns.make(
      'b',
      () => true,
      () => 1,
    ),
  );
  for (const one of all) one.catch(() => {});
  await t.rejects(all.at(-1) as Promise<number>, { code: 'exhausted', message: /are waiting/ });
  await t.resolves(
    Promise.race([
      turns.make(
        'c',
        () => true,
        () => 1,
      ),
      settled(),
    ]),
    'others are not refused',
  );
});

t.test(
  'pages of an address that asks without a pause are refused in words; probes are answered at once',
  async (t) => {
    let made = 0;
    // Such as with some hundred proxies.
    const status = () => {
      made += 1;
      for (const end = performance.now() + 20; performance.now() < end; );
      return {};
    };
    const plane = { status } as unknown as ControlPlane;
    const server = await serveAdmin(plane, { address: '127.0.0.1', port: 0 }, undefined);
    t.teardown(() => server.close());
    const ask = async (path: string) => {
      const answer = await fetch(`http://127.0.0.1:${server.port}${path}`);
      return {
        status: answer.status,
        type: answer.headers.get('content-type') ?? '',
        text: await answer.text(),
      };
    };
    t.equal((await ask('/status')).status, 200, 'the control: one is not');
    const all = Array.from({ length: pageTurns.waitingMax + 40 }, () => ask('/status'));
    const refused = all.map(async (one) => {
      const answer = await one;
      return answer.status === 429 ? answer : Promise.reject(new Error('it was made'));
    });
    const first = await Promise.any(refused);
    t.strictSame(problemFaults(first), []);
    t.match(first.text, /are waiting: ask less often/);
    t.equal((await ask('/livez')).status, 200);
    t.ok(made < pageTurns.waitingMax, `${made} were made before a probe was answered`);
    await server.close();
    await Promise.allSettled([...all, ...refused]);
  },
);
