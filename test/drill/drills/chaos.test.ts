import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { runDrill } from '../../../src/drill/drill.ts';
import { chaosScenario } from '../../../src/drill/drills/chaos/world.ts';
import { checkScenario } from '../../../src/drill/scenario/document/check.ts';
import { scenarioSchema } from '../../../src/drill/scenario/document/document.ts';
import { violationsOf } from '../../../src/drill/scenario/watch.ts';
import { goodMeasurement, withAccess, withSamples } from '../fixture.ts';

const of = (seed: number, minutes: number, drops = true) =>
  chaosScenario(seed, { minutes, drops, plant: 'crossing' });

t.test('a seed gives one scenario, a good one, and another seed another', async (t) => {
  for (let seed = 0; seed < 200; seed += 1) {
    const scenario = of(seed, 1 + (seed % 4));
    t.strictSame(scenario, of(seed, 1 + (seed % 4)));
    const read = scenarioSchema.safeParse(scenario);
    if (!read.success) t.fail(`seed ${seed}: ${read.error.message}`);
    else t.strictSame(checkScenario(read.data), [], `seed ${seed}`);
    t.ok(scenario.spec.steps.length >= 3, `seed ${seed} has faults`);
  }
  t.notSame(of(1, 1), of(2, 1));
});

t.test('nothing in an IDC is struck while an instance leaves its registry', async (t) => {
  let leaves = 0;
  for (let seed = 0; seed < 200; seed += 1) {
    const steps = of(seed, 2).spec.steps.map((step) => ({
      ...step,
      ms: Number.parseFloat(step.after ?? '0'),
    }));
    for (const { withdraw, ms } of steps) {
      const [left] = withdraw ? [withdraw].flat() : [];
      if (!left) continue;
      leaves += 1;
      const struck = steps
        .filter((step) => step.ms > ms - 1 && step.ms < ms + 8000 && step.at === 'chaos')
        .flatMap(({ kill, stop }) => [kill ?? [], stop ?? []].flat())
        .filter(({ idc, only }) => idc === left.idc && only?.[0] !== left.only?.[0]);
      t.strictSame(struck, [], `seed ${seed}`);
    }
  }
  t.ok(leaves > 50, `${leaves} leave`);
});

const good = goodMeasurement();
const violated = (m: typeof good) => violationsOf(m, 30_000).map(({ text }) => text);

t.test('each invariant is seen to be violated, and by what', async (t) => {
  t.strictSame(violated(good), []);
  const failure = { status: 503, idc: '', instance: '', error: 'status 503' };
  t.match(violated(withSamples(good, (s) => (s.due === 7000 ? failure : undefined))), [
    /^caller-sh-a:700 failed although/,
  ]);
  const round = withAccess(good, (line) =>
    line.listener === 'peer' && line.id === 'caller-sh-a:600' ? { trail: 'sh-a,sh-b,sh-a' } : undefined,
  );
  t.match(violated(round), ['caller-sh-a:600 ran in a loop']);
  const leaves = [{ instance: 'sh-b/checkout-1', from: 6995, to: 7005 }];
  t.match(violated({ ...good, leaves }), ['caller-sh-a:700 reached sh-b/checkout-1 after']);
  const call = {
    shape: 'POST',
    kind: 'http',
    method: 'POST',
    workMs: 0,
    bodyBytes: 0,
    answerBytes: 0,
    pieces: 0,
    everyMs: 0,
  } as const;
  const posts = withSamples(good, (s) => (s.due === 7000 ? { call } : undefined));
  const list = posts.entries.get('sh-b/checkout-1') ?? [];
  const again = list.filter(({ id }) => id === 'caller-sh-a:700');
  const entries = new Map([...posts.entries, ['sh-b/checkout-1', [...list, ...again]]]);
  t.strictSame(violated({ ...posts, entries }), ['caller-sh-a:700 was executed 2 times']);
});

