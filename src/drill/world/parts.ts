import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { sourceTree } from '../../base/package/source-tree.ts';
import type { AccessLogScope, NodeScope } from '../../model/node.ts';
import type { ListenAddress } from '../../model/values/listen-address.ts';
import { type BootstrapOptions, buildBootstrap } from '../../translate/bootstrap.ts';
import { drillIdHeader } from '../call/request-id.ts';
import { entryPoint, type ProcessSpec } from '../process/process.ts';
import type { DnsPlan } from './dns-main.ts';
import { type EnvoyBinary, envoyArgs } from './envoy.ts';
import type { DrillPaths } from './paths.ts';
import { commandUnderRun } from './registering.ts';
import {
  type CallerPlan,
  type EgressPlan,
  hostOf,
  type IdcPlan,
  type IngressPlan,
  type InstancePlan,
  isTcpGroup,
  nameOfInstance,
  type ProxyPlan,
  type Topology,
  type WorldPlan,
} from './topology.ts';

/**
 * Arguments for compiled filters, kept from drill to drill: a compile takes a control plane some five seconds
 * of processor time. Each start still checks what it finds (docs/decisions/027-filters-on-disk.md). An
 * installed package leaves them to the control plane, which keeps them in the user's cache folder.
 */
const compiledFilters = sourceTree === undefined ? [] : ['--filters', join(sourceTree, '.cache/filters')];

/** What kind of process of the world it is. */
export type PartKind = 'control' | 'dns' | 'ingress' | 'egress' | 'app' | 'sidecar' | 'caller' | 'other';

/** A process of the world, before it is started. It can be started again after it was killed. */
export interface Part {
  readonly kind: PartKind;
  readonly idc: string;
  /** The Envoy that it is, or whose application it is; absent for a control plane and a name server. */
  readonly proxy?: ProxyPlan;
  readonly spec: ProcessSpec;
}

/** What the processes of a world are made from. */
export interface PartsContext {
  readonly topology: Topology;
  readonly paths: DrillPaths;
  readonly envoy: EnvoyBinary;
}

/**
 * The instances and Envoys among parts, such as `sh-a/checkout-1`, each once. An instance and its sidecar
 * share a name.
 */
export function partNames(parts: readonly Part[]): string[] {
  return [...new Set(parts.flatMap(({ proxy }) => (proxy ? [`${proxy.idc}/${proxy.name}`] : [])))];
}

/** The instances of an IDC, or of one of its Groups: each application with its sidecar. */
export function workloadsOf(parts: readonly Part[], idc: string, group?: string): Part[] {
  return parts.filter(({ kind, proxy, idc: of }) => {
    if (of !== idc || (kind !== 'app' && kind !== 'sidecar')) return false;
    return group === undefined || (proxy as InstancePlan).group.name === group;
  });
}

/** The instances that parts belong to, each once. */
export function instancesOf(parts: readonly Part[]): InstancePlan[] {
  const own = parts.filter(({ kind }) => kind === 'app' || kind === 'sidecar');
  return [...new Set(own.map(({ proxy }) => proxy as InstancePlan))];
}

/** All processes of a world, in the order in which they are started. Writes the Envoys' bootstraps. */
export function planParts({ topology, paths, envoy }: PartsContext): Part[] {
  return topology.idcs.flatMap((idc) => {
    const { xds } = idc;
    const proxy = (
      kind: PartKind,
      plan: ProxyPlan,
      scope: NodeScope,
      inbound?: BootstrapOptions['inbound'],
    ) => {
      const dns = idc.dns && scope.role !== 'egress' && !inbound ? { dns: [idc.dns] } : {};
      const options = {
        id: plan.name,
        scope,
        xds: [xds],
        admin: plan.admin,
        ...dns,
        ...(inbound && { inbound }),
      };
      return envoyPart(kind, plan, buildBootstrap(options), paths, envoy);
    };
    const common = (plan: ProxyPlan) => ({
      idc: idc.name,
      accessLog: paths.accessLog(plan),
      accessLogHeaders: [drillIdHeader],
    });
    const sidecar = (instance: InstancePlan) =>
      proxy(
        'sidecar',
        instance,
        { role: 'sidecar', ...common(instance), namespace: topology.namespace },
        { listen: instance.inbound, app: { path: paths.socket(instance) } },
      );
    const instances = idc.instances.flatMap((instance) =>
      isTcpGroup(instance.group)
        ? [appPart(instance, idc, paths)]
        : [appPart(instance, idc, paths), sidecar(instance)],
    );
    return [
      controlPart(idc, topology, paths),
      ...(idc.dns ? [dnsPart(idc.dns, idc, topology, paths)] : []),
      ...instances,
      ...idc.ingress.map((plan) => proxy('ingress', plan, ingressScope(plan, common(plan)))),
      ...idc.egress.map((plan) => proxy('egress', plan, egressScope(plan, common(plan)))),
      proxy('caller', idc.caller, callerScope(topology, idc.caller, common(idc.caller))),
    ];
  });
}

type Common = { readonly idc: string } & AccessLogScope;

