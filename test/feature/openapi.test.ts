import { readFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { parse } from 'yaml';
import { serveAdmin } from '../../src/api/admin-server.ts';
import { PageTurns } from '../../src/api/pages/page-turns.ts';
import { createRouter } from '../../src/api/router.ts';
import { openApiFile, openApiYaml } from '../../src/api/write-openapi.ts';
import { evacuationInput } from '../../src/contract/evacuations.ts';
import { type OperationId, operations as served } from '../../src/contract/operations.ts';
import { registrationInput } from '../../src/contract/registrations.ts';
import { evacuationSpec as readSpec } from '../../src/registry/parse/own/schema-evacuation.ts';
import { parseRegistration } from '../../src/registry/registrations/registration.ts';
import { manualClock } from '../support/manual-clock.ts';
import { until } from '../support/mesh.ts';
import { operationOf } from '../support/planes/contract.ts';
import { apiPath, callApi, startRegisteringMesh, token } from '../support/planes/registering.ts';

// biome-ignore lint/suspicious/noExplicitAny: a document that the test itself checks
type Doc = any;
const doc: Doc = parse(readFileSync(openApiFile, 'utf8'));

function resolve(node: Doc): Doc {
  if (typeof node?.$ref !== 'string') return node;
  return node.$ref
    .slice(2)
    .split('/')
    .reduce((at: Doc, key: string) => at[key], doc);
}

const operations = Object.entries<Doc>(doc.paths).flatMap(([path, item]) =>
  Object.entries<Doc>(item)
    .filter(([method]) => method !== 'parameters')
    .map(([method, operation]) => ({
      path,
      method: method.toUpperCase(),
      operation,
      parameters: [...(item.parameters ?? []), ...(operation.parameters ?? [])].map(resolve),
    })),
);

/** What in a value is not as a schema has it, as far as our schemas go. */
function faultsOf(value: Doc, given: Doc, at = ''): string[] {
  const schema = resolve(given);
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) {
    const all = choices.map((one: Doc) => faultsOf(value, one, at));
    return all.some((faults: string[]) => faults.length === 0) ? [] : all[0];
  }
  const is =
    value === null
      ? 'null'
      : Array.isArray(value)
        ? 'array'
        : Number.isInteger(value)
          ? 'integer'
          : typeof value;
  const fits = schema.type === is || (schema.type === 'number' && is === 'integer');
  if (!fits) return [`${at}: ${is}, not ${schema.type}`];
  if (schema.enum && !schema.enum.includes(value)) return [`${at}: ${value} is none of ${schema.enum}`];
  if (is === 'array')
    return value.flatMap((one: Doc, i: number) => faultsOf(one, schema.items, `${at}[${i}]`));
  if (is !== 'object') return [];
  const missing = (schema.required ?? []).filter((key: string) => !(key in value));
  return [
    ...missing.map((key: string) => `${at}.${key} is missing`),
    ...Object.entries<Doc>(value).flatMap(([key, inner]) => {
      const property = schema.properties?.[key] ?? schema.additionalProperties;
      return property ? faultsOf(inner, property, `${at}.${key}`) : [`${at}.${key} is not documented`];
    }),
  ];
}

t.test('the document is that of the contract: make schemas', async (t) => {
  t.equal(readFileSync(openApiFile, 'utf8'), openApiYaml());
});

/** The routes of a router, as `METHOD /path`, from the library's own drawing of them. */
async function routesOf(app: ReturnType<typeof createRouter>): Promise<string[]> {
  await app.ready();
  const parents: string[] = [];
  return app
    .printRoutes({ commonPrefix: false })
    .split('\n')
    .flatMap((line) => {
      const [, indent = '', part = '', methods] = /^([│ ]*[├└]── )(\S*)(?: \((.*)\))?$/.exec(line) ?? [];
      const depth = indent.length / 4;
      const path = `${depth > 1 ? parents[depth - 1] : ''}${part}`;
      parents[depth] = path;
      return methods === undefined ? [] : methods.split(', ').map((method) => `${method} ${path}`);
    });
}