t.test(
  'an IDC that has more work of others than it bears is seen, and what it refuses in words is not lost',
  async (t) => {
    // sh-b serves sh-a's requests from 5 to 11 s, each for 1 ms.
    const declared = withAccess({ ...good, capacity: 1 }, ({ listener, at }) =>
      listener === 'inbound' && at > 6999 && at < 7100 ? { durationMs: 205 } : undefined,
    ) as typeof good;
    t.strictSame(violated(declared), []);
    const longer = new Map(
      [...good.entries].map(([name, list]) => [
        name,
        list.map((entry) =>
          entry.at > 7000 && entry.at < 7100 ? { ...entry, ended: { ...entry.ended, at: 7200 } } : entry,
        ),
      ]),
    ) as typeof good.entries;
    t.match(violated({ ...declared, entries: longer }), [
      'sh-b had 11 concurrent requests from other IDCs for checkout, 1 are allowed',
    ]);
    t.strictSame(violated({ ...good, entries: longer }), [], 'nothing is declared');
    t.strictSame(violated({ ...good, capacity: 1, entries: longer }), [], 'nobody waits for them any more');
    const own = withAccess({ ...declared, entries: longer }, ({ listener }) =>
      listener === 'outbound' ? { idc: 'sh-b' } : listener === 'peer' ? null : undefined,
    );
    t.strictSame(violated(own), [], 'its own users may be as many as they are');
    const [first] = good.losses;
    if (!first) throw new Error('no loss');
    const gateway = { ...first, struck: ['sh-b/ingress-1'], injected: { from: 6000, to: 6001 } };
    const struck = { ...declared, losses: [...good.losses, gateway] };
    t.match(
      violated({ ...struck, entries: longer }),
      [/had 11 .*, 2 are allowed/],
      'twice as much, and no more',
    );

    const failure = { status: 503, idc: '', instance: '', error: 'status 503', outcome: 'spill-limit' };
    const refused = (at: number) =>
      withSamples({ ...declared, entries: longer }, (s) => (s.due === at ? failure : undefined));
    const failed = (at: number) => violated(refused(at)).filter((text) => /failed/.test(text));
    t.strictSame(failed(7150), []);
    t.match(failed(9000), [/^caller-sh-a:900 failed/], 'sh-b had nothing in work');
    t.match(failed(17_000), [/^caller-sh-a:1700 failed/], 'home was well');
  },
);

t.test('a request that nobody could serve is no violation, only for that time', async (t) => {
  const failure = { status: 503, idc: '', instance: '', error: 'status 503', outcome: 'no-idc' };
  const fails = (due: number) => withSamples(good, (s) => (s.due === due ? failure : undefined));
  const [first] = good.losses;
  if (!first) throw new Error('no loss');
  const both = [
    first,
    {
      ...first,
      struck: ['sh-b/checkout-1'],
      injected: { from: 6500, to: 6510 },
      healed: { from: 8000, to: 8001 },
      healthyAt: 8500,
    },
  ];
  t.strictSame(violated({ ...fails(7000), losses: both }), []);
  t.strictSame(violated({ ...fails(12_000), losses: both }), [], 'within the time that proxies need');
  t.match(violated({ ...fails(6000), losses: both }), [/^caller-sh-a:600 failed/], 'before the second loss');
  t.match(violated({ ...fails(16_000), losses: both }), [/^caller-sh-a:1600 failed/], 'long after both');
});

