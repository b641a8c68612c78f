import t from 'tap';
import { cases, wrongOf } from '../../../bench/codec/cases.ts';
import { contenders } from '../../../bench/codec/contenders.ts';

const load = async (name: string) => {
  const codec = await contenders.find((one) => one.name === name)?.load('');
  if (codec === undefined) throw new Error(`there is no ${name}`);
  return codec;
};

t.test('proto3 JSON: every case is right', async (t) => {
  t.ok(cases.length > 30);
  t.same(wrongOf(await load('our own')), []);
});

t.test('the control: what is no codec for proto3 JSON gets most of them wrong', async (t) => {
  t.ok(wrongOf(await load('protobufjs fromObject')).length > cases.length / 2);
});