t.test('every route of the router is documented, and nothing else', async (t) => {
  const turns = new PageTurns(manualClock());
  const app = createRouter({ handlers: {} as never, gates: {}, token: undefined, turns }, {});
  t.teardown(() => app.close());
  const routes = (await routesOf(app)).filter((route) => !route.startsWith('HEAD '));
  const documented = operations.map(
    ({ method, path }) => `${method} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`,
  );
  t.strictSame(routes.filter((route) => documented.includes(route)).sort(), documented.sort());
  t.equal(documented.length, Object.keys(served).length);
  const answers = new Set<number>();
  for (const route of routes.filter((one) => !documented.includes(one))) {
    const [method, url] = route.split(' ') as [string, string];
    const answer = await app.inject({ method: method as 'GET', url: url.replaceAll(/:\w+/g, 'a') });
    answers.add(answer.statusCode);
  }
  t.strictSame([...answers], [405], 'every other method at these paths');
});

t.test('the documented fields of a body are those that are read', async (t) => {
  const key = { namespace: 'shop', name: 'a' };
  const samples: Record<string, unknown> = {
    ...{ address: '10.0.0.1', ports: { http: 80 }, labels: { app: 'x' }, locality: 'sh-a/z', weight: 2 },
    ...{ network: 'n', ttl: '20s', generation: 3 },
  };
  t.strictSame(Object.keys(samples).sort(), Object.keys(registrationInput.shape).sort());
  t.strictSame(parseRegistration(key, samples).faults, []);
  const misspelt = parseRegistration(key, { ...samples, adress: '10.0.0.1' }).faults;
  t.match(misspelt, [{ message: /^unknown field/ }]);
  t.ok(parseRegistration(key, { ...samples, address: undefined }).faults.length > 0, 'it is needed');
  t.strictSame(Object.keys(evacuationInput.shape).sort(), Object.keys(readSpec.shape).sort());
});

const recordOf = (records: readonly Doc[]) => records.find(({ name }) => name === 'e');