t.test(
  'a request that used all tries on several faults may fail, one that met a single fault may not',
  async (t) => {
    const failure = { status: 503, idc: '', instance: '', error: 'status 503' };
    const [first] = good.losses;
    if (!first) throw new Error('no loss');
    const stopped = {
      ...first,
      kind: 'stop' as const,
      injected: { from: 6000, to: 6001 },
      struck: ['sh-b/ingress-1'],
      healed: { from: 8000, to: 8001 },
      healthyAt: 8001,
    };
    const addresses = { ...good.addresses, 'sh-b/ingress-2': ['127.2.0.12:10443'] };
    const m = (attempts: number, upstream: string) => ({
      ...withAccess(
        withSamples(good, (s) => (s.due === 7000 ? failure : undefined)),
        (line) => {
          if (line.id !== 'caller-sh-a:700') return undefined;
          if (line.listener === 'outbound') return { attempts, upstream: '127.1.0.31:8080' };
          return line.listener === 'sidecar' ? { upstream } : undefined;
        },
      ),
      addresses,
      losses: [first, stopped],
    });
    t.strictSame(violated(m(4, '127.2.0.11:10443')), []);
    t.match(violated(m(3, '127.2.0.11:10443')), [/failed although/], 'a try was left');
    t.match(violated(m(4, '127.2.0.12:10443')), [/failed although/], 'one of them was well');
  },
);

t.test('a cut link serves nobody, and excuses requests sent over it', async (t) => {
  const failure = { status: 503, idc: '', instance: '', error: 'status 503' };
  const nothing = { workMs: 0, bodyBytes: 0, answerBytes: 0, pieces: 0, everyMs: 0 };
  const call = { shape: 'POST', kind: 'http', method: 'POST', ...nothing } as const;
  const cuts = [
    { from: 'sh-b', to: 'sh-a', injected: { from: 7000, to: 7001 }, healed: { from: 8000, to: 8001 } },
  ];
  const fails = (due: number, more = {}) => ({
    ...withSamples(good, (s) => (s.due === due ? { ...failure, ...more } : undefined)),
    cuts,
  });
  t.strictSame(violated(fails(7500)), [], 'sh-a has lost its own');
  t.match(violated(fails(6900)), [/^caller-sh-a:690 failed/], 'before');
  // sh-a is well again, so that only what was under way to sh-b may fail.
  const well = (due: number, more = {}) => ({ ...fails(due, more), losses: [] });
  const there = (m: typeof good, due: number) =>
    withAccess(m, (line) =>
      line.id === `caller-sh-a:${due / 10}` && line.listener === 'sidecar'
        ? { upstream: '127.2.0.11:10443' }
        : undefined,
    );
  t.strictSame(violated(there(well(7500, { call }), 7500)), []);
  t.match(violated(well(7500, { call })), [/failed although/], 'that was not sent there');
  t.match(violated(there(well(7500), 7500)), [/failed although/], 'a GET is sent again');
});

t.test('a TCP connection may fail that left an evacuated IDC for one that has nobody', async (t) => {
  const nothing = { workMs: 0, bodyBytes: 0, answerBytes: 0, pieces: 0, everyMs: 0 };
  const call = { shape: 'TCP', kind: 'tcp', method: 'GET', ...nothing } as const;
  const failure = { call, status: 0, idc: '', instance: '', error: 'read ECONNRESET' };
  const fails = (due: number) => withSamples(good, (s) => (s.due === due ? failure : undefined));
  const [first] = good.losses;
  if (!first) throw new Error('no loss');
  // sh-a is well all the time; sh-b loses its instance from 6 to 8 s.
  const losses = [
    {
      ...first,
      struck: ['sh-b/checkout-1'],
      injected: { from: 6000, to: 6001 },
      healed: { from: 8000, to: 8001 },
      healthyAt: 8001,
    },
  ];
  const evacuations = [{ idc: 'sh-a', from: 5000, to: 9000 }];
  t.strictSame(violated({ ...fails(7000), losses, evacuations }), []);
  t.match(violated({ ...fails(7000), losses }), [/failed although/], 'nobody was sent away');
  t.match(violated({ ...fails(9500), losses, evacuations }), [/failed although/], 'after the evacuation');
  t.match(violated({ ...fails(5500), losses, evacuations }), [/failed although/], 'before the loss');
  const names = Object.entries(good.addresses).filter(([name]) => !/^sh-b\/checkout-/.test(name));
  const addresses = Object.fromEntries(names);
  const without = { ...fails(5500), losses: [], evacuations, addresses };
  t.strictSame(violated(without), [], 'it never had anybody');
  t.match(violated({ ...without, evacuations: [] }), [/failed although/], 'nobody was sent there');
  const injected = { from: 8900, to: 8901 };
  const stopped = {
    ...first,
    kind: 'stop' as const,
    struck: [],
    planes: ['sh-a'],
    injected,
    healthyAt: 9801,
  };
  const unknown = (due: number, to: number) => ({
    ...{ ...without, ...fails(due), addresses },
    losses: [{ ...stopped, healed: { from: to, to } }],
  });
  t.strictSame(violated(unknown(9500, 9600)), [], 'its end was not known, as the control plane was stopped');
  t.match(violated(unknown(9500, 8950)), [/failed although/], 'which it was not when it ended');
  const other = [{ idc: 'sh-b', from: 5000, to: 9000 }];
  t.match(violated({ ...fails(7000), losses, evacuations: other }), [/failed although/], 'another IDC');
});

