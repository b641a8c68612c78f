import t from 'tap';
import { grayDefaults, planOutlier } from '../../../src/plan/health/outlier.ts';

const context = { protocol: 'http1', checked: true, leaves: true, timed: false } as const;

t.test(
  'checks find who is down and may take out all; what requests tell takes out half of them at most',
  async (t) => {
    t.strictSame(planOutlier({}, context), {
      consecutiveGatewayErrors: 5,
      consecutiveLocalOriginFailures: 20,
      failureShare: { percent: 4, requestsMin: 176, instancesMin: 3, ofConnections: false },
      intervalMs: 8_000,
      baseEjectionMs: 10_000,
      maxEjectionMs: 60_000,
      checksEndEjections: false,
      maxEjectionPercent: { sidecar: 50, ingress: 50 },
    });
    t.equal(
      planOutlier({}, { ...context, timed: true }).failureShare?.ofConnections,
      true,
      'it has said what is too slow',
    );
    const unchecked = planOutlier({}, { ...context, checked: false });
    t.equal(unchecked.failureShare, undefined, 'who is not checked is judged by failures in a row');
    t.match(unchecked.maxEjectionPercent, { sidecar: 100, ingress: 99 });
    const ruled = planOutlier({ outlier: {} }, context);
    t.equal(ruled.failureShare, undefined, 'a rule means what Istio’s does');
    t.equal(ruled.checksEndEjections, undefined);
  },
);

/**
 * The chance of at least `least` failures among `requests`, each of which fails by chance `p` (a binomial
 * tail).
 */
function chanceOf(least: number, requests: number, p: number): number {
  let term = (1 - p) ** requests;
  let below = 0;
  for (let failures = 0; failures < least; failures += 1) {
    below += term;
    term *= ((requests - failures) / (failures + 1)) * (p / (1 - p));
  }
  return Math.max(0, 1 - below);
}

/** The worst chance that an interval's share reaches the threshold, over all volumes that count. */
function worst(requestsMin: number, p: number): number {
  const { percent } = grayDefaults.failureShare;
  const volumes = Array.from({ length: requestsMin }, (_, i) => requestsMin + i);
  return Math.max(...volumes.map((n) => chanceOf(Math.ceil((n * percent) / 100), n, p)));
}

t.test('1 % of failures are hardly ever taken for 4 %, and 5 % mostly are', async (t) => {
  const { percent, requestsMin } = grayDefaults.failureShare;
  t.ok(worst(requestsMin, 0.01) < 0.0011, `${worst(requestsMin, 0.01)} an instance and interval`);
  t.ok(worst(300, 0.01) < 1e-4, `with 300: ${worst(300, 0.01)}`);
  const found = (requests: number, p: number) => chanceOf(Math.ceil((requests * percent) / 100), requests, p);
  t.ok(found(requestsMin, 0.05) > 0.65);
  // 86 requests a second, and the 25 to 28 of one that hangs for a tenth of them, 400 ms each.
  const seconds = grayDefaults.intervalMs / 1000;
  t.ok(found(86 * seconds, 0.05) > 0.88);
  t.ok(28 * seconds > requestsMin && found(28 * seconds, 0.1) > 0.99);
  t.ok(worst(20, 0.01) > 0.2, `of 20 requests one is enough: ${worst(20, 0.01)}`);
});

t.test('1 % of failures eject nobody in a million looks, from some 60 requests a second on', async (t) => {
  const { consecutiveGatewayErrors, intervalMs, failureShare } = grayDefaults;
  const looked = (perSecond: number) => (perSecond * intervalMs) / 1_000;
  const share = worst(looked(60), 0.01);
  t.ok(failureShare.instancesMin * share < 1e-6, `${share} for each instance and interval`);
  // An upper bound: so many chances to begin a row.
  const row = (length: number, perSecond: number) => looked(perSecond) * 0.01 ** length;
  for (const perSecond of [60, 86, 1_000])
    t.ok(row(consecutiveGatewayErrors, perSecond) < 1e-6, `${perSecond}`);
  t.ok(row(3, 86) > 5e-4, 'three in a row: the control');
});
