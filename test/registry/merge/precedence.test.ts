import t from 'tap';
import type { Change, MeshObject } from '../../../src/model/object.ts';
import { refKey, refOf } from '../../../src/model/object.ts';
import { createPrecedence } from '../../../src/registry/merge/precedence.ts';
import { parseObject } from '../../../src/registry/parse/object.ts';
import { workload } from '../objects.ts';

const object = (name: string, source: string): MeshObject =>
  parseObject(workload(name), `${source} ${name}`).object as MeshObject;
const put = (name: string, source: string): Change => ({
  type: 'upsert',
  object: object(name, source),
  at: 1,
});
const drop = (name: string): Change => ({
  type: 'delete',
  ref: { kind: 'WorkloadEntry', namespace: 'shop', name },
  at: 2,
});

/** `+name from`, `-name`. */
function words(batch: readonly Change[]): string[] {
  return batch.map((change) => {
    if (change.type === 'synced') return 'synced';
    if (change.type === 'delete') return `-${refKey(change.ref).split('/').at(-1)}`;
    return `+${refOf(change.object).name} ${change.object.meta.origin.split(' ')[0]}`;
  });
}

t.test('the first source counts, whichever was first to say it; the other takes its place', async (t) => {
  const precedence = createPrecedence(['files', 'registrations']);
  t.strictSame(words(precedence.admit(1, [put('a', 'second')])), ['+a second']);
  t.strictSame(precedence.overruled(), []);
  t.strictSame(words(precedence.admit(0, [put('a', 'first')])), ['+a first']);
  t.strictSame(words(precedence.admit(1, [put('a', 'second')])), [], 'waits');
  t.match(
    precedence.overruled().map(({ finding }) => finding),
    [{ where: /^second/, message: /source files has an object of this name.*Rename/ }],
  );
  t.strictSame(words(precedence.admit(0, [drop('a')])), ['+a second'], 'nothing is gone in between');
  t.strictSame(precedence.overruled(), []);
  t.strictSame(words(precedence.admit(1, [drop('a')])), ['-a']);
});

t.test('the waiting duplicate may go without an event', async (t) => {
  const precedence = createPrecedence(['files', 'registrations']);
  precedence.admit(0, [put('a', 'first')]);
  precedence.admit(1, [put('a', 'second')]);
  t.strictSame(words(precedence.admit(1, [drop('a')])), []);
  t.strictSame(words(precedence.admit(0, [drop('a')])), ['-a']);
});

t.test('other changes pass, and what nobody had may be deleted', async (t) => {
  const precedence = createPrecedence(['files', 'registrations']);
  const synced: Change = { type: 'synced', source: 'files', at: 1 };
  t.strictSame(words(precedence.admit(0, [put('a', 'first'), synced, drop('b')])), [
    '+a first',
    'synced',
    '-b',
  ]);
  t.strictSame(words(precedence.admit(1, [drop('a')])), [], 'but not what another one has');
});
