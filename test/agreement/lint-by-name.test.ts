import { load } from 'js-yaml';
import t from 'tap';
import { checkAgreement } from '../../src/agreement/agreement.ts';
import type { MeshObject } from '../../src/model/object.ts';
import { parseObject } from '../../src/registry/parse/object.ts';

/** Reads one object; what is told of it. */
function read(text: string): { readonly object: MeshObject; readonly told: readonly string[] } {
  const { object, faults } = parseObject(load(text), 'test');
  if (object === undefined) throw new Error(JSON.stringify(faults));
  return { object, told: faults.map(({ message }) => message) };
}

const entry = (host: string, rest: string) =>
  read(`
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: wiki, namespace: shop}
spec: {hosts: ['${host}'], ${rest}}`);

const http = 'ports: [{number: 80, name: http, protocol: HTTP}]';
const both =
  'ports: [{number: 80, name: http, protocol: HTTP}, {number: 443, name: tls, protocol: TLS}, {number: 3306, name: db, protocol: TCP}]';

t.test('only hosts that are not served are reported', async (t) => {
  t.same(entry('www.wiki.test', http).told, [], 'HTTP is served');
  t.same(entry('*.wiki.test', `resolution: DYNAMIC_DNS, ${http}`).told, []);
  const full = entry('www.wiki.test', both).told;
  t.equal(full.length, 1, `${full}`);
  t.match(full[0], /NONE, which is the default, no sidecar listens for TCP ports \(443, 3306\).* With DNS/);
  const pattern = entry('*.wiki.test', `resolution: NONE, ${both}`).told;
  t.equal(pattern.length, 1, `${pattern}`);
  t.match(pattern[0], /^with NONE, .*\(443, 3306\)/);
  t.notMatch(pattern[0], /With DNS/, 'a pattern cannot be looked up');
  t.match(entry('www.wiki.test', `workloadSelector: {labels: {app: x}}, ${http}`).told, [
    /no instance is selected/,
  ]);
});

t.test('TLS settings without effect are reported', async (t) => {
  const lint = (of: MeshObject, host: string, policy: string) => {
    const rule = read(`
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: wiki, namespace: shop}
spec: {host: '${host}', trafficPolicy: {${policy}}}`);
    return checkAgreement({ objects: [of, rule.object], wallMs: 0 }).filter(({ message }) =>
      message.includes('speaks TLS'),
    );
  };
  const { object } = entry('*.wiki.test', `resolution: NONE, ${http}`);
  const tls = 'tls: {mode: SIMPLE}';
  t.equal(lint(object, '*.wiki.test', tls).length, 1);
  t.equal(lint(object, '*.test', tls).length, 1, 'a rule for more');
  t.equal(lint(object, '*.wiki.test', `portLevelSettings: [{port: {number: 80}, ${tls}}]`).length, 1);
  t.equal(lint(object, '*.wiki.test', 'tls: {mode: DISABLE}').length, 0);
  t.equal(lint(entry('www.wiki.test', http).object, 'www.wiki.test', tls).length, 0, 'a host in full has it');
});
