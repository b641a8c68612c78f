import { load } from 'js-yaml';
import t from 'tap';
import { checkAgreement } from '../../src/agreement/agreement.ts';
import type { MeshObject } from '../../src/model/object.ts';
import { parseObject } from '../../src/registry/parse/object.ts';

function read(text: string): MeshObject {
  const { object } = parseObject(load(text), 'test');
  if (object === undefined) throw new Error(text);
  return object;
}

/** What is said of zones, with a rule for `host` and these instances. */
function lint(
  host: string,
  localities: readonly string[],
  setting = '{enabled: true}',
  level = 'loadBalancer',
): string[] {
  const balancer = `loadBalancer: {localityLbSetting: ${setting}}`;
  const policy =
    level === 'loadBalancer' ? balancer : `portLevelSettings: [{port: {number: 80}, ${balancer}}]`;
  const endpoints = localities.map((locality, i) => `{address: 10.0.0.${i + 1}, locality: ${locality}}`);
  const objects = [
    read(`
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: pay, namespace: shop}
spec: {hosts: [pay.shop.svc.cluster.local], location: MESH_INTERNAL, resolution: STATIC, ports: [{number: 80, name: http, protocol: HTTP}], endpoints: [${endpoints}]}`),
    read(`
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: pay, namespace: shop}
spec: {host: ${host}, trafficPolicy: {${policy}}}`),
  ];
  return checkAgreement({ objects, wallMs: 0 })
    .filter(({ message }) => message.includes('has a zone'))
    .map(({ path }) => path.join('.'));
}

t.test('a zone is preferred, and nobody names one', async (t) => {
  const at = 'spec.trafficPolicy.loadBalancer.localityLbSetting';
  t.strictSame(lint('pay.shop.svc.cluster.local', ['sh-a', 'sh-b']), [at]);
  t.strictSame(lint('pay', ['sh-a']), [at], 'also by its short name');
  t.strictSame(lint('pay', ['sh-a'], '{}', 'port'), ['spec.trafficPolicy.portLevelSettings']);
  t.strictSame(lint('pay', ['sh-a', 'sh-a/z1']), []);
  t.strictSame(lint('pay', []), [], 'instances may register themselves');
  t.strictSame(lint('pay', ['sh-a'], '{enabled: false}'), []);
});
