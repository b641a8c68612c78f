import t from 'tap';
import { silentLogger } from '../../src/base/log.ts';
import { endpointType, listenerType } from '../../src/xds/resource-types.ts';
import { blamedBy, offerLimits } from '../../src/xds/stream/refusal.ts';
import { createXdsServer } from '../../src/xds/xds.ts';
import { connectXds } from '../support/clients/xds-client.ts';
import { cds, eds, gone, lds, rds, story } from './story.ts';

const inUse = (name: string) =>
  `Error adding/updating listener(s) ${name}: cannot bind '127.0.0.1:3307': Address already in use\n`;

/** A Delta client that has ACKed a cluster with endpoints, listeners and a route. */
async function connected(...listeners: string[]) {
  const s = story();
  await s.apply([cds('a'), eds('a'), ...listeners.map((name) => lds(name, 'r')), rds('r')]);
  const envoy = s.connect('delta');
  for (const [type, ...names] of [['CDS'], ['EDS', 'a'], ['LDS'], ['RDS', 'r']] as const) {
    envoy.send(type, { resource_names_subscribe: names });
    envoy.got();
    envoy.ack(type);
  }
  envoy.got();
  envoy.ack('RDS');
  return {
    ...s,
    envoy,
    /** Refuses what was written of listeners, and takes the routes that come with them. */
    refuseListener(name: string) {
      envoy.nack('LDS', inUse(name));
      if (envoy.got().some((text) => text.startsWith('RDS'))) envoy.ack('RDS');
    },
  };
}

t.test('which resources a client’s message names', async (t) => {
  t.same(blamedBy(inUse('b'), ['a', 'b']), ['b']);
  t.same(blamedBy('Error adding/updating cluster(s) a: no, tcp/b:1: worse', ['a', 'b', 'tcp/b:1']), [
    'a',
    'tcp/b:1',
  ]);
  t.equal(blamedBy('Error adding/updating listener(s) other: no', ['a', 'b']), undefined);
  t.equal(blamedBy('a: is bad', ['a', 'b']), undefined, "not Envoy's words for it");
});

for (const protocol of ['sotw', 'delta'] as const)
  t.test(
    `${protocol}: what was sent together is offered apart until it is known what is refused`,
    async (t) => {
      const s = story();
      const names = ['a', 'b', 'c', 'd', 'e'];
      await s.apply(names.map((name) => eds(name)));
      const envoy = s.connect(protocol);
      if (protocol === 'sotw') envoy.ask('EDS', ...names);
      else envoy.send('EDS', { resource_names_subscribe: names });
      envoy.got();
      envoy.ack('EDS');
      const { revision } = await s.apply(names.map((name) => eds(name, name === 'b' ? 'bad' : 'v2')));
      const has = (name: string) =>
        envoy.session.hasConfirmed({ revision, resources: new Map([[endpointType, new Set([name])]]) });
      const offered: string[] = [];
      for (let got = envoy.got(); got.length > 0; got = envoy.got()) {
        offered.push(...got.map((text) => text.replaceAll('+', '')));
        t.equal(got.length, 1, 'one response at a time');
        if (offered.at(-1)?.includes('b')) envoy.nack('EDS', 'no');
        else envoy.ack('EDS');
      }
      t.same(offered, ['EDS a b c d e', 'EDS a b c', 'EDS a b', 'EDS a', 'EDS b', 'EDS c', 'EDS d e']);
      t.same(names.filter(has), ['a', 'c', 'd', 'e']);
      t.match(envoy.state('EDS'), { state: 'NACKED', nack: { names: ['b'], message: 'no' } });
      t.same(
        s.nacks.map(({ isNews }) => isNews),
        [true, false, false, true],
        'what is found out is news, the way to it is not',
      );
      await s.apply([eds('b', 'good')]);
      t.same(envoy.got().length, 1);
      envoy.ack('EDS');
      t.match(envoy.state('EDS'), { state: 'SYNCED', nack: undefined });
    },
  );

