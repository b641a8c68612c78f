import { join } from 'node:path';
import t from 'tap';
import type { Idc } from '../../src/model/idc.ts';
import { type KnownPeer, knownPeers } from '../../src/plan/peers/peer-tls.ts';
import { buildHttpListener } from '../../src/translate/listener/http-listener.ts';
import { peerChains } from '../../src/translate/peers/peer-chains.ts';
import type { BuiltResource } from '../../src/translate/resources.ts';
import { findEnvoy } from '../support/envoy.ts';
import { buildCase, envoyRejects, goldenCases } from '../support/golden.ts';
import { createTestTrust } from '../support/trust.ts';

// What no proxy may ever get where certificates count: the goldens are looked through for it.

type Json = Record<string, unknown>;
const isJson = (value: unknown): value is Json => typeof value === 'object' && value !== null;

/** Everything within a message, with the message itself. */
function* within(value: unknown): Iterable<Json> {
  if (!isJson(value)) return;
  if (!Array.isArray(value)) yield value;
  for (const one of Object.values(value)) yield* within(one);
}

/** What is wrong with the TLS of messages. */
function faultsOf(built: readonly BuiltResource[]): string[] {
  const faults: string[] = [];
  for (const { kind, name, message } of built)
    for (const one of within(message)) {
      const context = one.validation_context;
      if (!isJson(context)) continue;
      // What a user asks for by a DestinationRule without names is checked by the host of each request.
      if (context.trusted_ca !== undefined && JSON.stringify(context).includes('"filename"')) continue;
      const validator = context.custom_validator_config;
      if (context.trusted_ca === undefined && !JSON.stringify(validator ?? {}).includes('inline_string'))
        faults.push(`${kind} ${name}: no roots`);
      const names = context.match_typed_subject_alt_names;
      if (!Array.isArray(names) || names.length === 0) faults.push(`${kind} ${name}: no names`);
    }
  const clusters = new Map(built.filter(({ kind }) => kind === 'CDS').map((one) => [one.name, one.message]));
  for (const { kind, name, message } of built) {
    if (kind !== 'EDS') continue;
    const cluster = clusters.get(name) as Json | undefined;
    const matches = cluster?.transport_socket_matches;
    if (!Array.isArray(matches)) continue;
    if (!JSON.stringify(cluster?.transport_socket ?? {}).includes('spiffe://nobody'))
      faults.push(`CDS ${name}: an endpoint that nothing fits is not refused`);
    const known = new Set(matches.map(({ match }) => JSON.stringify(match)));
    for (const one of within(message)) {
      if (one.lb_endpoints === undefined || !Array.isArray(one.lb_endpoints)) continue;
      for (const { metadata } of one.lb_endpoints) {
        const mark = metadata?.filter_metadata?.['envoy.transport_socket_match'];
        if (!known.has(JSON.stringify(mark))) faults.push(`EDS ${name}: an endpoint without a socket`);
      }
    }
  }
  return faults;
}

for (const name of goldenCases())
  t.test(`${name}: nobody is believed unseen, and nothing goes out in plaintext by mistake`, async (t) => {
    for (const [role, built] of Object.entries(buildCase(name))) t.strictSame(faultsOf(built), [], role);
  });

t.test('controls: what is wrong is found', async (t) => {
  const { egress, ingress } = buildCase('peer-tls');
  const changed = (built: readonly BuiltResource[], change: (text: string) => string) =>
    built.map((one) => ({ ...one, message: JSON.parse(change(JSON.stringify(one.message))) }));
  t.match(faultsOf(changed(egress, (text) => text.replaceAll('spiffe://nobody', 'spiffe://anybody'))), [
    /an endpoint that nothing fits is not refused/,
  ]);
  t.match(
    faultsOf(changed(egress, (text) => text.replaceAll('{"idc":"sh-b"}', '{"idc":"sh-d"}'))).length > 0,
    false,
    'both renamed alike fit',
  );
  t.match(faultsOf(changed(egress, (text) => text.replaceAll('"envoy.transport_socket_match"', '"other"'))), [
    /an endpoint without a socket/,
  ]);
  t.match(faultsOf(changed(ingress, (text) => text.replaceAll('inline_string', 'other'))), [/no roots/]);
  t.match(faultsOf(changed(ingress, (text) => text.replaceAll('match_typed_subject_alt_names', 'other'))), [
    /no names/,
  ]);
});

t.test('each IDC is believed by its own authority alone', async (t) => {
  const { egress } = buildCase('peer-tls');
  const cluster = egress.find(({ kind }) => kind === 'CDS')?.message as Json;
  const matches = cluster.transport_socket_matches as readonly Json[];
  const roots = (one: unknown) => /"inline_string":"([^"]*)"/.exec(JSON.stringify(one))?.[1];
  const of = (idc: string) => matches.find(({ name }) => name === idc)?.transport_socket as Json;
  t.match(JSON.stringify(of('sh-b')), /spiffe:\/\/sh-b\.example\/idc\/sh-b\/ingress\//);
  t.match(of('sh-c'), { name: 'envoy.transport_sockets.raw_buffer' });
  t.ok(roots(of('sh-b')));
});

t.test(
  'an ingress gateway without peers, and with peers that share a trust domain, is still one',
  async (t) => {
    const trust = createTestTrust();
    t.teardown(() => trust.close());
    const files = { './identity.json': join(trust.folder('gateway'), 'identity.json') };
    const roots = (await trust.root()).certificate;
    const idcOf = (name: string, domain: string): Idc => ({
      kind: 'Idc',
      meta: { name, namespace: '', labels: {}, annotations: {} } as unknown as Idc['meta'],
      spec: { ingress: [], egress: [], trustDomain: domain, peerTls: { mode: 'require', roots } },
    });
    const local = idcOf('sh-a', 'sh-a.example');
    const rejects = (peers: readonly KnownPeer[]) => {
      const listener = buildHttpListener({
        ...{ role: 'peer', listen: { address: '127.0.0.1', port: 1 }, log: {}, filters: [] },
        ways: peerChains(local, peers),
      });
      const message = { '@type': 'type.googleapis.com/envoy.config.listener.v3.Listener', ...listener };
      const others = buildCase('peer-tls').ingress.filter(({ kind }) => kind !== 'LDS');
      return envoyRejects(
        findEnvoy(),
        [...others, { kind: 'LDS', name: 'peer', message: message as never }],
        files,
      );
    };
    const peersOf = (...idcs: readonly Idc[]) =>
      knownPeers(new Map(idcs.map((one) => [one.meta.name, one])), 'sh-a');
    t.equal(rejects([]), undefined);
    t.equal(rejects(peersOf(local, idcOf('sh-b', 'b.example'), idcOf('sh-c', 'c.example'))), undefined);
    t.equal(rejects(peersOf(local, idcOf('sh-b', 'b.example'), idcOf('sh-c', 'b.example'))), undefined);
  },
);
