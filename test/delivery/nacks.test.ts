import t from 'tap';
import { describeNacks } from '../../src/delivery/nacks.ts';

t.test('one problem for each type and reason, with who says it', async (t) => {
  const refused = (type: string, message: string) => ({ type, nack: { message } });
  const fine = { type: 'CDS', nack: undefined };
  const problems = describeNacks([
    { node: 'c', types: [fine, refused('ECDS', 'no such root')] },
    { node: 'a', types: [refused('ECDS', 'no such root'), refused('RDS', 'no cluster x')] },
    { node: 'b', types: [refused('ECDS', 'no such root')] },
    { node: 'd', types: [refused('ECDS', 'another reason'), fine] },
  ]);
  const of = (where: string, message: string) => ({ severity: 'error', where, path: '', message });
  t.same(problems, [
    of('ECDS', 'a and 2 more refused it and kept the last good one: no such root'),
    of('RDS', 'a refused it and kept the last good one: no cluster x'),
    of('ECDS', 'd refused it and kept the last good one: another reason'),
  ]);
  t.same(describeNacks([{ node: 'a', types: [fine] }]), []);
});
