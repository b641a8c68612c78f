import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { replaceFileSync } from '../../../src/base/files/replace-file.ts';
import type { ListenAddress } from '../../../src/model/values/listen-address.ts';
import { connectXds, type XdsClient } from '../clients/xds-client.ts';
import { freeAddress, get, until } from '../mesh.ts';
import { groupYaml, idcYaml } from '../objects-yaml.ts';
import type { Attack, Target } from './attack.ts';
import { type Attacker, startAttacker } from './attacker.ts';

const file = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const scope: Target['scope'] = {
  ...{ role: 'sidecar', idc: 'sh-a', namespace: 'shop' },
  outbound: { address: '127.0.0.1', port: 15_001 },
};
const groups = 50;

/** What a control plane was like for those who behave, in milliseconds and bytes. */
export interface Seen {
  /** From a change to each client's receiving it, in order. */
  readonly ms: readonly number[];
  readonly lost: number;
}

/** A control plane as a process, clients that behave, and attacks on it. */
export interface Attacked {
  /** Changes an instance so many times; what the clients saw of it. */
  observe(changes: number): Promise<Seen>;
  /**
   * Begins an attack: `stop` ends it where it does not end by itself, `ends` tells how its calls and
   * connections ended.
   */
  attack(attack: Attack): { readonly ends: Promise<string[]>; stop(): void };
  /** Resident memory of the control plane, after what can be collected was. */
  rssBytes(): number;
  metrics(): Promise<string>;
  log(): string;
  close(): Promise<void>;
}

/** Starts one, over a folder of some Groups; `isOpen`: its clients may do what they like, as a control. */
export async function startAttacked(isOpen = false): Promise<Attacked> {
  const dir = mkdtempSync(join(tmpdir(), 'isthmus-attacked-'));
  const config = mkdtempSync(join(dir, 'config-'));
  const save = (name: string, text: string) => replaceFileSync(join(config, name), text);
  save('idc.yaml', idcYaml);
  for (let i = 0; i < groups; i++) save(`g${i}.yaml`, groupYaml(`g${i}`));
  let port = 1;
  const change = () => {
    port += 1;
    save('instance.yaml', instanceYaml(port));
  };
  change();
  const [xds, admin] = [await freeAddress(), await freeAddress()];
  const at = (one: ListenAddress) => `${one.address}:${one.port}`;
  const filters = join(tmpdir(), 'isthmus-attacked-filters');
  const args = isOpen
    ? [file('./open-main.ts'), 'sh-a', config, filters, at(xds), at(admin)]
    : [
        ...[file('../../../src/cli/main.ts'), 'serve', '--idc', 'sh-a', '--config', config],
        ...['--filters', filters, '--xds', at(xds), '--admin', at(admin)],
      ];
  const { NODE_OPTIONS: _, ...env } = process.env;
  const plane = spawn(process.execPath, args, { env, stdio: ['ignore', 'ignore', 'pipe'] });
  let log = '';
  plane.stderr?.on('data', (chunk) => {
    log = (log + chunk).slice(-100_000);
  });
  let attacker: Attacker | undefined;
  await until('it is ready', async () => (await get(admin, '/readyz')).status === 200, 240_000);
  const clients = await Promise.all(Array.from({ length: 10 }, (_, i) => behave(at(xds), `good-${i}`)));

  return {
    async observe(changes) {
      const ms: number[] = [];
      let lost = 0;
      for (let i = 0; i < changes; i++) {
        const begin = performance.now();
        change();
        const awaited = `${port}`;
        await Promise.all(
          clients.map(async (client) => {
            const got = await Promise.race([
              client.sees(awaited),
              new Promise<false>((resolve) => setTimeout(resolve, 20_000, false)),
            ]);
            if (got) ms.push(performance.now() - begin);
            else lost += 1;
          }),
        );
      }
      return { ms: ms.sort((a, b) => a - b), lost };
    },
    attack({ name }) {
      attacker ??= startAttacker();
      const by = attacker;
      const { report, stop } = by.attack(name, { at: xds, scope });
      const ends = report.then(({ ended, isLate }) => {
        if (isLate) by.close();
        if (isLate && attacker === by) attacker = undefined;
        return ended.map(({ how }) => how);
      });
      return { ends, stop };
    },
    rssBytes: () =>
      1024 * Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${plane.pid}/status`, 'utf8'))?.[1]),
    metrics: async () => (await get(admin, '/metrics')).body,
    log: () => log,
    async close() {
      for (const client of clients) client.close();
      attacker?.close();
      const gone = once(plane, 'exit');
      plane.kill('SIGKILL');
      await gone;
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

const instanceYaml = (port: number) => `
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: w, namespace: shop}
spec:
  address: 10.0.0.1
  ports: {http: ${port}}
  labels: {app: g0}
  locality: sh-a
`;

/** A Delta client that takes and accepts all that it is sent; `sees` waits for an instance at a port. */
async function behave(at: string, id: string) {
  const client: XdsClient = connectXds(at, 'delta', { id, metadata: { isthmus: scope } });
  const waiting = new Map<string, (seen: true) => void>();
  let last = '';
  client.send('CDS', { resource_names_subscribe: ['*'] });
  const names = new Set<string>();
  const loop = async () => {
    for (;;) {
      const response = await client.next();
      client.ack(response);
      const text = JSON.stringify(response.resources ?? []);
      const resources = (response.resources ?? []) as { name: string; resource: { type?: string } }[];
      const wanted = resources.filter(({ resource }) => resource.type === 'EDS').map(({ name }) => name);
      const more = wanted.filter((name) => !names.has(name));
      for (const name of more) names.add(name);
      if (more.length > 0) client.send('EDS', { resource_names_subscribe: more });
      last = /"port_value":(\d+)/.exec(text)?.[1] ?? last;
      waiting.get(last)?.(true);
    }
  };
  loop().catch(() => {});
  await until(`${id} has its endpoints`, async () => last !== '');
  return {
    close: () => client.close(),
    sees: (port: string) =>
      last === port
        ? Promise.resolve(true as const)
        : new Promise<true>((resolve) => waiting.set(port, resolve)),
  };
}