t.test('answers are as documented', async (t) => {
  const mesh = await startRegisteringMesh();
  t.teardown(() => mesh.close());
  const pages = await (await fetch(`http://127.0.0.1:${mesh.adminPort}/`)).text();
  const listed = pages.split('\n').flatMap((line) => {
    const [method, path] = line.split('\t');
    return path?.startsWith('/v1/') ? `${method} ${path}` : [];
  });
  const documented = operations
    .map(({ method, path }) => `${method} ${path}`)
    .filter((line) => line.includes(' /v1/'));
  t.strictSame(listed.sort(), documented.sort(), 'what the server says that it serves');
  const good = { address: '10.0.0.1', ports: { http: 80 }, labels: { app: 'echo' }, locality: 'sh-a' };
  const seen = new Set<OperationId>();

  async function check(t: Test, method: string, path: string, status: number, body?: unknown) {
    const answer = await mesh.api(method, path, body);
    t.equal(answer.status, status, `${method} ${path}: ${JSON.stringify(answer.body)}`);
    const id = operationOf(method, apiPath(path));
    const found = operations.find(({ operation }) => operation.operationId === id);
    if (id !== undefined) seen.add(id);
    const responses = found?.operation.responses ?? {};
    const response = resolve(responses[status] ?? (status >= 400 ? responses.default : undefined));
    t.ok(response, `${status} is documented`);
    const [{ schema }] = Object.values<Doc>(response?.content ?? {});
    t.strictSame(faultsOf(answer.body, schema), []);
    return answer.body;
  }

  await check(t, 'PUT', '/shop/a', 201, { ...good, generation: 5 });
  await check(t, 'PUT', '/shop/a?wait=acked', 200, { ...good, generation: 5 });
  await check(t, 'PUT', '/shop/b', 201, { ...good, ttl: '2s', weight: 3 });
  const older = await check(t, 'PUT', '/shop/a', 409, { ...good, generation: 4 });
  t.equal(older.generation, 5, 'which one is newer');
  const faulty = await check(t, 'PUT', '/Shop/c', 400, {
    ...{
      ports: { http: 70_000, 'a b': 1 },
      labels: { 'x y': 'z' },
      ttl: '1ms',
      generation: 0,
      adress: '10.0.0.1',
    },
  });
  t.strictSame(
    faulty.faults.map(({ path }: { path: string }) => path).sort(),
    ['address', 'adress', 'generation', 'labels["x y"]', 'namespace', 'ports.http', 'ports["a b"]', 'ttl'],
    'every fault at once',
  );
  await check(t, 'PUT', '/shop/c', 400, []);
  const warned = await check(t, 'PUT', '/shop/heavy', 201, { ...good, weight: 2_000_000 });
  t.match(warned.warnings, [{ path: 'weight', severity: 'warning' }]);
  await check(t, 'GET', '', 200);
  await check(t, 'GET', '/shop/a', 200);
  await check(t, 'GET', '/shop/none', 404);
  await check(t, 'POST', '/shop/a/renew?generation=5', 200);
  await check(t, 'POST', '/shop/a/renew?generation=4', 409);
  await check(t, 'POST', '/shop/a/renew?generation=six', 400);
  await check(t, 'POST', '/shop/none/renew', 404);
  // What is misspelt would be left out: then any life would be meant.
  const misspelt = await check(t, 'DELETE', '/shop/a?generaton=4', 400);
  t.match(misspelt.message, /no parameter is named 'generaton': .* Did you mean 'generation'\?/);
  await check(t, 'DELETE', '/shop/a?generation=4&generation=5', 400);
  await check(t, 'PUT', '/shop/a?generation=6', 400, { ...good, generation: 6 });
  await check(t, 'PUT', '/shop/a?wait=acked&timout=1s', 400, { ...good, generation: 6 });
  await check(t, 'GET', '?namespce=shop', 400);
  await check(t, 'GET', '/../replica?cursor=1', 400);
  t.match((await mesh.api('GET', '/shop/a')).body, { generation: 5, state: 'ready' }, 'none did anything');
  await check(t, 'POST', '/shop/a/drain?wait=acked&timeout=5s', 200);
  await check(t, 'POST', '/shop/a/drain?wait=forever', 400);
  await check(t, 'POST', '/shop/none/drain', 404);
  await check(t, 'POST', '/shop/a/resume', 200);
  await check(t, 'DELETE', '/shop/a?generation=4', 200);
  t.equal((await mesh.api('GET', '/shop/a')).body.state, 'ready', 'an older life takes nothing out');
  await check(t, 'DELETE', '/shop/a?generation=5&wait=acked', 200);
  await check(t, 'DELETE', '/shop/none?timeout=1h', 400);
  await check(t, 'PUT', '/shop/a', 409, { ...good, generation: 5 });
  const all = await check(t, 'GET', '/../replica', 200);
  t.match(all, { isAll: true, idc: 'sh-a' });
  t.ok(all.items.length > 1);
  const since = encodeURIComponent(all.cursor);
  const none = await check(t, 'GET', `/../replica?since=${since}&from=other&hold=10`, 200);
  t.match(none, { isAll: false, items: [], absent: [], cursor: all.cursor });

  const expires = new Date(Date.now() + 600_000).toISOString();
  const spec = { idc: 'sh-a', expires, percent: 50, groups: ['echo.shop'], reason: 'a test' };
  const effect = await check(t, 'PUT', '/../evacuations/e?check=only', 200, spec);
  t.match(effect, { own: 'sh-a', leave: [], stay: [{ host: 'echo.shop', why: 'alone' }] });
  t.strictSame((await check(t, 'GET', '/../evacuations', 200)).items, []);
  for (const query of ['check=ONLY', 'check=', 'chek=only', 'check=only&check=no', 'only=sanding'])
    await check(t, 'PUT', `/../evacuations/e?${query}`, 400, spec);
  await check(t, 'DELETE', '/../evacuations/e?check=only', 400);
  t.strictSame((await check(t, 'GET', '/../evacuations', 200)).items, [], 'a misspelt check puts nothing');
  await check(t, 'PUT', '/../evacuations/e?wait=acked', 200, spec);
  await check(t, 'POST', '/../evacuations/e/renew?for=10m&wait=acked', 200);
  await check(t, 'POST', '/../evacuations/f/renew?for=10m', 404);
  await check(t, 'POST', '/../evacuations/e/renew', 400);
  await check(t, 'PUT', '/../evacuations/f?only=standing', 404, spec);
  await check(t, 'PUT', '/../evacuations/e', 400, { idc: 'sh-a' });
  await check(t, 'PUT', '/../evacuations/e', 400, { ...spec, idc: 'sh-z' });
  await check(t, 'PUT', '/../evacuations/e', 400, { ...spec, expires: '2020-01-01T00:00:00Z' });
  await check(t, 'PUT', '/../evacuations/e?wait=forever', 400, spec);
  const month = (days: number) => new Date(Date.now() + days * 86_400_000).toISOString();
  await check(t, 'PUT', '/../evacuations/f?check=only', 200, {
    ...spec,
    starts: month(29),
    expires: month(31),
  });
  const late = { ...spec, starts: '9998-12-31T00:00:00Z', expires: '9999-01-01T00:00:00Z' };
  t.match(
    (await check(t, 'PUT', '/../evacuations/f', 400, late)).message,
    /starts is more than 30 days away/,
  );
  for (let i = 1; i < 100; i += 1) await mesh.api('PUT', `/../evacuations/many-${i}`, spec);
  t.match(
    (await check(t, 'PUT', '/../evacuations/f', 429, spec)).message,
    /there are 100 evacuations already/,
  );
  await check(t, 'PUT', '/../evacuations/e', 200, spec);
  for (let i = 1; i < 100; i += 1) await mesh.api('DELETE', `/../evacuations/many-${i}`);
  await check(t, 'PUT', '/../evacuations/%', 400, spec);
  mesh.save(
    'evacuation.yaml',
    `{apiVersion: isthmus.dev/v1alpha1, kind: Evacuation, metadata: {name: by-hand}, spec: {idc: sh-a, expires: '${expires}', selector: {matchLabels: {a: b}}}}`,
  );
  await until(
    'the file is read',
    async () => (await mesh.api('GET', '/../evacuations')).body.items.length === 2,
  );
  await check(t, 'PUT', '/../evacuations/by-hand', 409, spec);
  await check(t, 'DELETE', '/../evacuations/by-hand', 409);
  await check(t, 'GET', '/../evacuations', 200);
  t.match(await check(t, 'DELETE', '/../evacuations/e?wait=acked', 200), { ended: true, comingHome: [] });
  t.match(await check(t, 'DELETE', '/../evacuations/e', 200), { ended: false });
  t.match(recordOf(await check(t, 'GET', '/../replica/evacuations', 200)), { name: 'e', spec: null });
  await check(t, 'PUT', '/../evacuations/e', 200, spec);
  t.match(recordOf(await check(t, 'GET', '/../replica/evacuations', 200)), { name: 'e', spec });
  t.match(await check(t, 'GET', '/../who/echo.shop?for=0', 200), { idc: 'sh-a', host: 'echo.shop' });
  await check(t, 'GET', '/../who/echo.shop?for=1h', 400);
  await check(t, 'GET', '/../who/nobody.shop', 404);
  t.match(await check(t, 'GET', '/../top?for=100ms', 200), { idc: 'sh-a', connected: 0 });
  await check(t, 'GET', '/../top?for=1h', 400);
  await check(t, 'GET', '/../explain/echo.shop', 400);
  await check(t, 'GET', '/../explain/echo.shop?from=sh-a/nobody', 404);
  const { events, last } = await check(t, 'GET', '/../events?since=1h', 200);
  t.ok(events.length > 1 && events.at(-1).id === last);
  t.match(await check(t, 'GET', '/../events?kinds=evacuation&limit=1', 200), {
    isCut: true,
    events: [{ kind: 'evacuation', by: '127.0.0.1' }],
  });
  await check(t, 'GET', '/../events?kinds=nonsense', 400);
  await check(t, 'GET', '/../events?since=169h', 400);
  t.match(await check(t, 'GET', '/../events/newest?after=0', 200), { last });
  t.match(await check(t, 'GET', `/../events/newest?after=${last}&wait=0`, 200), { last });
  await check(t, 'GET', '/../events/newest', 400);
  await check(t, 'GET', '/../registry', 200);
  await check(t, 'GET', '/../config/nobody', 404);
  t.match(await check(t, 'GET', '/../served', 200), { idc: 'sh-a', notHere: [] });
  t.match(await check(t, 'GET', '/../network', 200), { idc: 'sh-a', peers: [] });
  t.match(await check(t, 'GET', '/../token', 200), { registrations: true, evacuations: true });
  t.strictSame(await check(t, 'GET', '/../settings', 200), { options: [] });
  await check(t, 'PUT', '/shop/drained', 201, good);
  t.match(await check(t, 'PUT', '/../drains/shop/drained?check=only', 200, {}), { wasDrained: false });
  await check(t, 'PUT', '/../drains/shop/drained?force=true&wait=acked&for=1h', 200, {
    reason: 'r',
    by: 'me',
  });
  await check(t, 'PUT', '/../drains/shop/drained?for=721h', 400, {});
  await check(t, 'PUT', '/../drains/shop/drained', 400, { why: 'r' });
  await check(t, 'PUT', '/../drains/shop/none', 404, {});
  await check(t, 'GET', '/../drains/shop/drained?wait=acked', 200);
  await check(t, 'GET', '/../drains/shop/none', 404);
  const { items, instances } = await check(t, 'GET', '/../drains?instance=drained', 200);
  t.match([items, instances], [[{ name: 'drained', reason: 'r' }], [{ name: 'drained', isDrained: true }]]);
  t.match(await check(t, 'GET', '/../replica/drains', 200), [{ name: 'shop/drained' }]);
  t.match(await check(t, 'DELETE', '/../drains/shop/drained?wait=acked', 200), { wasDrained: true });
  t.match(await check(t, 'DELETE', '/../drains/shop/drained', 200), { wasDrained: false });
  const asked = Object.keys(served).filter((id) => served[id as OperationId].path.startsWith('/v1/'));
  t.strictSame([...seen].sort(), asked.sort(), 'each operation was asked');
  t.equal((await mesh.api('POST', '/../evacuations/e')).status, 405);
  t.equal((await mesh.api('GET', '/../evacuations/')).status, 404);
  t.equal((await mesh.api('POST', '/../evacuations/e/begin')).status, 404);
  const kept = await serveAdmin(mesh.plane, { address: '127.0.0.1', port: 0 }, token);
  t.teardown(() => kept.close());
  t.match(await callApi(kept.port, 'PUT', '/../evacuations/e', spec), {
    status: 501,
    body: { message: /--state DIR/ },
  });

  t.equal((await mesh.api('POST', '/shop/a')).status, 405);
  t.match((await mesh.api('GET', '/shop/a/b/c')).body.message, /no such page/);
  const long = { ...good, labels: { app: 'x'.repeat(70_000) } };
  t.match(await callApi(mesh.adminPort, 'PUT', '/shop/long', long), {
    status: 413,
    body: { detail: /65536 bytes/ },
  });
  const refused = await fetch(`http://127.0.0.1:${mesh.adminPort}/v1/registrations/shop/x`, {
    method: 'DELETE',
  });
  t.equal(refused.status, 401);
  t.strictSame(faultsOf(await refused.json(), { $ref: '#/components/schemas/Problem' }), []);
  const open = await fetch(`http://127.0.0.1:${mesh.adminPort}/v1/registrations`);
  t.equal(open.status, 200, 'reading needs no token');
});
