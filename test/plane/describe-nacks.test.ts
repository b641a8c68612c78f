import t from 'tap';
import { describeNacks, remainderOf, remedyOf } from '../../src/plane/describe-nacks.ts';

t.test('one problem per type and reason, with the proxies', async (t) => {
  const refused = (type: string, message: string) => ({ type, nack: { message, names: ['x'], lacking: [] } });
  const fine = { type: 'CDS', nack: undefined };
  const problems = describeNacks([
    { node: 'c', types: [fine, refused('ECDS', 'no such root')] },
    { node: 'a', types: [refused('ECDS', 'no such root'), refused('RDS', 'no cluster x')] },
    { node: 'b', types: [refused('ECDS', 'no such root')] },
    { node: 'd', types: [refused('ECDS', 'another reason'), fine] },
  ]);
  const correct = 'Correct the object that it comes from, or what it needs on that machine.';
  const code = 'ResourceRefused';
  const of = (where: string, message: string) => ({ code, severity: 'error', where, path: '', message });
  t.same(problems, [
    of('ECDS', `a and 2 more refused x and kept the last good one: no such root. ${correct}`),
    of('RDS', `a refused x and kept the last good one: no cluster x. ${correct}`),
    of('ECDS', `d refused x and kept the last good one: another reason. ${correct}`),
  ]);
  t.same(describeNacks([{ node: 'a', types: [fine] }]), []);
  const [unknown] = describeNacks([
    { node: 'a', types: [{ type: 'CDS', nack: { message: 'no', names: [], lacking: [] } }] },
  ]);
  t.match(unknown?.message, /^a refused a part of it and continues with what it had, if anything: no\./);
});

t.test('the problem says whether the proxy keeps an earlier version or has none', async (t) => {
  const says = (names: string[], lacking: string[]) => remainderOf({ names, lacking });
  t.equal(says(['x'], []), 'kept the last good one');
  t.equal(says(['x'], ['x']), 'goes without it, having no earlier one');
  t.equal(says(['x', 'y'], ['y']), 'goes without y, and kept the last good of the others');
  const nack = (lacking: string[]) => ({ message: 'no', names: ['x'], lacking });
  const both = describeNacks([
    { node: 'a', types: [{ type: 'LDS', nack: nack([]) }] },
    { node: 'b', types: [{ type: 'LDS', nack: nack(['x']) }] },
  ]);
  t.match(
    both.map(({ message }) => message),
    [/^a refused x and kept/, /^b refused x and goes without it/],
  );
});

t.test('what to do about a port that cannot be bound', async (t) => {
  const bind = (why: string) =>
    remedyOf(`Error adding/updating listener(s) l: cannot bind '127.0.0.1:80': ${why}\n`);
  t.match(bind('Address already in use'), /^Another process has 127\.0\.0\.1:80 on that machine: stop it/);
  t.match(bind('Cannot assign requested address'), /does not have the address/);
  t.match(bind('Permission denied'), /CAP_NET_BIND_SERVICE/);
});
