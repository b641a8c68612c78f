import t from 'tap';
import { WholeTables, wholeTableCheckMs } from '../../src/plane/whole-tables.ts';
import { listenerType, routeType } from '../../src/xds/resource-types.ts';
import { manualClock } from '../support/manual-clock.ts';

const isthmus = {
  role: 'ingress',
  idc: 'sh-a',
  edge: { address: '127.0.0.1', port: 1 },
  peer: { address: '127.0.0.1', port: 2 },
};

function start() {
  const clock = manualClock();
  const served: string[] = [];
  const subscribed = new Set<string>();
  const tables = new WholeTables({
    clock,
    pipeline: { serveWhole: (nodeClass, listeners) => void served.push(`${nodeClass}: ${listeners}`) },
    isSubscribed: (nodeClass, name) => subscribed.has(`${nodeClass}/${name}`),
  });
  const ask = (nodeClass: string, names: readonly string[], typeUrl = routeType) => {
    for (const name of names) subscribed.add(`${nodeClass}/${name}`);
    const stream = { nodeClass, node: { metadata: { isthmus } } };
    tables.subscribed({ stream: stream as never, typeUrl, names: (name) => names.includes(name) });
  };
  return { clock, served, subscribed, tables, ask };
}

t.test('a table of all hosts is served while a proxy of the class asks for it', async (t) => {
  const { clock, served, subscribed, ask } = start();
  ask('new', ['edge/a.shop', 'edge/*']);
  ask('other', ['edge'], listenerType);
  t.strictSame(served, [], 'nobody does');
  ask('old', ['edge']);
  ask('old', ['edge']);
  ask('old', ['peer', 'edge']);
  t.strictSame(served.splice(0), ['old: edge', 'old: edge,peer'], 'once');
  clock.pass(3 * wholeTableCheckMs);
  t.strictSame(served, [], 'they still do');
  subscribed.delete('old/edge');
  clock.pass(wholeTableCheckMs);
  t.strictSame(served.splice(0), ['old: peer']);
  subscribed.clear();
  clock.pass(wholeTableCheckMs);
  t.strictSame(served.splice(0), ['old: ']);
  ask('old', ['edge']);
  t.strictSame(served, ['old: edge'], 'and again');
});

t.test('a class that is gone is forgotten', async (t) => {
  const { clock, served, subscribed, tables, ask } = start();
  ask('old', ['edge']);
  tables.forget('old');
  subscribed.clear();
  clock.pass(wholeTableCheckMs);
  t.strictSame(served, ['old: edge']);
  ask('old', ['edge']);
  tables.close();
  subscribed.clear();
  clock.pass(wholeTableCheckMs);
  t.equal(served.length, 2, 'closed');
});
