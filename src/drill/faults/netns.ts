import { execFileSync } from 'node:child_process';
import { MeshError } from '../../base/error.ts';
import type { InstancePlan, NetPlan } from '../world/topology.ts';

/** A network of namespaces on a bridge, whose packets can be lost. */
export interface DropNetwork {
  /** From now on, packets from the machine to these instances vanish, in silence. */
  drop(instances: readonly InstancePlan[]): void;
  /** Lets them through again. */
  heal(instances: readonly InstancePlan[]): void;
}

/**
 * Whether this machine lets us make network namespaces. Throws MeshError 'unsupported' that says what is
 * missing, before anything was started. Root itself: capabilities alone do not let `ip` write to /run/netns.
 */
export function checkNamespaces(probeName: string, uid = process.getuid?.()): void {
  const hint = 'To lose packets (`drop`) a drill needs Linux, root and `ip` (package iproute2).';
  if (uid !== 0) {
    throw new MeshError('unsupported', `This user may not make network namespaces. ${hint}`);
  }
  try {
    ip('netns', 'add', probeName);
    ip('netns', 'del', probeName);
  } catch (cause) {
    throw new MeshError('unsupported', `Cannot make a network namespace: ${reasonOf(cause)}. ${hint}`, {
      cause,
    });
  }
}

/**
 * Gives each instance a namespace of its own with its address, all on one bridge where the machine itself is
 * `.1`. Names carry the drill's id, by which `sweep` finds and removes them. Throws MeshError 'conflict' when
 * the network's addresses are in use.
 */
export function createDropNetwork(id: string, net: NetPlan, instances: readonly InstancePlan[]): DropNetwork {
  const bridge = `is${id}br`;
  if (ip('-4', '-o', 'addr', 'show').includes(` ${net.prefix}`)) {
    throw new MeshError('conflict', `The network ${net.prefix}0/24 is in use on this machine.`);
  }
  ip('link', 'add', bridge, 'type', 'bridge');
  ip('addr', 'add', `${net.prefix}1/24`, 'dev', bridge);
  ip('link', 'set', bridge, 'up');
  instances.forEach((instance, i) => {
    const netns = namespaceOf(instance);
    const [outside, inside] = [`is${id}o${i}`, `is${id}i${i}`];
    ip('netns', 'add', netns);
    ip('link', 'add', outside, 'type', 'veth', 'peer', 'name', inside, 'netns', netns);
    ip('link', 'set', outside, 'master', bridge, 'up');
    ip('-n', netns, 'addr', 'add', `${instance.inbound.address}/24`, 'dev', inside);
    ip('-n', netns, 'link', 'set', inside, 'up');
    ip('-n', netns, 'link', 'set', 'lo', 'up');
  });
  return {
    drop(lost) {
      // Nobody has this hardware address: the bridge floods the packets and every kernel discards them.
      // Unlike a blackhole route or a firewall's reject, the sender is told nothing.
      for (const { inbound } of lost) {
        ip(
          'neigh',
          'replace',
          inbound.address,
          'lladdr',
          '02:00:00:00:de:ad',
          'dev',
          bridge,
          'nud',
          'permanent',
        );
      }
    },
    heal(lost) {
      for (const { inbound } of lost) ip('neigh', 'del', inbound.address, 'dev', bridge);
    },
  };
}

function namespaceOf(instance: InstancePlan): string {
  if (instance.netns === undefined) throw new RangeError(`${instance.name} has no network namespace`);
  return instance.netns;
}

function ip(...args: string[]): string {
  return execFileSync('ip', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

function reasonOf(cause: unknown): string {
  const stderr = (cause as { stderr?: unknown }).stderr;
  if (typeof stderr === 'string' && stderr.trim() !== '') return stderr.trim();
  return cause instanceof Error ? cause.message : String(cause);
}
