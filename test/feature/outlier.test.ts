import t from 'tap';
import { slowApps } from '../support/apps/slow-app.ts';
import { startPatched } from '../support/envoys/patched.ts';
import { freeAddress, get, until } from '../support/mesh.ts';

// One of two instances answers 503 to all: after how many of them it is ejected, by what a DestinationRule
// says.

const apps = slowApps();
t.teardown(() => apps.close());
const good = await apps.start('good');
const bad = await apps.start('bad', { status: 503, headers: {} });

const yaml = (outlierDetection: string) => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: outlier, namespace: test}
spec:
  hosts: [outlier.test]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{number: 80, name: http, protocol: HTTP}]
  endpoints:
  - {address: 127.0.0.1, ports: {http: ${good.port}}, locality: sh-a}
  - {address: 127.0.0.1, ports: {http: ${bad.port}}, locality: sh-a}
${
  outlierDetection === ''
    ? ''
    : `---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: outlier, namespace: test}
spec: {host: outlier.test, trafficPolicy: {outlierDetection: ${outlierDetection}}}
`
}`;

const cases: readonly [string, string, readonly [number, number]][] = [
  ['no rule: three gateway errors, ours', '', [3, 7]],
  [
    'consecutive5xxErrors 10, and nothing beside it',
    '{consecutive5xxErrors: 10, interval: 1s, baseEjectionTime: 30s, maxEjectionPercent: 100}',
    [10, 15],
  ],
  [
    'Istio’s five, in a rule that gives no number',
    '{baseEjectionTime: 30s, maxEjectionPercent: 50}',
    [5, 10],
  ],
  [
    'gateway errors where they are asked for',
    '{consecutiveGatewayErrors: 2, maxEjectionPercent: 50}',
    [2, 6],
  ],
  ['Istio’s 10 % of two is nobody', '{consecutiveGatewayErrors: 0}', [16, 60]],
];

for (const [what, rule, [least, most]] of cases) {
  t.test(what, async (t) => {
    const outbound = await freeAddress();
    const scope = { role: 'sidecar', idc: 'sh-a', namespace: 'test', outbound } as const;
    const { close } = await startPatched({ scope, yaml: yaml(rule) });
    t.teardown(close);
    let failed = 0;
    const post = async () => {
      const isBad = (await get(outbound, '/', { host: 'outlier.test', method: 'POST' })).body === 'bad';
      if (isBad) failed += 1;
      return isBad;
    };
    await until('it answers', async () => [true, false].includes(await post()));
    // The ejection takes a moment from one thread of Envoy to another: what the bad one got until it got
    // nothing any more.
    let inARow = 0;
    for (let i = 0; i < 60 && inARow < 15; i += 1) {
      inARow = (await post()) ? 0 : inARow + 1;
    }
    t.ok(failed >= least && failed <= most, `${failed} went to the bad one`);
  });
}
