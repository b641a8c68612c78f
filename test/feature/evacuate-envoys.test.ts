import t, { type Test } from 'tap';
import type { ListenAddress } from '../../src/model/values/listen-address.ts';
import { freeAddress, startMesh, until } from '../support/mesh.ts';
import { startLiveWorld } from '../support/planes/live.ts';

// The Envoys that `isthmus evacuate` is told to read: who does not answer, is another's, or counts nothing of
// the IDC's users is said before anything leaves.

const alive = setInterval(() => {}, 1_000);
const world = await startLiveWorld();
const stop = world.load();
t.teardown(async () => {
  await stop();
  await world.close();
  clearInterval(alive);
});
const { shares, envoys } = world;
const at = ({ address, port }: ListenAddress) => ['--envoy', `${address}:${port}`];

async function run(t: Test, args: readonly string[]) {
  const { ended, said } = world.isthmus(['evacuate', 'sh-a', ...args]);
  const code = await ended;
  t.comment(`${args.join(' ')} → ${code}\n${said()}`);
  return { code, said: said() };
}

t.test('an Envoy that does not answer: nothing leaves, unless forced', async (t) => {
  const nobody = at(await freeAddress());
  const { code, said } = await run(t, ['--for', '1m', ...envoys('caller'), ...nobody]);
  t.equal(code, 1);
  t.match(said, /not read: the Envoy at .* does not answer: .*\nread: caller \(sidecar, sh-a\)/);
  t.match(said, /nothing was done: correct --envoy, or continue without these readings with --force/);
  t.strictSame(shares(), [0, 0]);
  const dry = await run(t, ['--for', '1m', '--dry-run', ...nobody]);
  t.equal(dry.code, 1, 'a dry run asks them as well');
  t.match(dry.said, /not read: the Envoy at /);
  const forced = await run(t, ['--for', '1m', '--step-wait', '2s', ...nobody, '--force']);
  t.equal(forced.code, 0);
  t.match(forced.said, /not read: .*\nno sidecar or ingress gateway of sh-a is read: .*\n100 %: every proxy/);
  t.strictSame(shares(), [100, 100]);
  t.equal((await run(t, ['--undo'])).code, 0);
});

t.test('Envoys without users of the IDC, and those of another mesh', async (t) => {
  const other = await run(t, ['--for', '1m', ...envoys('sh-b-ingress', 'sh-a-egress')]);
  t.equal(other.code, 1);
  t.match(other.said, /read: sh-b-ingress \(ingress, sh-b\), sh-a-egress \(egress, sh-a\)/);
  t.match(
    other.said,
    /no sidecar or ingress gateway of sh-a is read: the effect on its users is not seen\nnothing/,
  );
  const gateways =
    'ingress: [{address: 127.0.0.1, edgePort: 1, peerPort: 2}], egress: [{address: 127.0.0.1, sidecarPort: 3, ingressPort: 4}]';
  const idc = `{apiVersion: isthmus.dev/v1alpha1, kind: Idc, metadata: {name: sh-q}, spec: {${gateways}}}`;
  const mesh = await startMesh('sh-q', { 'idc.yaml': idc });
  t.teardown(() => mesh.close());
  const outbound = await freeAddress();
  const { admin } = await mesh.envoy('q', { role: 'sidecar', idc: 'sh-q', namespace: 'test', outbound });
  const strange = await run(t, ['--for', '1m', ...envoys('caller'), ...at(admin)]);
  t.equal(strange.code, 1);
  t.match(
    strange.said,
    /not read: the Envoy at .* is q \(sidecar\) of sh-q, and the control planes know sh-a, sh-b: it is of another mesh/,
  );
  const drill = world.live(['--steps', '10', '--baseline', '1s', ...envoys('caller'), ...at(admin)]);
  t.equal(await drill.ended, 1);
  t.match(drill.said(), /refused, and nothing was done: the Envoy at .* is q \(sidecar\) of sh-q/);
  t.strictSame(shares(), [0, 0]);
});

t.test('a dry run prints the Envoys that are read, their counters, and requests in flight', async (t) => {
  await until('requests are counted', async () => (await world.where())['sh-a'] === 40);
  const { code, said } = await run(t, ['--dry-run', ...envoys('caller', 'sh-b-ingress')]);
  t.equal(code, 0);
  t.match(said, /read: caller \(sidecar, sh-a\), sh-b-ingress \(ingress, sh-b\)\n/);
  t.match(said, / {2}not read: another sidecar or ingress gateway of sh-a: sh-a-ingress/);
  t.match(said, / {2}no-idc is not seen: none of them is an egress gateway/);
  t.match(said, / {2}caller, since it began: \d+ requests, 0 % errors/);
  t.match(said, / {2}127.0.0.1:\d+: (nothing is )?in flight to instances of sh-a/);
  t.strictSame(shares(), [0, 0]);
});

t.test('conditions without an Envoy are refused', async (t) => {
  const { code, said } = await run(t, ['--for', '1m', '--abort-on', 'errors>0.1%']);
  t.equal(code, 2);
  t.match(said, /--abort-on measures nothing without an Envoy: give --envoy, or ISTHMUS_ENVOY/);
  t.strictSame(shares(), [0, 0]);
  t.equal((await run(t, ['--for', '1m', '--dry-run'])).code, 0, 'the default is for who names one');
});

for (const [wait, what] of [
  ['60s', 'one that falls silent in the middle takes it back'],
  // And not that 100 % is not confirmed.
  ['3s', 'a short step waits for one that is silent'],
] as const)
  t.test(what, async (t) => {
    const steps = ['--steps', '50,100', '--step-wait', wait, '--for', '5m'];
    const { ended, said } = world.isthmus(['evacuate', 'sh-a', ...steps, ...envoys('caller', 'sh-b-egress')]);
    await until('the first step', () => /50 %: every proxy/.test(said()));
    const pid = world.idcs.pids.get('sh-b-egress') as number;
    process.kill(pid, 'SIGSTOP');
    const code = await ended;
    process.kill(pid, 'SIGCONT');
    t.comment(said());
    t.equal(code, 1);
    t.match(said(), /no answer for 10 s of the Envoys at .*; all requests return/);
    t.strictSame(shares(), [0, 0]);
  });
