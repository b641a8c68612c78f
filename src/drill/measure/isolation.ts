import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import type { CheckFinding } from '../judge/finding.ts';
import { askAdmin } from '../world/envoy.ts';
import type { Part, PartKind } from '../world/parts.ts';
import type { DrillPaths } from '../world/paths.ts';
import { type IdcPlan, type InstancePlan, sidecarredOf, type Topology } from '../world/topology.ts';
import type { World } from '../world/world.ts';

/** What is looked at, and when; a verdict needs a finding for each. */
export const isolationChecks = [
  'sidecars before the load',
  'sidecars in the outage',
  'sidecars after the load',
  'control',
  'instances before the load',
  'instances after the load',
] as const;
export type IsolationCheck = (typeof isolationChecks)[number];

/** Those of a drill without an outage. */
export const calmIsolationChecks = isolationChecks.filter((check) => check !== 'sidecars in the outage');

/** What was found by each check. */
export type IsolationFindings = Readonly<Partial<Record<IsolationCheck, CheckFinding>>>;

/**
 * No sidecar of these kinds knows an address of another IDC: the only way there is through the gateways. Asks
 * those that run; in an outage ask callers only, for instances' sidecars may be stopped or out of reach.
 * Never rejects.
 */
export async function checkSidecarsKnowOnlyHome(
  world: World,
  kinds: readonly PartKind[],
  when: string,
  ask: Ask = askAdmin,
): Promise<CheckFinding> {
  const sidecars = world.parts.filter((part) => kinds.includes(part.kind) && world.running(part).alive());
  const wrong = await Promise.all(sidecars.map((part) => foreignAddresses(part, world.topology, ask)));
  const seen = wrong.flat();
  return {
    claim: `No sidecar knows an address of another IDC (${when})`,
    ok: seen.length === 0 && sidecars.length > 0,
    detail: seen.length === 0 ? `${sidecars.length} sidecars` : seen.slice(0, 3).join('; '),
  };
}

/**
 * The control of the check above: the same look at an egress gateway must find addresses of another IDC, or
 * it sees nothing. Asks each egress gateway that runs; never rejects.
 */
export async function checkEgressKnowsOthers(world: World, ask: Ask = askAdmin): Promise<CheckFinding> {
  const gateways = world.parts.filter((part) => part.kind === 'egress' && world.running(part).alive());
  const blind: string[] = [];
  for (const part of gateways) {
    const seen = await foreignAddresses(part, world.topology, ask);
    if (!seen.some((text) => text.includes(' knows '))) blind.push(seen[0] ?? `${part.spec.name}: none seen`);
  }
  return {
    claim: 'The same look at an egress gateway finds addresses of another IDC',
    ok: blind.length === 0 && gateways.length > 0,
    detail: blind.length === 0 ? `${gateways.length} egress gateways` : blind.slice(0, 3).join('; '),
  };
}

type Ask = typeof askAdmin;

async function foreignAddresses(part: Part, topology: Topology, ask: Ask): Promise<string[]> {
  if (!part.proxy) return [];
  let dump: string;
  try {
    dump = await ask(part.proxy.admin, '/config_dump?include_eds', 5000);
  } catch (reason) {
    // A proxy that does not tell is no proof, and no reason to call the drill off either.
    return [`${part.spec.name} does not tell its config: ${String(reason)}`];
  }
  return topology.idcs
    .filter((idc) => idc.name !== part.idc)
    .flatMap((idc) => prefixesOf(idc, topology))
    .filter((prefix) => dump.includes(`"${prefix}`))
    .map((prefix) => `${part.spec.name} knows ${prefix}*`);
}

function prefixesOf(idc: IdcPlan, topology: Topology): string[] {
  const gateways = topology.wan
    ? [...idc.ingress.map(({ peer }) => peer), ...idc.egress.map(({ sidecar }) => sidecar)]
    : [];
  const own = topology.net?.idc === idc.name ? [topology.net.prefix] : [];
  return [idc.prefix, ...own, ...gateways.map(({ address }) => `${address}"`)];
}

/**
 * Instances take requests from their sidecars only: the application listens on no TCP port, its socket lies
 * in a folder that only this user may enter, and what listens where the registry says it is, is its Envoy.
 * Those of TCP Groups have no sidecar and are not looked at.
 */
export function checkInstancesBehindSidecars(world: World, paths: DrillPaths, when: string): CheckFinding {
  const wrong = world.topology.idcs.flatMap((idc) =>
    sidecarredOf(idc).flatMap((instance) => faultsOf(world, paths, instance)),
  );
  const count = world.topology.idcs.reduce((sum, idc) => sum + sidecarredOf(idc).length, 0);
  return {
    claim: `Instances accept requests only through their sidecar (${when})`,
    ok: wrong.length === 0 && count > 0,
    detail: wrong.length === 0 ? `${count} instances` : wrong.slice(0, 3).join('; '),
  };
}

function faultsOf(world: World, paths: DrillPaths, instance: InstancePlan): string[] {
  const runningOf = (kind: Part['kind']) => {
    const part = world.parts.find((each) => each.kind === kind && each.proxy?.admin === instance.admin);
    return part && world.running(part);
  };
  const [app, sidecar] = [runningOf('app'), runningOf('sidecar')];
  const name = `${instance.idc}/${instance.name}`;
  const faults: string[] = [];
  // A dead application listens on nothing, which proves nothing.
  if (!app?.alive()) return [`${name} does not run`];
  const ports = listeningPorts(app.pid);
  if (ports.length > 0) faults.push(`${name} listens on TCP port ${ports[0]}`);
  if ((statSync(paths.socketDir(instance)).mode & 0o077) !== 0)
    faults.push(`${name}: others may use its socket`);
  if (!listeningPorts(sidecar?.pid ?? -1).includes(instance.inbound.port)) {
    faults.push(`${name}: its sidecar does not listen on port ${instance.inbound.port}`);
  }
  return faults;
}

/** TCP ports that a process listens on, by the kernel's tables of its network namespace. */
export function listeningPorts(pid: number): number[] {
  const own = new Set(socketInodes(pid));
  return ['tcp', 'tcp6'].flatMap((table) =>
    readText(`/proc/${pid}/net/${table}`)
      .split('\n')
      .slice(1)
      .map((line) => line.trim().split(/\s+/))
      // Columns: slot, local address, remote address, state (0A: listening), …, inode.
      .filter((columns) => columns[3] === '0A' && own.has(columns[9] ?? ''))
      .map((columns) => Number.parseInt(columns[1]?.split(':')[1] ?? '', 16)),
  );
}

function socketInodes(pid: number): string[] {
  let names: string[];
  try {
    names = readdirSync(`/proc/${pid}/fd`);
  } catch {
    return [];
  }
  return names.flatMap((name) => {
    try {
      return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${name}`))?.[1] ?? [];
    } catch {
      // Closed meanwhile.
      return [];
    }
  });
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
