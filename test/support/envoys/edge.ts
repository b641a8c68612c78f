import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ListenAddress } from '../../../src/model/values/listen-address.ts';
import { freeAddress, until } from '../mesh.ts';
import { idcYamlOf, oneYaml } from '../objects-yaml.ts';
import { type PatchedOptions, startPatched, withoutTrailFilters } from './patched.ts';
import type { ProxyProcess } from './proxied.ts';

/** What a test can undo. */
type Tap = { teardown(end: () => Promise<void>): void };

/** A real Envoy as the edge of an Idc, with the Group `one.test` behind it. */
export interface Edge {
  readonly edge: ListenAddress;
  readonly envoy: ProxyProcess;
  /** The client addresses in the access log, oldest first, without ports, once there are so many. */
  logged(count: number): Promise<string[]>;
}

/** Starts it with this policy (`spec.edge`, as YAML), without trail filters, which need a control plane. */
export async function startEdge(
  t: Tap,
  app: ListenAddress,
  policy: string,
  patch: PatchedOptions['patch'] = () => {},
): Promise<Edge> {
  const logs = mkdtempSync(join(tmpdir(), 'isthmus-edge-'));
  const [edge, peer] = [await freeAddress(), await freeAddress()];
  const accessLog = join(logs, `${edge.port}.log`);
  const { envoy, close } = await startPatched({
    scope: { role: 'ingress', idc: 'sh-a', edge, peer, accessLog },
    yaml: [idcYamlOf('sh-a', { edge, peer }, `edge: ${policy}`), oneYaml(app, 'sh-a')].join('---'),
    patch(message) {
      withoutTrailFilters(message);
      patch(message);
    },
  });
  t.teardown(async () => {
    await close();
    rmSync(logs, { recursive: true });
  });
  await listens(envoy, edge);
  return {
    edge,
    envoy,
    async logged(count) {
      const lines = () =>
        readFileSync(accessLog, 'utf8')
          .split('\n')
          .filter((line) => line.includes('one.test'));
      await until('the log is written', () => lines().length >= count, 20_000);
      return lines().map((line) => String(JSON.parse(line).downstream_remote).replace(/:[0-9]+$/, ''));
    },
  };
}
/** Waits until Envoy has the listener. */
const listens = (envoy: ProxyProcess, { address, port }: ListenAddress) =>
  until('the edge listens', async () => (await envoy.admin('/listeners')).includes(`${address}:${port}`));
