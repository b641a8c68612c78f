import t from 'tap';
import { ignoredUpgrades, noneOf } from '../../src/translate/upgrades.ts';

t.test('all names but these, whatever they begin or end with', async (t) => {
  const names = ['websocket', 'web', 'spdy/3.1', 'tcp'];
  const patterns = noneOf(names).map((regex) => new RegExp(`^(?:${regex})$`, 'i'));
  const matches = (text: string) => patterns.some((pattern) => pattern.test(text));
  for (const name of names) {
    t.notOk(matches(name), name);
    t.notOk(matches(name.toUpperCase()), name.toUpperCase());
    for (let length = 1; length < name.length; length += 1) {
      const beginning = name.slice(0, length);
      t.equal(matches(beginning), !names.includes(beginning), beginning);
      t.ok(matches(`${beginning}~`), `${beginning}~`);
    }
    t.ok(matches(`${name}s`), `${name}s`);
    t.ok(matches(`x${name}`), `x${name}`);
  }
  for (const other of ['h2c', 'TLS/1.0', 'foo', 'W', 'websockets']) t.ok(matches(other), other);
});

t.test('no pattern is long: older Envoys bound their size', async (t) => {
  for (const { safe_regex } of ignoredUpgrades) t.ok((safe_regex?.regex?.length ?? 0) < 150);
});