t.test('a refused resource is offered again, at growing intervals, until it is accepted', async (t) => {
  const s = await connected('l');
  const { envoy } = s;
  await s.apply([lds('m', 'r')]);
  t.same(envoy.got(), ['LDS +m']);
  s.refuseListener('m');
  const pauses: number[] = [];
  for (let waited = 0; pauses.length < 9; ) {
    s.pass(1000);
    waited += 1000;
    const got = envoy.got();
    if (got.length === 0) continue;
    t.same(got, ['LDS +m']);
    pauses.push(waited);
    waited = 0;
    s.refuseListener('m');
    t.match(envoy.state('LDS')?.nack, { names: ['m'] });
  }
  t.same(pauses, [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000]);
  t.same(s.nacks.map(({ isNews }) => isNews).indexOf(true, 1), -1, 'told once');
  t.equal(s.hub.stats.refusedAgain, 9);
  s.pass(60_000);
  t.same(envoy.got(), ['LDS +m']);
  envoy.ack('LDS');
  t.match(envoy.state('LDS'), { state: 'SYNCED', nack: undefined });
  s.pass(120_000);
  t.same(
    envoy.got().filter((text) => text.startsWith('LDS')),
    [],
  );
});

for (const protocol of ['sotw', 'delta'] as const)
  t.test(
    `${protocol}: the pauses of several refused resources grow too (go-control-plane 962)`,
    async (t) => {
      const s = story();
      await s.apply([cds('a'), cds('b'), cds('c')]);
      const envoy = s.connect(protocol);
      envoy.send('CDS', {});
      const offers: number[] = [];
      for (let second = 0; second <= 240; second += 1) {
        // Which one it refuses it does not say: on Delta each is offered alone, without a pause.
        for (let some = envoy.got(); some.length > 0; some = envoy.got()) {
          if (offers.at(-1) !== second) offers.push(second);
          envoy.nack('CDS', 'no');
        }
        s.pass(1_000);
      }
      t.same(offers, [0, 1, 3, 7, 15, 31, 63, 123, 183]);
      t.match(envoy.state('CDS'), { state: 'NACKED' });
      await s.apply([cds('b', 'v2')]);
      t.not(envoy.got().length, 0, 'new content goes at once');
    },
  );

t.test('new content is offered at once, and starts with the first pause', async (t) => {
  const s = await connected('l');
  const { envoy } = s;
  await s.apply([lds('m', 'r')]);
  for (const ms of [0, 1000, 2000]) {
    s.pass(ms);
    t.same(envoy.got(), ['LDS +m']);
    s.refuseListener('m');
  }
  await s.apply([lds('m', 'r', 'v2')]);
  t.same(envoy.got(), ['LDS +m']);
  s.refuseListener('m');
  t.equal(s.nacks.at(-1)?.isNews, true);
  s.pass(offerLimits.pauseMs);
  t.same(envoy.got(), ['LDS +m']);
});

t.test(
  'State of the World: the whole state is offered again; only the named resources count as refused',
  async (t) => {
    const s = story();
    await s.apply([lds('l', 'r'), lds('m', 'r')]);
    const envoy = s.connect('sotw');
    envoy.ask('LDS');
    t.same(envoy.got(), ['LDS l m']);
    envoy.nack('LDS', inUse('m'));
    const has = (name: string) =>
      envoy.session.hasConfirmed({
        revision: s.hub.revision(),
        resources: new Map([[listenerType, new Set([name])]]),
      });
    t.ok(has('l'));
    t.notOk(has('m'));
    s.pass(1000);
    t.same(envoy.got(), ['LDS l m']);
    envoy.ack('LDS');
    t.ok(has('m'));
  },
);

t.test(
  'a listener that was never accepted keeps no cluster; one that keeps its earlier version does',
  async (t) => {
    const s = await connected('l');
    const { envoy } = s;
    await s.apply([cds('b'), eds('b'), lds('m', 'r')]);
    envoy.got();
    envoy.ack('CDS');
    envoy.got();
    s.refuseListener('m');
    await s.apply([gone('CDS', 'b'), gone('EDS', 'b')]);
    t.same(envoy.got(), ['CDS -b'], 'm may not name it: there is no m');
    envoy.ack('CDS');
    await s.apply([cds('c')]);
    envoy.got();
    envoy.ack('CDS');
    await s.apply([lds('l', 'r', 'v2')]);
    envoy.got();
    s.refuseListener('l');
    await s.apply([gone('CDS', 'c')]);
    t.same(envoy.got(), [], 'the old l may name it');
    t.match(s.hub.differences(1)[0], { type: 'CDS', name: 'c', state: 'held', now: undefined });
  },
);