function ingressScope({ edge, peer }: IngressPlan, common: Common): NodeScope {
  return { role: 'ingress', ...common, edge, peer };
}

function egressScope({ sidecar, ingress }: EgressPlan, common: Common): NodeScope {
  return { role: 'egress', ...common, sidecar, ingress };
}

function callerScope(topology: Topology, { outbound }: CallerPlan, common: Common): NodeScope {
  const dependsOn = topology.groups.map((group) => hostOf(topology, group));
  return { role: 'sidecar', ...common, namespace: topology.namespace, dependsOn, outbound };
}

function envoyPart(
  kind: PartKind,
  proxy: ProxyPlan & { readonly netns?: string },
  bootstrap: object,
  paths: DrillPaths,
  envoy: EnvoyBinary,
): Part {
  writeFileSync(paths.bootstrap(proxy), JSON.stringify(bootstrap, null, 1));
  const name = `${proxy.idc}/${proxy.name}${kind === 'sidecar' ? '/sidecar' : ''}`;
  return {
    kind,
    idc: proxy.idc,
    proxy,
    spec: {
      name,
      command: envoy.path,
      args: envoyArgs(paths.bootstrap(proxy), paths.log(name)),
      logFile: paths.log(name),
      ...(proxy.netns !== undefined && { netns: proxy.netns }),
    },
  };
}

function appPart(instance: InstancePlan, idc: IdcPlan, paths: DrillPaths): Part {
  mkdirSync(paths.socketDir(instance), { recursive: true, mode: 0o700 });
  const options = {
    instance: `${instance.idc}/${instance.name}`,
    idc: instance.idc,
    socketPath: paths.socket(instance),
    logFile: paths.requests(instance),
    protocol: instance.group.protocol ?? 'HTTP',
    ...(instance.group.slots?.[instance.idc] !== undefined && { slots: instance.group.slots[instance.idc] }),
    coldFile: paths.cold(instance),
    ...(isTcpGroup(instance.group) && { listen: instance.inbound }),
  };
  const name = `${instance.idc}/${instance.name}/app`;
  const spec: ProcessSpec = {
    name,
    command: process.execPath,
    args: [entryPoint('upstream/upstream-main'), JSON.stringify(options)],
    logFile: paths.log(name),
    ...(instance.netns !== undefined && { netns: instance.netns }),
  };
  return {
    kind: 'app',
    idc: instance.idc,
    proxy: instance,
    spec: instance.group.registers ? commandUnderRun(spec, instance, idc, paths.token, []) : spec,
  };
}

/** The name server of an IDC: it knows the instances of all. */
function dnsPart(
  { address, port }: ListenAddress,
  idc: IdcPlan,
  { idcs }: Topology,
  paths: DrillPaths,
): Part {
  const name = `${idc.name}/dns`;
  const names = Object.fromEntries(
    idcs.flatMap(({ instances }) => instances.map((each) => [nameOfInstance(each), each.inbound.address])),
  );
  const plan: DnsPlan = { address, port, names };
  return {
    kind: 'dns',
    idc: idc.name,
    spec: {
      ...{ name, command: process.execPath, logFile: paths.log(name) },
      args: [entryPoint('world/dns-main'), JSON.stringify(plan)],
    },
  };
}

/** Arguments for the state and the registrations of a control plane, if it keeps any. */
function keeping(idc: IdcPlan, { plan, groups }: Topology, paths: DrillPaths): string[] {
  const registers = groups.some((group) => group.registers);
  if (plan.diskKib === undefined && !registers) return [];
  const dir = plan.diskKib === undefined ? paths.dir : paths.disk(idc.name);
  writeFileSync(paths.token, 'the token of a drill, loopback only\n', { mode: 0o600 });
  return [
    ...(plan.diskKib === undefined ? [] : ['--state', join(dir, 'state')]),
    ...['--registrations', join(dir, `registrations-${idc.name}.db`), '--admin-token-file', paths.token],
  ];
}

/** Arguments and environment that step the wall clock of a Node process by a file's content. */
function steppable(file: string): string[] {
  const program = pathToFileURL(entryPoint('faults/clock-step'));
  program.searchParams.set('file', file);
  return ['--import', program.href];
}

function controlPart(idc: IdcPlan, topology: Topology, paths: DrillPaths): Part {
  const { hopLimit, clocks, control = [] }: WorldPlan = topology.plan;
  const name = `${idc.name}/control`;
  const { xds, controlAdmin: admin } = idc;
  return {
    kind: 'control',
    idc: idc.name,
    spec: {
      name,
      command: process.execPath,
      args: [
        clocks ? steppable(paths.clock(idc.name)) : [],
        entryPoint('../cli/main'),
        'serve',
        ['--idc', idc.name],
        ['--config', paths.registry(idc.name)],
        ['--xds', `${xds.address}:${xds.port}`],
        ['--admin', `${admin.address}:${admin.port}`],
        compiledFilters,
        // Drills delete on purpose.
        ['--deletion-grace', '0s'],
        hopLimit === undefined ? [] : ['--hop-limit', String(hopLimit)],
        keeping(idc, topology, paths),
        control,
      ].flat(),
      logFile: paths.log(name),
    },
  };
}
