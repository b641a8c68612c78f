import t from 'tap';
import { readContent } from '../../../src/registry/files/documents.ts';

const problemsOf = async (text: string) =>
  (await readContent('m.yaml', text)).problems.map(
    ({ severity, where, message }) => `${where}: ${severity}: ${message}`,
  );

t.test('content other than objects is reported once, and no fault', async (t) => {
  const text = `
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: a}
---
apiVersion: v1
kind: List
items:
- {apiVersion: apps/v1, kind: Deployment, metadata: {name: b}}
- {apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: c}}
---
resources: [a.yaml]
`;
  t.same(await problemsOf(text), [
    'm.yaml:2:1: warning: not for Isthmus, and ignored: 2 Deployment, HTTPRoute, Kustomization, Namespace.',
  ]);
});

t.test('a misspelled kind is one fault', async (t) => {
  t.match(await problemsOf('apiVersion: v1\nkind: ServiceEntri\n'), [/Did you mean 'ServiceEntry'\?$/]);
  t.match(await problemsOf('apiVersion: networking.istio.io/v1\nkind: Anything\n'), [
    /is not a kind that Isthmus knows/,
  ]);
  t.match(await problemsOf('replicas: 2\n'), [
    /^m\.yaml:1:1: error: not an object: it has neither apiVersion nor kind/,
  ]);
});

const entry = (host: string, endpoint: string) => `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: a, namespace: shop}
spec:
  hosts: [${host}]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{number: 80, name: http, protocol: HTTP}]
  endpoints: [{address: ${endpoint}}]
`;

t.test('a template that was not rendered is one fault, at its place', async (t) => {
  t.same(await problemsOf(`# {{ a comment }}\n${entry('"{{ .Values.host }}"', '"{{ .Values.ip }}"')}`), [
    'm.yaml:6:12: error: {{ .Values.host }} is a template that was not rendered: replace it by the output of `helm template` or the like.',
  ]);
  t.match(await problemsOf(`{{- if .Values.on }}\n${entry('a.shop', '10.0.0.1')}{{- end }}\n`), [
    /^m\.yaml:1:1: error: \{\{- if .Values.on \}\} is a template that was not rendered/,
  ]);
  t.match(await problemsOf(entry('a.shop', `${'$'}{GATEWAY_ADDRESS}`)), [
    /^m\.yaml:9:25: error: \$\{GATEWAY_ADDRESS\} is a placeholder that was not filled in/,
  ]);
  t.same(
    await problemsOf(
      entry('a.shop', '10.0.0.1').replace('name: a,', 'name: a, annotations: {note: "{{x}}"},'),
    ),
    [],
  );
});