t.test('a removal in a refused response is sent again', async (t) => {
  const s = await connected('l', 'm');
  const { envoy } = s;
  await s.apply([lds('l', 'r', 'bad'), gone('LDS', 'm')]);
  t.same(envoy.got(), ['LDS +l -m']);
  envoy.nack('LDS', 'Proto constraint validation failed');
  t.same(envoy.got(), ['LDS +l']);
  envoy.nack('LDS', 'Proto constraint validation failed');
  t.same(envoy.got(), ['LDS -m']);
  envoy.ack('LDS');
  t.match(envoy.state('LDS')?.nack, { names: ['l'] });
});

t.test(
  'with the last refused resource goes the refusal, also when it is not asked for any more',
  async (t) => {
    const s = await connected('l');
    const { envoy } = s;
    await s.apply([rds('r', 'bad')]);
    envoy.got();
    envoy.nack('RDS', 'no');
    envoy.send('RDS', { resource_names_unsubscribe: ['r'] });
    t.equal(envoy.state('RDS')?.nack, undefined);
  },
);

t.test(
  'the log of a NACK names what was refused; where the words do not tell, that any of it may be',
  async (t) => {
    const lines: object[] = [];
    const log = {
      ...silentLogger,
      warn: (message: string, fields?: object) => void lines.push({ ...fields, what: message }),
    };
    const server = createXdsServer({ log });
    t.teardown(() => server.close());
    const at = `127.0.0.1:${await server.listen('127.0.0.1:0')}`;
    server.apply('n', [cds('a'), cds('b')]);
    const client = connectXds(at, 'delta', { id: 'n' });
    t.teardown(() => client.close());
    client.send('CDS', { resource_names_subscribe: ['*'] });
    client.nack(await client.next(), 'Error adding/updating cluster(s) b: no such file');
    await client.next().then((again) => client.ack(again));
    server.apply('n', [cds('c'), cds('d')]);
    client.nack(await client.next(), 'something is wrong');
    await client.next();
    t.match(lines, [
      { what: 'NACK', refused: ['b'], refusedOneOf: undefined },
      { what: 'NACK', refused: undefined, refusedOneOf: ['c', 'd'] },
    ]);
  },
);

for (const older of [undefined, 'an older one'])
  t.test(`a client that reconnects ${older ? 'with' : 'without'} the resource that it refuses`, async (t) => {
    const s = story();
    await s.apply([cds('a'), cds('b'), eds('a'), eds('b'), rds('good'), rds('bad')]);
    const envoy = s.connect('delta');
    const { good } = envoy.versions('RDS');
    const [clusters, endpoints] = [envoy.versions('CDS'), envoy.versions('EDS')];
    const routes = { good, ...(older && { bad: older }) };
    envoy.send('CDS', { resource_names_subscribe: ['*'], initial_resource_versions: clusters });
    envoy.send('EDS', { resource_names_subscribe: ['a', 'b'], initial_resource_versions: endpoints });
    envoy.send('RDS', { resource_names_subscribe: ['good', 'bad'], initial_resource_versions: routes });
    for (const text of envoy.got()) if (!text.startsWith('RDS')) envoy.ack(text.split(' ')[0] as string);
    envoy.got();
    envoy.nack('RDS', 'no');
    t.same(envoy.state('RDS')?.nack?.lacking, older ? [] : ['bad']);
    s.pass(10_000);
    envoy.got();
    envoy.nack('RDS', 'no');
    await s.apply([gone('CDS', 'b'), gone('EDS', 'b')]);
    // An older version may name the cluster.
    t.same(envoy.got(), older ? [] : ['CDS -b']);
    t.same(envoy.state('RDS')?.nack?.lacking, older ? [] : ['bad'], 'refused again');
  });
