import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { createServer as createHttp } from 'node:http';
import { type AddressInfo, createServer as createTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { request } from 'undici';
import { buildCaptureRules } from '../../src/inject/capture-rules.ts';
import { injectPod } from '../../src/inject/inject-pod.ts';
import { injectDefaults } from '../../src/inject/settings.ts';
import { idc, service, toYaml, workload } from '../registry/objects.ts';
import { findEnvoy } from '../support/envoy.ts';
import { createPodNetwork, type PodNetwork, withoutPodNetwork } from '../support/kube-deploy/pod-network.ts';

t.test('the rules are for nft, and take nothing but addresses', async (t) => {
  const options = {
    port: 15_008,
    uid: 1337,
    excludePorts: [22, 53],
    excludePrefixes: ['10.0.0.0/8', 'fd00::/8'],
  };
  const rules = buildCaptureRules(options);
  t.match(rules, /^table inet isthmus\ndelete table inet isthmus\ntable inet isthmus \{/);
  t.match(
    rules,
    /tcp dport \{ 53, 22 \} return\n +ip daddr \{ 10\.0\.0\.0\/8 \} return\n +ip6 daddr \{ fd00::\/8 \} return/,
  );
  for (const prefix of ['10.0.0.0/8 } accept; {', '$(x)', '', 'a b'])
    t.throws(
      () => buildCaptureRules({ ...options, excludePrefixes: [prefix] }),
      /is not an address or prefix/,
    );
});

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

/** Asks by HTTP from within the Pod, at an address, for a host. */
const asks = (address: string, port: number, host: string) => `
  require('node:http').get({ host: '${address}', port: ${port}, headers: { host: '${host}' }, timeout: 20000 }, (answer) => {
    answer.setEncoding('utf8').on('data', (text) => process.stdout.write(answer.statusCode + ' ' + text));
  }).on('error', (error) => { console.error(error.code); process.exit(1); });`;
/** Waits for what a server says first. */
const hears = (address: string, port: number) => `
  require('node:net').connect(${port}, '${address}').once('data', (text) => { process.stdout.write(text); process.exit(); })
    .on('error', (error) => { console.error(error.code); process.exit(1); })
    .on('end', () => { console.error('ended'); process.exit(1); });`;

/** A Pod as a kubelet starts it: what the sidecar's containers run, with its variables. */
function injectedPod(xds: string, excluded: number) {
  const result = injectPod(
    {
      metadata: {
        labels: { app: 'caller' },
        annotations: { 'isthmus.dev/capture': 'true', 'isthmus.dev/capture-exclude-ports': String(excluded) },
      },
      spec: { containers: [{ name: 'app', image: 'x' }] },
    },
    {
      ...{ ...injectDefaults, idc: 'sh-a', xds: [{ address: xds, port: 15010 }] },
      ...{ readinessGate: 'never', ipv6: true },
    },
    'shop',
  );
  if (result.outcome !== 'injected') throw new Error(JSON.stringify(result));
  const { initContainers } = result.pod.spec as { initContainers: { args: string[] }[] };
  const [capture, proxy] = initContainers.map(({ args }) => args);
  const expanded = (proxy ?? []).map((arg) =>
    arg.replaceAll('$(POD_NAME)', 'caller-1').replaceAll('$(POD_NAMESPACE)', 'shop').replaceAll('$$(', '$('),
  );
  return { capture: capture ?? [], proxy: expanded };
}

async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; !(await isSo().catch(() => false)); tries += 1) {
    if (tries > 600) throw new Error(`not within a minute: ${what}`);
    await sleep(100);
  }
}

async function startPlane(address: string, port: number, files: string): Promise<() => void> {
  const folder = mkdtempSync(join(tmpdir(), 'isthmus-capture-'));
  writeFileSync(join(folder, 'mesh.yaml'), files);
  const args = ['serve', '--idc', 'sh-a', '--config', folder, '--xds', `${address}:15010`];
  const child = spawn(process.execPath, [main, ...args, '--admin', `${address}:${port}`], {
    stdio: 'ignore',
  });
  await until('the control plane is ready', async () => {
    const { statusCode, body } = await request(`http://${address}:${port}/readyz`);
    await body.dump();
    return statusCode === 200;
  });
  return () => child.kill('SIGKILL');
}

