import t from 'tap';
import { describeNacks, remedyOf } from '../../src/delivery/nacks.ts';

t.test('one problem for each type and reason, with who says it', async (t) => {
  const refused = (type: string, message: string) => ({ type, nack: { message, names: ['x'] } });
  const fine = { type: 'CDS', nack: undefined };
  const problems = describeNacks([
    { node: 'c', types: [fine, refused('ECDS', 'no such root')] },
    { node: 'a', types: [refused('ECDS', 'no such root'), refused('RDS', 'no cluster x')] },
    { node: 'b', types: [refused('ECDS', 'no such root')] },
    { node: 'd', types: [refused('ECDS', 'another reason'), fine] },
  ]);
  const correct = 'Correct the object that it comes from, or what it needs on that machine.';
  const of = (where: string, message: string) => ({ severity: 'error', where, path: '', message });
  t.same(problems, [
    of('ECDS', `a and 2 more refused x and kept the last good one: no such root. ${correct}`),
    of('RDS', `a refused x and kept the last good one: no cluster x. ${correct}`),
    of('ECDS', `d refused x and kept the last good one: another reason. ${correct}`),
  ]);
  t.same(describeNacks([{ node: 'a', types: [fine] }]), []);
  const [unknown] = describeNacks([
    { node: 'a', types: [{ type: 'CDS', nack: { message: 'no', names: [] } }] },
  ]);
  t.match(unknown?.message, /^a refused it and/);
});

t.test('what to do about a port that cannot be bound', async (t) => {
  const bind = (why: string) =>
    remedyOf(`Error adding/updating listener(s) l: cannot bind '127.0.0.1:80': ${why}\n`);
  t.match(bind('Address already in use'), /^Another process has 127\.0\.0\.1:80 on that machine: stop it/);
  t.match(bind('Cannot assign requested address'), /does not have the address/);
  t.match(bind('Permission denied'), /CAP_NET_BIND_SERVICE/);
});
