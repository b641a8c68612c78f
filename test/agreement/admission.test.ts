import t from 'tap';
import { resolveNames, skippedSteps } from '../../src/agreement/admission.ts';
import { type TlsMode, tlsModes } from '../../src/model/idc.ts';
import type { MeshObject } from '../../src/model/object.ts';

function group(...hosts: string[]): MeshObject {
  return {
    kind: 'DrGroup',
    meta: { namespace: '', name: '', labels: {}, annotations: {}, origin: '' },
    spec: { hosts, idcs: [], hopLimit: 1, traffic: {} },
  };
}

/** Who is rejected, and who has what they want: `b: x of a`. */
function resolve(candidates: Record<string, string[]>, inForce: Record<string, string[]> = {}): string[] {
  const owners = new Map<string, string>();
  for (const [key, hosts] of Object.entries(inForce)) for (const host of hosts) owners.set(host, key);
  const objects = new Map(Object.entries(candidates).map(([key, hosts]) => [key, group(...hosts)]));
  return [...resolveNames(objects, owners, (key) => key in inForce)].map(
    ([key, taken]) => `${key}: ${[...taken].map(([name, owner]) => `${name} of ${owner}`).join()}`,
  );
}

t.test('a free host goes to the first', async (t) => {
  t.strictSame(resolve({ a: ['x'], b: ['x'], c: ['y'] }), ['b: x of a']);
});

t.test('the owner of a host keeps it, whatever the order', async (t) => {
  t.strictSame(resolve({ a: ['x'] }, { b: ['x'] }), ['a: x of b']);
  t.strictSame(resolve({ a: ['x'], b: ['x', 'z'] }, { b: ['x'] }), ['a: x of b']);
});

t.test('swaps and chains within one call', async (t) => {
  t.strictSame(resolve({ a: ['y'], b: ['x'] }, { a: ['x'], b: ['y'] }), []);
  t.strictSame(resolve({ a: ['y'], b: ['z'], c: ['x'] }, { a: ['x'], b: ['y'], c: ['z'] }), []);
});

t.test('all or nothing: hosts of a rejected object are free for others', async (t) => {
  t.strictSame(resolve({ a: ['x', 'y'], b: ['x'] }, { c: ['y'] }), ['a: y of c']);
});

t.test('hosts of a rejected object in force are not given away', async (t) => {
  // a may not have y, so it keeps x, which b was about to get.
  t.strictSame(resolve({ b: ['x'], a: ['y'] }, { a: ['x'], c: ['y'] }), ['a: y of c', 'b: x of a']);
});

t.test('TLS changes by one step, in either direction', async (t) => {
  const idc = (mode?: TlsMode, egressTls?: TlsMode): MeshObject => ({
    kind: 'Idc',
    meta: { namespace: '', name: 'sh-a', labels: {}, annotations: {}, origin: '' },
    spec: {
      ...{ ingress: [], egress: [] },
      ...(mode && { peerTls: { mode, roots: '' } }),
      ...(egressTls && { egressTls }),
    },
  });
  const told = (old: MeshObject, next: MeshObject) =>
    skippedSteps(old, next).map(({ path, message }) => `${path.join('.')}: ${message}`);
  for (const [a, from] of tlsModes.entries())
    for (const [b, to] of tlsModes.entries()) {
      const isStep = Math.abs(a - b) <= 1;
      t.equal(told(idc(from), idc(to)).length, isStep ? 0 : 1, `peerTls: ${from} to ${to}`);
      t.equal(told(idc('off', from), idc('off', to)).length, isStep ? 0 : 1, `egressTls: ${from} to ${to}`);
    }
  t.match(told(idc('off'), idc('require')), [
    /^spec\.peerTls\.mode: goes from off to require at once.*give accept first/,
  ]);
  t.match(told(idc('require'), idc()), [/^spec\.peerTls: goes from require to off at once.*give use first/]);
  t.strictSame(told(idc('accept'), idc()), [], 'absent is off');
  t.strictSame(told(group('x'), group('y')), []);
});