async function listening(server: ReturnType<typeof createTcp>, address: string): Promise<number> {
  server.listen(0, address);
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

t.test('a Pod with its own network: connections are captured', { skip: withoutPodNetwork() }, async (t) => {
  const net: PodNetwork = await createPodNetwork();
  t.teardown(() => net.close());
  const { v4, v6 } = net.outside;
  const instance = createHttp((_, response) => response.end('an instance'));
  const other = createHttp((_, response) => response.end('another'));
  const banners = [0, 1, 2].map(() => createTcp((socket) => socket.on('error', () => 0).end('banner')));
  const [app, unknown] = [await listening(instance, v4), await listening(other, v4)];
  const [first, firstV6, excluded] = await Promise.all(
    [v4, v6, v4].map((address, index) => listening(banners[index] as (typeof banners)[0], address)),
  );
  for (const server of [instance, other, ...banners]) t.teardown(() => void server.close());
  const objects = toYaml(
    ...[
      idc('sh-a'),
      service('s', 'checkout.shop', {
        ports: [{ number: 80, name: 'http', protocol: 'HTTP', targetPort: app }],
      }),
    ],
    workload('w-1', { address: v4 }),
  );
  t.teardown(await startPlane(v4, 15014, objects));

  const { capture, proxy } = injectedPod(v4, excluded as number);
  await net.run(process.execPath, [main, ...capture]);
  // Once more, as after a restart of the container: the rules are replaced.
  await net.run(process.execPath, [main, ...capture]);
  const user = ['--reuid', '1337', '--regid', '1337', '--clear-groups'];
  const envoy = net.start('setpriv', [...user, findEnvoy(), ...proxy]);
  const said: string[] = [];
  envoy.stderr?.on('data', (text: Buffer) => void said.push(text.toString()));
  t.teardown(() => void envoy.kill('SIGKILL'));
  await until('the sidecar is ready, as a kubelet sees it', async () => {
    if (envoy.exitCode !== null) throw new Error(said.join(''));
    const { statusCode, body } = await request(`http://${net.address}:15021/ready`);
    await body.dump();
    return statusCode === 200;
  });
  const node = (code: string) => net.run(process.execPath, ['-e', code]);

  await t.test('what kubelets ask is answered, nothing else of the admin interface', async (t) => {
    const statusOf = async (path: string, method: 'GET' | 'POST' = 'GET') => {
      const { statusCode, body } = await request(`http://${net.address}:15021${path}`, { method });
      await body.dump();
      return statusCode;
    };
    t.equal(await statusOf('/stats/prometheus'), 200);
    for (const path of ['/config_dump', '/clusters', '/ready/../clusters', '/'])
      t.equal(await statusOf(path), 404, path);
    t.equal(await statusOf('/quitquitquit', 'POST'), 404);
    await t.rejects(request(`http://${net.address}:15000/ready`), 'the interface itself is on loopback');
  });

  await t.test('the node has the name of the Pod', async (t) => {
    const { body } = await request(`http://${v4}:15014/status`);
    t.match(await body.text(), /caller-1\.shop/);
  });

  await t.test('HTTP goes by its host, at any address that no DNS has', async (t) => {
    t.equal(await node(asks('240.240.0.1', 80, 'checkout.shop')), '200 an instance');
    t.equal(await node(asks('2001:2::1', 80, 'checkout.shop')), '200 an instance');
    t.equal(await node(asks(v4, unknown, `${v4}:${unknown}`)), '200 another', 'and a host that no Group has');
  });

  await t.test('other protocols go where they were going, also where the server speaks first', async (t) => {
    t.equal(await node(hears(v4, first as number)), 'banner');
    t.equal(await node(hears(v6, firstV6 as number)), 'banner');
    t.equal(await node(hears(v4, excluded as number)), 'banner');
  });

  await t.test('without the sidecar captured connections fail, and excluded ones do not', async (t) => {
    const ended = once(envoy, 'exit');
    envoy.kill('SIGKILL');
    await ended;
    await t.rejects(node(hears(v4, first as number)), /ECONNREFUSED/);
    await t.rejects(node(asks('240.240.0.1', 80, 'checkout.shop')), /ECONNREFUSED/);
    t.equal(await node(hears(v4, excluded as number)), 'banner');
  });

  await t.test('control: without the rules nothing is captured', async (t) => {
    await net.run('nft', ['delete', 'table', 'inet', 'isthmus']);
    t.equal(await node(hears(v4, first as number)), 'banner');
  });
});
