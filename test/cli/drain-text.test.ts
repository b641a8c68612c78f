import t from 'tap';
import { inFlightText, lateText, leftText } from '../../src/cli/drain/drain-text.ts';

type Effect = Parameters<typeof inFlightText>[0];

const effect = (requests: number, read = 2): Effect => ({
  ...{ namespace: 'shop', name: 'checkout-1', idc: 'sh-a', hosts: [], wasDrained: true, acked: true },
  inFlight: { requests, read, connected: read },
});

t.test('what is late is said once', (t) => {
  t.equal(lateText(undefined), 'not confirmed in time by its proxies');
  const waiting = { ...effect(0), acked: false, waitingFor: ['caller', 'ingress-1'] };
  t.equal(lateText(waiting), 'not confirmed in time by caller, ingress-1');
  t.equal(lateText(effect(3)), 'not idle in time: 3 requests are in flight there, by 2 proxies');
  t.end();
});

t.test('one is singular', (t) => {
  t.equal(inFlightText(effect(1, 1)), '1 request is in flight there, by 1 proxy');
  const left = (usable: number, instances: number, isKnownBy: 'proxies' | 'registry') => {
    const host = { host: 'a.test', port: 80, idc: 'sh-a', usable, instances, isLast: false, elsewhere: [] };
    return leftText({ ...effect(0), hosts: [{ ...host, isKnownBy }] })[0];
  };
  t.equal(left(1, 1, 'proxies'), 'a.test:80: 1 of 1 other instance in sh-a can serve.');
  t.equal(left(1, 2, 'proxies'), 'a.test:80: 1 of 2 other instances in sh-a can serve.');
  t.equal(
    left(0, 1, 'registry'),
    'a.test:80: 1 other instance in sh-a is registered; no proxy could be read.',
  );
  t.end();
});
