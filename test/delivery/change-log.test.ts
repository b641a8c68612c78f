import t from 'tap';
import { type LogFields, type Logger, silentLogger } from '../../src/base/log.ts';
import { createChangeLog } from '../../src/delivery/change-log.ts';
import type { NewEvent } from '../../src/events/event.ts';
import { createIndex } from '../../src/index/store.ts';
import type { Change, MeshObject, Ref } from '../../src/model/object.ts';
import { manualClock } from '../support/manual-clock.ts';

/** Changes of an index, with what is logged at `info` and told of them. */
function setup() {
  const lines: (LogFields & { msg: string })[] = [];
  const told: NewEvent[] = [];
  const logger: Logger = {
    ...silentLogger,
    info: (msg, fields) => void lines.push({ msg, ...fields }),
  };
  const clock = manualClock();
  const index = createIndex({ idc: 'sh-a' });
  const log = createChangeLog({
    ...{ clock, logger, events: { note: (event) => void told.push(event) } },
    contentOf: (ref) => index.contentOf(ref),
  });
  return {
    ...{ clock, log },
    apply(source: string, batch: readonly Change[]) {
      const before = log.before(source, batch);
      index.apply(batch);
      log.applied(source, batch, before);
    },
    lines: () => lines.splice(0),
    told: () => told.splice(0),
  };
}

const meta = (name: string) => ({
  ...{ namespace: 'shop', name, labels: {}, annotations: {}, origin: `${name}.yaml:1` },
});
const upsert = (name: string, address = '10.0.0.1'): Change => {
  const spec = { address, ports: { http: 80 }, labels: {}, weight: 1 };
  const object = { kind: 'WorkloadEntry', meta: meta(name), spec } as unknown as MeshObject;
  return { type: 'upsert', object, at: 0 };
};
const refTo = (name: string): Ref => ({ kind: 'WorkloadEntry', namespace: 'shop', name });
const synced: Change = { type: 'synced', source: 'files', at: 0 };

t.test('a start is one line and no event, and each later change an event of its own', async (t) => {
  const { apply, lines, told } = setup();
  apply('files', [upsert('a'), upsert('b')]);
  t.same(lines(), [], 'still being read');
  apply('files', [upsert('c'), synced]);
  t.same(lines(), [{ msg: 'source read', source: 'files', objects: 3 }]);
  t.same(told(), []);
  apply('files', [upsert('a', '10.0.0.9'), { type: 'delete', ref: refTo('b'), at: 0 }, upsert('d')]);
  const of = { kind: 'change', source: 'files' };
  const field = { path: 'address', from: '"10.0.0.1"', to: '"10.0.0.9"' };
  t.same(told(), [
    { ...of, change: 'changed', object: 'WorkloadEntry shop/a', fields: [field], where: 'a.yaml:1' },
    { ...of, change: 'removed', object: 'WorkloadEntry shop/b' },
    { ...of, change: 'added', object: 'WorkloadEntry shop/d', where: 'd.yaml:1' },
  ]);
  apply('registrations', [upsert('x')]);
  t.same(told(), [], 'each source has a start of its own');
  t.same(lines(), [], 'events write their own lines');
});

t.test('an object is compared with what was in force, field by field', async (t) => {
  const { apply, told } = setup();
  const idc = (port: number, label?: string): Change => {
    const labels = label === undefined ? {} : { 'a/b': label };
    const spec = { ingress: [{ address: '10.1.0.1', edgePort: port }], egress: [] };
    const object = { kind: 'Idc', meta: { ...meta('sh-b'), namespace: '', labels }, spec };
    return { type: 'upsert', object: object as unknown as MeshObject, at: 0 };
  };
  apply('files', [idc(80), synced]);
  apply('files', [idc(81, 'new')]);
  t.match(told(), [
    {
      object: 'Idc sh-b',
      fields: [
        { path: 'metadata.labels."a/b"', to: '"new"' },
        { path: 'spec.ingress[0].edgePort', from: '80', to: '81' },
      ],
    },
  ]);
});

t.test('who asked for a change is named, for a while', async (t) => {
  const { apply, log, clock, told } = setup();
  apply('files', [synced]);
  log.asks(refTo('a'), '10.9.9.9');
  apply('files', [upsert('a'), upsert('b')]);
  t.strictSame(
    told().map((event) => ('by' in event ? event.by : undefined)),
    ['10.9.9.9', undefined],
  );
  log.asks(refTo('a'), '10.9.9.9');
  clock.pass(60_000);
  apply('files', [upsert('a', '10.0.0.2')]);
  t.notOk('by' in (told()[0] as object), 'that was for an earlier one');
  for (let i = 0; i < 5_000; i += 1) log.asks(refTo(`n${i}`), '10.9.9.9');
  t.equal(log.askedBy(refTo('n0')), undefined, 'only the last thousand are kept');
  t.equal(log.askedBy(refTo('n4999')), '10.9.9.9');
});

t.test('a thousand changes that were read together are not a thousand events', async (t) => {
  const { apply, told } = setup();
  apply('files', [synced]);
  apply(
    'files',
    Array.from({ length: 1_000 }, (_, i) => upsert(`w${i}`)),
  );
  const events = told();
  t.equal(events.length, 21);
  t.same(events.at(-1), { kind: 'change', source: 'files', more: 980 });
});

t.test('evacuations are told by themselves', async (t) => {
  const { apply, told } = setup();
  apply('files', [synced]);
  apply('files', [{ type: 'delete', ref: { kind: 'Evacuation', namespace: '', name: 'e' }, at: 0 }]);
  t.same(told(), []);
});
