import { connect } from 'node:http2';
import { Client, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import t from 'tap';
import {
  guardedListeners,
  outcomeHeader,
  refusalText,
  type TrailOutcome,
  trailHeader,
  visitedHeader,
} from '../../src/model/trail.ts';
import { compiledFilters } from '../support/wasm-host.ts';
import { type Gateway, sendRaw, startGateway, wasmFilter } from './gateway.ts';
import { filterOf, trailCases } from './table.ts';

const cases = trailCases();
const policies = new Map(cases.map(({ policy }) => [filterOf(policy), policy]));
const forged = [visitedHeader, 'forged'] as const;
let gateway: Gateway;
const portOf = (listener: string) => gateway.ports.get(listener) as number;

t.before(async () => {
  const filters = await compiledFilters([...policies.values()]);
  gateway = await startGateway(
    [...policies.keys()].map((name, index) => ({
      name,
      filter: wasmFilter(name, filters[index] as Uint8Array),
    })),
  );
});
t.teardown(() => gateway.close());

/** The values of a header's lines, in what the server behind Envoy says that it got. */
function servedLines(body: string, name: string): readonly string[] {
  const raw = JSON.parse(body) as readonly string[];
  return raw.filter((_, index) => index % 2 === 1 && raw[index - 1] === name);
}

t.test('the table, through Envoy', async (t) => {
  const expected = new Map<string, number>();
  let run = 0;
  for (const { name, policy, header, lines, pass, refuse, counter, envoy } of cases) {
    run++;
    const sent = lines.map((line) => [header, line] as const);
    const answer = await sendRaw(portOf(filterOf(policy)), [forged, ...sent, forged]);
    if (envoy !== undefined) {
      t.equal(answer.status, envoy, name);
      continue;
    }
    if (counter !== undefined) expected.set(counter, (expected.get(counter) ?? 0) + 1);
    if (pass !== undefined) {
      t.equal(answer.status, 200, name);
      t.same(servedLines(answer.body, trailHeader), [pass.trail], `${name}: trail`);
      t.same(servedLines(answer.body, visitedHeader), [pass.visited], `${name}: visited`);
    } else {
      t.same({ status: answer.status, outcome: answer.headers.get('x-isthmus-outcome') }, refuse, name);
      t.equal(answer.body, refusalText(policy, refuse?.outcome as 'loop'), `${name}: body`);
      t.equal(answer.headers.get('x-isthmus-served'), undefined, `${name}: nobody behind was asked`);
    }
  }
  t.equal(run, cases.length, 'every row was run');
  const { stats } = JSON.parse(await gateway.admin('/stats?filter=isthmus_trail&format=json')) as {
    stats: { name: string; value: number }[];
  };
  const counted = stats.filter(({ value }) => value > 0).map(({ name, value }) => [name, value] as const);
  t.same(
    new Map(counted),
    new Map([...expected].map(([name, value]) => [`wasmcustom.${name}`, value])),
    'metrics',
  );
});

t.test('a gRPC request gets a gRPC status with a message', async (t) => {
  const client = connect(`http://127.0.0.1:${portOf('ingress-peer')}`);
  t.teardown(() => client.destroy());
  const headers = {
    ':method': 'POST',
    ':path': '/a.B/C',
    'content-type': 'application/grpc',
    [trailHeader]: 'sh-b',
  };
  const stream = client.request(headers, { endStream: true });
  const response = await new Promise<Record<string, unknown>>((resolve, reject) => {
    stream.on('response', resolve).on('error', reject);
  });
  t.equal(response[':status'], 200);
  t.equal(response['grpc-status'], '14');
  t.equal(response['grpc-message'], 'isthmus: loop at ingress-peer of sh-b');
  t.equal(response['x-isthmus-outcome'], 'loop');
});

t.test('a gRPC client gets UNAVAILABLE with a message, and the outcome', async (t) => {
  const rows: [listener: string, trail: string, outcome: TrailOutcome][] = [
    ['ingress-peer', 'sh-b', 'loop'],
    ['ingress-peer', 'sh-a,bj-a,bj-b', 'hop-limit'],
    ['ingress-peer', 'Sh-a', 'malformed'],
    ['egress-ingress', 'sh-a', 'loop'],
    ['egress-ingress', 'sh-a,bj-a,sh-b', 'hop-limit'],
    ['egress-ingress', 'Sh-a,sh-b', 'malformed'],
  ];
  for (const [listener, trail, outcome] of rows) {
    const client = new Client(`127.0.0.1:${portOf(listener)}`, credentials.createInsecure());
    const metadata = new Metadata();
    metadata.set(trailHeader, trail);
    const identity = (bytes: Buffer) => bytes;
    const error = await new Promise<ServiceError | null>((resolve) => {
      client.makeUnaryRequest('/a.B/C', identity, identity, Buffer.from('x'), metadata, (error) =>
        resolve(error),
      );
    });
    client.close();
    t.equal(error?.code, status.UNAVAILABLE, `${listener}: ${trail}`);
    t.equal(error?.details, `isthmus: ${outcome} at ${listener} of sh-b`);
    t.same(error?.metadata.get(outcomeHeader), [outcome]);
  }
  const counters = await gateway.admin('/stats?filter=ingress-peer.peer.sh-b.loop_rejected');
  t.match(counters, /: [1-9]/, 'counted as any other');
});

t.test('HTTP/2, with the header in two lines', async (t) => {
  const client = connect(`http://127.0.0.1:${portOf('ingress-peer')}`);
  t.teardown(() => client.destroy());
  const statusFor = (lines: string[]) =>
    new Promise<number | undefined>((resolve, reject) => {
      const stream = client.request({ ':path': '/', [trailHeader]: lines }, { endStream: true });
      stream.on('response', (headers) => resolve(headers[':status'])).on('error', reject);
      stream.resume();
    });
  t.equal(await statusFor(['sh-a', 'bj-a']), 200);
  t.equal(await statusFor(['sh-a', 'sh-b']), 508);
});

t.test('headers beyond what Envoy takes never come to the filter', async (t) => {
  for (const listener of guardedListeners) {
    const answer = await sendRaw(portOf(listener), [[trailHeader, 'sh-a,'.repeat(20_000)]]);
    t.equal(answer.status, 431, listener);
  }
});

t.test('metrics carry listener and peer as labels in Prometheus', async (t) => {
  const text = await gateway.admin('/stats/prometheus?filter=isthmus_trail');
  t.match(text, /^isthmus_trail_hops\{isthmus_listener="ingress-peer",isthmus_peer="bj-b"\} \d+$/m);
  t.match(text, /^isthmus_trail_trail_spoofed\{isthmus_listener="egress-sidecar"\} \d+$/m);
});

t.test('the filters have not failed once', async (t) => {
  const text = await gateway.admin('/stats?filter=vm_reload|vm_failed');
  t.notMatch(text, /: [1-9]/);
});