t.test('a TCP connection may fail with a gateway that it may have gone through', async (t) => {
  const nothing = { workMs: 0, bodyBytes: 0, answerBytes: 0, pieces: 0, everyMs: 0 };
  const call = { shape: 'TCP', kind: 'tcp', method: 'GET', ...nothing } as const;
  const failure = { call, status: 0, idc: '', instance: '', error: 'read ECONNRESET' };
  const fails = (due: number) => withSamples(good, (s) => (s.due === due ? failure : undefined));
  const [first] = good.losses;
  if (!first) throw new Error('no loss');
  const lost = (name: string) => ({
    addresses: { ...good.addresses, [name]: ['127.9.0.1:1'] },
    losses: [{ ...first, struck: [name], injected: { from: 7001, to: 7002 } }],
  });
  for (const name of ['sh-a/egress-2', 'sh-b/ingress-2'])
    t.strictSame(violated({ ...fails(7000), ...lost(name) }), [], name);
  for (const name of ['sh-a/ingress-2', 'sh-b/egress-2'])
    t.match(violated({ ...fails(7000), ...lost(name) }), [/failed although/], name);
  t.match(violated({ ...fails(6000), ...lost('sh-a/egress-2') }), [/failed although/], 'before it died');
  t.match(violated({ ...fails(8000), ...lost('sh-a/egress-2') }), [/failed although/], 'long after');
});

t.test('without drops the rest of a seed is as it is', async (t) => {
  let dropped = 0;
  for (let seed = 0; seed < 60; seed += 1) {
    const [all, less] = [of(seed, 1).spec, of(seed, 1, false).spec];
    dropped += all.steps.filter(({ drop }) => drop).length;
    t.strictSame(less.world, all.world);
    t.notOk(less.steps.some(({ drop }) => drop));
    const others = all.steps.filter(({ kill, stop, withdraw }) => kill ?? stop ?? withdraw);
    t.strictSame(
      less.steps.filter(({ kill, stop, withdraw }) => kill ?? stop ?? withdraw),
      others,
    );
  }
  t.ok(dropped > 20, `${dropped} drops`);
});

t.test(
  'a minute of chaos finds a planted fault, and says by which requests',
  { timeout: 150_000 },
  async (t) => {
    const said: string[] = [];
    const reportDir = join(t.testdir(), 'report');
    const code = await runDrill({
      name: 'chaos',
      seed: 3,
      flags: { minutes: '0.6' },
      ...{ unprotected: true, expectFail: true, reportDir },
      say: (line) => said.push(line),
    });
    t.equal(code, 0);
    if (code !== 0) t.comment(said.join('\n'));
    t.match(
      said.join('\n'),
      /^VIOLATED: \S+:\d+ failed although it could have been served/m,
      'at once, not only in the end',
    );
    const report = JSON.parse(readFileSync(join(reportDir, 'report.json'), 'utf8'));
    t.match(report, { seed: 3, replay: { metadata: { name: 'chaos-3' } } });
  },
);
