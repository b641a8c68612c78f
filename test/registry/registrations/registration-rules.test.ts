import t from 'tap';
import { MeshError } from '../../../src/base/error.ts';
import type { Registration } from '../../../src/registry/registrations/registration.ts';
import { decideOp, type RegistrationOp } from '../../../src/registry/registrations/registration-rules.ts';

const key = { namespace: 'shop', name: 'a' };
const spec = { address: '10.0.0.1', ports: { http: 80 }, labels: { app: 'checkout' } };
const wallMs = 1_000_000;

const stands = (state: Registration['state'], generation = 5, expired = false): Registration => ({
  ...key,
  generation,
  state,
  expired,
  ttlMs: 15_000,
  spec,
  edit: 0,
  knownTo: [],
});
const register = (generation?: number, address = spec.address): RegistrationOp => ({
  type: 'register',
  key,
  input: { ttlMs: 15_000, spec: { ...spec, address }, ...(generation === undefined ? {} : { generation }) },
});
const op = (type: 'drain' | 'resume' | 'deregister', generation?: number): RegistrationOp => ({
  type,
  key,
  generation,
});
const expire: RegistrationOp = { type: 'expire', key, generation: 5 };
const release: RegistrationOp = { type: 'release', key };

/** `state generation`, `same`, or the code of the error. */
function outcome(standing: Registration | undefined, what: RegistrationOp, isFree = false): string {
  try {
    const { next, changed } = decideOp(standing, what, { wallMs, isFree });
    if (!changed) return 'same';
    return next === undefined
      ? 'nothing'
      : `${next.state}${next.expired ? ' expired' : ''} ${next.generation}`;
  } catch (reason) {
    return MeshError.from(reason).code;
  }
}

// What stands, what is asked, what comes of it.
const table: readonly [string, Registration | undefined, RegistrationOp, string][] = [
  ['a first life', undefined, register(5), 'ready 5'],
  ['a first life without a number', undefined, register(), `ready ${wallMs}`],
  ['the same again', stands('ready'), register(5), 'same'],
  ['the same life, changed', stands('ready'), register(5, '10.0.0.2'), 'ready 5'],
  ['a newer life takes over', stands('ready'), register(6), 'ready 6'],
  ['a newer life without a number', stands('ready', wallMs + 9), register(), `ready ${wallMs + 10}`],
  ['an older life comes too late', stands('ready'), register(4), 'conflict'],
  ['registering again does not end a drain', stands('draining'), register(5), 'same'],
  ['a newer life is not drained', stands('draining'), register(6), 'ready 6'],
  ['a late register of a life that is leaving', stands('leaving'), register(5), 'conflict'],
  ['a late register of a life that is gone', stands('gone'), register(5), 'conflict'],
  ['a newer life while the old one leaves', stands('leaving'), register(6), 'ready 6'],
  ['a life whose lease ran out comes back', stands('leaving', 5, true), register(5), 'ready 5'],
  ['drain', stands('ready'), op('drain', 5), 'draining 5'],
  ['drain again', stands('draining'), op('drain', 5), 'same'],
  ['drain of nobody', undefined, op('drain', 5), 'not-found'],
  ['drain of an older life', stands('ready'), op('drain', 4), 'conflict'],
  ['drain of a life that is not there yet', stands('ready'), op('drain', 6), 'not-found'],
  ['drain of one that leaves', stands('leaving'), op('drain', 5), 'conflict'],
  ['drain of one whose lease ran out', stands('leaving', 5, true), op('drain', 5), 'not-found'],
  ['resume', stands('draining'), op('resume', 5), 'ready 5'],
  ['resume of one that serves', stands('ready'), op('resume', 5), 'same'],
  ['deregister', stands('ready'), op('deregister', 5), 'leaving 5'],
  ['deregister of whichever is there', stands('draining'), op('deregister'), 'leaving 5'],
  ['deregister again', stands('leaving'), op('deregister', 5), 'same'],
  ['deregister when it is gone', stands('gone'), op('deregister', 5), 'same'],
  ['deregister of nobody', undefined, op('deregister', 5), 'same'],
  [
    'a deregister of an older life never takes the newer one',
    stands('ready', 6),
    op('deregister', 5),
    'same',
  ],
  ['a deregister of a life that is not there', stands('ready'), op('deregister', 6), 'same'],
  [
    'deregister after the lease ran out: no coming back',
    stands('leaving', 5, true),
    op('deregister', 5),
    'leaving 5',
  ],
  ['a lease runs out', stands('ready'), expire, 'leaving expired 5'],
  ['a drained one’s lease runs out', stands('draining'), expire, 'leaving expired 5'],
  ['the lease of an older life', stands('ready', 6), expire, 'same'],
  ['release', stands('leaving'), release, 'gone 5'],
  ['release after a lease', stands('leaving', 5, true), release, 'nothing'],
  ['a release that comes after a newer life', stands('ready', 6), release, 'same'],
  ['a release of one that is only drained', stands('draining'), release, 'same'],
  ['forget', stands('gone'), { type: 'forget', key }, 'nothing'],
  ['forget, but a new life is there', stands('ready'), { type: 'forget', key }, 'same'],
];

for (const [name, standing, what, expected] of table) {
  t.test(name, async (t) => {
    t.equal(outcome(standing, what), expected);
  });
}

t.test('a drained instance that no proxy has is gone at once', async (t) => {
  t.equal(outcome(stands('draining'), op('deregister', 5), true), 'gone 5');
});

t.test('an older generation is told the newer one', async (t) => {
  try {
    decideOp(stands('ready'), register(4), { wallMs, isFree: false });
    t.fail('must throw');
  } catch (reason) {
    t.equal(MeshError.from(reason).ref, '5');
  }
});
