import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, credentials, type ServiceError } from '@grpc/grpc-js';
import t from 'tap';
import { echoService } from '../../src/drill/upstream/upstream-grpc.ts';
import { outcomeHeader, trailHeader } from '../../src/model/trail.ts';
import { rawExchange } from '../support/clients/raw-http.ts';
import { get, until } from '../support/mesh.ts';
import { startTwoIdcs, type TestGroup } from '../support/two-idcs.ts';

// No instance is started: the sidecars are there, what they stand beside is not.
const near: TestGroup = { name: 'near', idc: 'sh-a', protocol: 'HTTP' };
const far: TestGroup = { name: 'far', idc: 'sh-b', protocol: 'HTTP' };
const farGrpc: TestGroup = { name: 'far-grpc', idc: 'sh-b', protocol: 'GRPC' };

const logs = mkdtempSync(join(tmpdir(), 'isthmus-outcome-'));
const world = await startTwoIdcs([near, far, farGrpc], '{sidecars: true}', { accessLogs: logs });
t.teardown(async () => {
  await world.close();
  rmSync(logs, { recursive: true });
});
for (const { name } of [near, far, farGrpc]) {
  const isRouted = async () => (await get(world.outbound, '/', { host: `${name}.test` })).status === 503;
  await until(`${name} is routed`, isRouted);
}

for (const { name } of [near, far]) {
  t.test(`nobody left, ${name}: the caller is told so`, async (t) => {
    for (const method of ['GET', 'POST']) {
      const answer = await get(world.outbound, '/', { host: `${name}.test`, method });
      t.equal(answer.status, 503, method);
      t.equal(answer.headers[outcomeHeader], 'no-idc');
    }
  });
}

t.test('a gRPC caller gets UNAVAILABLE, with a message', async (t) => {
  const { address, port } = world.outbound;
  const client = new Client(`${address}:${port}`, credentials.createInsecure(), {
    'grpc.default_authority': 'far-grpc.test',
  });
  t.teardown(() => client.close());
  const { path, requestSerialize, responseDeserialize } = echoService.Say;
  const error = await new Promise<ServiceError | null>((resolve) => {
    client.makeUnaryRequest(path, requestSerialize, responseDeserialize, Buffer.from('hello'), resolve);
  });
  t.equal(error?.code, 14);
  t.match(error?.details, /\w/);
  t.strictSame(error?.metadata.get(outcomeHeader), ['no-idc']);
});

t.test('a caller that asks for a host of no Group gets the reason', async (t) => {
  const words = /^isthmus: none of the Groups that this sidecar calls has this host$/;
  for (const method of ['GET', 'POST', 'OPTIONS']) {
    const answer = await get(world.outbound, '/', { host: 'nobody.test', method });
    t.equal(answer.status, 404, method);
    t.equal(answer.headers[outcomeHeader], 'unknown-host');
    t.match(answer.body, words);
  }
  const grpc = await get(world.outbound, '/echo/Say', {
    host: 'nobody.test',
    method: 'POST',
    headers: { 'content-type': 'application/grpc' },
  });
  t.equal(grpc.status, 200);
  t.equal(grpc.headers['grpc-status'], '12', 'UNIMPLEMENTED');
  t.match(decodeURIComponent(String(grpc.headers['grpc-message'])), words);
  t.equal(grpc.headers[outcomeHeader], 'unknown-host');
  const tunnel = await rawExchange(
    world.outbound,
    'CONNECT nobody.test:443 HTTP/1.1\r\nHost: nobody.test:443\r\n\r\n',
  );
  t.equal(tunnel.status, 404, 'CONNECT is refused as ever, without words');
  await until('the access log has it', () => {
    const lines = readFileSync(join(logs, 'caller.log'), 'utf8').trim().split('\n');
    return lines
      .map((line) => JSON.parse(line))
      .some((line) => line.authority === 'nobody.test' && line.outcome === 'unknown-host');
  });
});

t.test('an access log has the request headers that were asked for, and no others', async (t) => {
  const headers = { 'x-tenant': 'blue "1"', 'x-drill-id': 'x' };
  await get(world.outbound, '/tenant', { host: 'near.test', headers });
  await get(world.edge, '/tenant', { host: 'near.test', headers });
  const lineOf = async (file: string) => {
    const lines = () => readFileSync(join(logs, file), 'utf8').trim().split('\n');
    const found = () => lines().find((line) => line.includes('/tenant')) ?? '';
    await until(`${file} has it`, () => found() !== '');
    return JSON.parse(found());
  };
  t.strictSame((await lineOf('caller.log')).headers, { 'x-tenant': 'blue "1"' });
  const plain = await lineOf('sh-a-ingress.log');
  t.notOk('headers' in plain, 'where none were asked for');
  t.notOk(Object.values(plain).includes('x'), 'nothing of a drill');
});

t.test('a host of a Group is known, even without a route for the request', async (t) => {
  const answer = await rawExchange(
    world.outbound,
    'CONNECT near.test:80 HTTP/1.1\r\nHost: near.test:80\r\n\r\n',
  );
  t.equal(answer.status, 404);
  t.notMatch(answer.head, /x-isthmus-outcome/);
});

