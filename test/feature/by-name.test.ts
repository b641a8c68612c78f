import t from 'tap';
import { startDns } from '../../src/drill/world/dns-server.ts';
import { outcomeHeader } from '../../src/model/trail.ts';
import { dnsResolver } from '../../src/translate/cluster/dns.ts';
import { startOutside } from '../support/apps/outside.ts';
import { rawExchange } from '../support/clients/raw-http.ts';
import { type Loose, startPatched } from '../support/envoys/patched.ts';
import { freeAddress, get, until } from '../support/mesh.ts';
import { idcYaml } from '../support/objects-yaml.ts';

// ServiceEntries with resolution NONE and DYNAMIC_DNS: a caller says where a request goes. Of loopback just
// 127.0.0.0/24 is refused here, as in passthrough.test.ts.

const dns = await startDns();
const [one, other] = [await startOutside('127.0.1.1'), await startOutside('127.0.1.2')];
const secret = await startOutside('127.0.0.1');
t.teardown(async () => {
  for (const outside of [one, other, secret]) await outside.close();
  await dns.close();
});
dns.say('www.example.com', { addresses: ['127.0.1.1'] });
dns.say('en.wiki.test', { addresses: ['127.0.1.1'] });
dns.say('de.wiki.test', { addresses: ['127.0.1.2'] });
dns.say('evil.wiki.test', { addresses: ['127.0.0.1'] });
dns.say('new.dynamic.test', { addresses: ['127.0.1.1'] });

const entry = (name: string, host: string, spec: string) => `
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: ${name}, namespace: shop}
spec: {hosts: ['${host}'], ${spec}}
`;
const ports = (...list: readonly (readonly [number, string])[]) =>
  `ports: [${list.map(([number, protocol]) => `{number: ${number}, name: p${number}, protocol: ${protocol}}`)}]`;

const yaml = `${idcYaml}${entry('www', 'www.example.com', ports([one.http.port, 'HTTP'], [one.tcp.port, 'HTTPS']))}
${entry('wiki', '*.wiki.test', `resolution: NONE, ${ports([one.http.port, 'HTTP'], [other.http.port, 'HTTP'], [one.tcp.port, 'HTTPS'], [secret.http.port, 'HTTP'])}`)}
${entry('dynamic', '*.dynamic.test', `resolution: DYNAMIC_DNS, ${ports([one.http.port, 'HTTP'])}`)}
`;

const outbound = await freeAddress();
const sidecar = await startPatched({
  scope: { role: 'sidecar', idc: 'sh-a', namespace: 'shop', outbound },
  yaml,
  bootstrap: dnsResolver([dns]),
  patch(message: Loose) {
    const text = JSON.stringify(message);
    const part = '"address_prefix":"127.0.0.0","prefix_len":';
    Object.assign(message, JSON.parse(text.replace(`${part}8`, `${part}24`)));
  },
});
t.teardown(() => sidecar.close());
const ask = (host: string) => get(outbound, '/', { host });

function connect(host: string) {
  return rawExchange(outbound, `CONNECT ${host} HTTP/1.1\r\nHost: ${host}\r\n\r\n`, {
    next: 'bytes',
    until: /bytes$|^HTTP\/1.1 [345]/,
  });
}

t.test('a host: its name is looked up, its HTTP port served, the others by CONNECT', async (t) => {
  await until('it is found', async () => (await ask('www.example.com')).status === 200);
  for (const host of ['www.example.com', `www.example.com:${one.http.port}`])
    t.equal((await ask(host)).body, `127.0.1.1 GET ${host} /`);
  t.match((await connect(`www.example.com:${one.tcp.port}`)).text, /^HTTP\/1.1 200(?:.|\n|\r)*bytes$/);
  const listeners = await sidecar.envoy.admin('/listeners');
  t.match(listeners, /^outbound::/);
  t.notMatch(listeners, /tls\/|tcp\//, 'no port is listened on');
});

t.test('a wildcard: each request goes to its own host, at the declared ports', async (t) => {
  const en = `en.wiki.test:${one.http.port}`;
  const de = `de.wiki.test:${other.http.port}`;
  t.equal((await ask(en)).body, `127.0.1.1 GET ${en} /`);
  t.equal((await ask(de)).body, `127.0.1.2 GET ${de} /`);
  t.equal((await ask(`new.dynamic.test:${one.http.port}`)).status, 200, 'DYNAMIC_DNS');
  t.match((await connect(`en.wiki.test:${one.tcp.port}`)).text, /^HTTP\/1.1 200(?:.|\n|\r)*bytes$/);

  const undeclared = await ask(`en.wiki.test:${one.http2.port}`);
  t.equal(undeclared.status, 404);
  t.match(undeclared.body, /does not have this port/);
  t.equal((await connect(`en.wiki.test:${one.http2.port}`)).status, 404);
  t.equal((await ask('en.wiki.test')).status, 404, 'no port is port 80');

  const gone = await ask(`none.wiki.test:${one.http.port}`);
  t.match([gone.status, gone.headers[outcomeHeader]], [503, 'no-address']);
  const evil = await ask(`evil.wiki.test:${secret.http.port}`);
  t.match(
    [evil.status, evil.headers[outcomeHeader]],
    [403, 'refused-address'],
    'nor does it lead to this machine',
  );
  t.equal(secret.requests.length, 0);
  t.equal(
    (await ask(`www.other.test:${one.http.port}`)).headers[outcomeHeader],
    'unknown-host',
    'all else is unknown',
  );
});
