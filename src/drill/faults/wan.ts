import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { MeshError } from '../../base/error.ts';
import type { Crew } from '../process/process.ts';
import type { DrillPaths } from '../world/paths.ts';
import type { Topology } from '../world/topology.ts';

/** Conditions of packets from one IDC to another. */
export interface LinkConditions {
  /** None arrives. */
  readonly cut?: boolean;
  readonly delayMs?: number;
  /** Share that is lost, 0 to 1, each by itself. */
  readonly loss?: number;
  /** Kilobits a second; a quarter of a second waits, more is lost. */
  readonly kbit?: number;
}

/** The network between the IDCs: packets from egress gateways to ingress gateways of other IDCs, and back. */
export interface WanNetwork {
  /** From now on, packets from one IDC to the other meet this, in this direction alone. */
  set(from: string, to: string, conditions: LinkConditions): void;
}

const linkProgram = fileURLToPath(new URL('./wan-link.py', import.meta.url));

/**
 * Whether this machine can carry packets in user space. Throws MeshError 'unsupported' that says what is
 * missing.
 */
export function checkWan(tun = '/dev/net/tun'): void {
  const hint = 'The network between IDCs (`wan`) needs Linux with /dev/net/tun, root, `ip` and python3.';
  if (!existsSync(tun)) throw new MeshError('unsupported', `There is no ${tun}. ${hint}`);
  try {
    execFileSync('python3', ['--version'], { stdio: 'ignore' });
  } catch (cause) {
    throw new MeshError('unsupported', `python3 cannot be run. ${hint}`, { cause });
  }
}

/**
 * Puts the egress gateways of each IDC into a network namespace of their own: their side of the IDC is a
 * bridge to this machine, their way to other IDCs a link in user space
 * (docs/decisions/104-a-wan-in-user-space.md). Names carry the drill's id, by which
 * `sweep` removes them. Resolves when packets pass.
 */
export async function createWan(
  id: string,
  { idcs, wan }: Topology,
  crew: Crew,
  paths: DrillPaths,
): Promise<WanNetwork> {
  if (!wan) throw new MeshError('internal', 'the topology has no network between IDCs');
  const bridge = `is${id}wb`;
  ip('link', 'add', bridge, 'type', 'bridge');
  for (const { xds } of idcs) ip('addr', 'add', `${xds.address}/24`, 'dev', bridge);
  ip('link', 'set', bridge, 'up');
  idcs.forEach(({ egress }, i) => {
    const netns = egress[0]?.netns ?? '';
    const [outside, inside] = [`is${id}p${i}`, `is${id}q${i}`];
    ip('netns', 'add', netns);
    ip('link', 'add', outside, 'type', 'veth', 'peer', 'name', inside, 'netns', netns);
    ip('link', 'set', outside, 'master', bridge, 'up');
    for (const { sidecar } of egress) ip('-n', netns, 'addr', 'add', `${sidecar.address}/24`, 'dev', inside);
    ip('-n', netns, 'link', 'set', inside, 'up');
    ip('-n', netns, 'link', 'set', 'lo', 'up');
  });
  const options = {
    prefix: wan.prefix,
    root: `is${id}w`,
    peers: idcs.flatMap(({ ingress }) => ingress.map(({ peer }) => peer.address)),
    sites: Object.fromEntries(
      idcs.map(({ egress }, i) => [i + 1, { netns: egress[0]?.netns, device: `is${id}w${i + 1}` }]),
    ),
  };
  const ready = Promise.withResolvers<void>();
  const running = crew.start({
    name: 'wan',
    command: 'python3',
    args: [linkProgram, JSON.stringify(options)],
    logFile: paths.log('wan'),
    lines: (line) => line === 'ready' && ready.resolve(),
  });
  const ended = running.exited.then(() => {
    throw new MeshError('unsupported', `The network between IDCs did not start; see ${paths.log('wan')}.`);
  });
  await Promise.race([ready.promise, ended]);
  ended.catch(() => {});
  const numberOf = (name: string) => idcs.findIndex((idc) => idc.name === name) + 1;
  return {
    set(from, to, conditions) {
      running.tell(JSON.stringify({ from: numberOf(from), to: numberOf(to), ...conditions }));
    },
  };
}

function ip(...args: string[]): void {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}