t.test('clients at the edge get a plain 404', async (t) => {
  const answer = await get(world.edge, '/', { host: 'nobody.test' });
  t.equal(answer.status, 404);
  t.equal(answer.headers[outcomeHeader], undefined);
  t.equal(answer.body, '');
  await until('the access log says why', () => {
    const lines = readFileSync(join(logs, 'sh-a-ingress.log'), 'utf8').trim().split('\n');
    return lines
      .map((line) => JSON.parse(line))
      .some(
        (line) =>
          line.listener === 'edge' && line.authority === 'nobody.test' && line.outcome === 'unknown-host',
      );
  });
  const tunnel = await rawExchange(world.edge, 'CONNECT far.test:80 HTTP/1.1\r\nHost: far.test:80\r\n\r\n');
  t.equal(tunnel.status, 404, 'the control: a host that is declared, and has no route for this');
  await until('the access log says nothing of it', () => {
    const lines = readFileSync(join(logs, 'sh-a-ingress.log'), 'utf8').trim().split('\n');
    const [line] = lines.map((one) => JSON.parse(one)).filter(({ method }) => method === 'CONNECT');
    return line !== undefined && line.outcome !== 'unknown-host';
  });
});

t.test('between IDCs an unknown Group is a 503, so that others are tried', async (t) => {
  const answer = await get(world.peer, '/', { host: 'nobody.test', headers: { [trailHeader]: 'sh-a' } });
  t.equal(answer.status, 503);
  t.equal(answer.headers[outcomeHeader], 'no-idc');
  t.equal(answer.body, '', 'what is tried again has no body that would have to be reset');
  const grpc = await get(world.peer, '/', {
    host: 'nobody.test',
    method: 'POST',
    headers: { [trailHeader]: 'sh-a', 'content-type': 'application/grpc' },
  });
  t.equal(grpc.status, 200);
  t.equal(grpc.headers['grpc-status'], '14');
  t.match(grpc.headers['grpc-message'], /no route to this Group/);
  t.equal(grpc.headers[outcomeHeader], 'no-idc');
});

t.test('what the trail filter refuses keeps its own outcome', async (t) => {
  const answer = await get(world.peer, '/', { host: 'far.test', headers: { [trailHeader]: 'sh-a,sh-b' } });
  t.equal(answer.status, 508);
  t.equal(answer.headers[outcomeHeader], 'loop');
});

t.test('at the edge', async (t) => {
  const ask = () => get(world.edge, '/', { host: 'far.test' });
  const own = (headers: object) => Object.keys(headers).filter((name) => name.startsWith('x-isthmus-'));
  await until('the edge is open', async () => (await ask()).status === 503);
  t.strictSame(own((await ask()).headers), [], 'clients see none of the headers');
  await until('the access log has the outcome all the same', () => {
    const lines = readFileSync(join(logs, 'sh-a-ingress.log'), 'utf8').trim().split('\n');
    return lines
      .map((line) => JSON.parse(line))
      .some((line) => line.listener === 'edge' && line.outcome === 'no-idc');
  });
  world.edit((yaml) => yaml.replaceAll('metadata: {name: sh-a}\nspec:', '$&\n  exposeOutcome: true'));
  await until('clients see the outcome', async () => own((await ask()).headers).length > 0);
  const answer = await ask();
  t.equal(answer.status, 503);
  t.strictSame(own(answer.headers), [outcomeHeader]);
  const unknown = await get(world.edge, '/', { host: 'nobody.test' });
  t.match([unknown.status, unknown.headers[outcomeHeader]], [404, 'unknown-host']);
});

t.test('an application’s own 404 is its own', async (t) => {
  const server = createServer((_, response) =>
    response.writeHead(404, { 'x-mine': '1' }).end('no such page'),
  );
  await new Promise<void>((resolve) => server.listen(world.socket(near), resolve));
  t.teardown(() => server.close());
  const ask = () => get(world.outbound, '/none', { host: 'near.test' });
  await until('the application is reached', async () => (await ask()).status === 404);
  const answer = await ask();
  t.equal(answer.body, 'no such page');
  t.equal(answer.headers['x-mine'], '1');
  t.equal(answer.headers[outcomeHeader], undefined);
});

t.test('an application cannot set an outcome', async (t) => {
  const server = createServer((_, response) => {
    response.writeHead(200, { [outcomeHeader]: 'no-idc', [trailHeader]: 'sh-a', 'x-other': 'kept' }).end();
  });
  await new Promise<void>((resolve) => server.listen(world.socket(near), resolve));
  t.teardown(() => server.close());
  for (const to of [world.outbound, world.edge]) {
    const ask = () => get(to, '/', { host: 'near.test' });
    await until('the application is reached', async () => (await ask()).status === 200);
    t.match((await ask()).headers, {
      [outcomeHeader]: undefined,
      [trailHeader]: undefined,
      'x-other': 'kept',
    });
  }
});
