import t from 'tap';
import { type LogFields, type Logger, silentLogger } from '../../src/base/log.ts';
import { createChangeLog } from '../../src/delivery/change-log.ts';
import type { Change, MeshObject } from '../../src/model/object.ts';

/** A log of changes, and the lines that it writes at `info`. */
function setup() {
  const lines: (LogFields & { msg: string })[] = [];
  const logger: Logger = {
    ...silentLogger,
    info: (msg, fields) => void lines.push({ msg, ...fields }),
  };
  return { log: createChangeLog(logger), taken: () => lines.splice(0) };
}

const upsert = (name: string): Change => {
  const object = { kind: 'WorkloadEntry', meta: { namespace: 'shop', name } } as unknown as MeshObject;
  return { type: 'upsert', object, at: 0 };
};
const synced: Change = { type: 'synced', source: 'files', at: 0 };

t.test('a start is one line, and each later change one of its own', async (t) => {
  const { log, taken } = setup();
  log('files', [upsert('a'), upsert('b')]);
  t.same(taken(), [], 'still being read');
  log('files', [upsert('c'), synced]);
  t.same(taken(), [{ msg: 'source read', source: 'files', objects: 3 }]);
  log('files', [upsert('a'), { type: 'delete', ref: { kind: 'Idc', namespace: '', name: 'sh-b' }, at: 0 }]);
  t.same(taken(), [
    { msg: 'registry change', source: 'files', change: 'upsert', object: 'WorkloadEntry shop/a' },
    { msg: 'registry change', source: 'files', change: 'delete', object: 'Idc sh-b' },
  ]);
  log('registrations', [upsert('x')]);
  t.same(taken(), [], 'each source has a start of its own');
});

t.test('a thousand changes that were read together are not a thousand lines', async (t) => {
  const { log, taken } = setup();
  log('files', [synced]);
  taken();
  log(
    'files',
    Array.from({ length: 1_000 }, (_, i) => upsert(`w${i}`)),
  );
  const lines = taken();
  t.equal(lines.length, 21);
  t.same(lines.at(-1), { msg: 'more registry changes', source: 'files', more: 980 });
});
