import { resolve } from 'node:path';
import { Command, Option } from 'commander';
import { MeshError } from '../../base/error.ts';
import { type NodeRole, type NodeScope, nodeMetadataKey, parseNodeScope } from '../../model/node.ts';
import { type ListenAddress, showAddress } from '../../model/values/listen-address.ts';
import type { AppAddress } from '../../translate/bootstrap.ts';
import { helpEnd } from '../help-end.ts';
import {
  addControlPlane,
  addReached,
  parseApp,
  parseBindAddress,
  parseHosts,
  parseIdcName,
} from '../options/address.ts';
import { parsePortNumber } from '../options/argument.ts';
import { parseMaxHeap } from '../options/max-heap.ts';
import { parseTrustDomain } from '../options/trust.ts';

interface Flags {
  readonly role: NodeRole;
  readonly idc: string;
  readonly id: string;
  readonly zone?: string;
  readonly xds: readonly ListenAddress[];
  readonly admin?: ListenAddress;
  readonly readyPort?: number;
  readonly xdsMode: 'delta' | 'sotw';
  readonly accessLog?: string;
  readonly accessLogHeaders?: readonly string[];
  readonly output: 'yaml' | 'json';
  readonly dns?: readonly ListenAddress[];
  readonly maxHeap?: number;
  readonly tls?: string;
  readonly trustDomain?: string;
  readonly namespace?: string;
  readonly dependsOn?: readonly string[];
  readonly outbound?: ListenAddress;
  readonly unknownHosts?: 'pass' | 'refuse';
  readonly inbound?: ListenAddress;
  readonly app?: AppAddress;
  readonly edge?: ListenAddress;
  readonly peer?: ListenAddress;
  readonly sidecarListen?: ListenAddress;
  readonly ingressListen?: ListenAddress;
}

/** `isthmus bootstrap`: prints a bootstrap for `envoy -c`, or gives its text to `write`. */
export function bootstrapCommand(
  write: (text: string) => void = (text) => void process.stdout.write(text),
): Command {
  return new Command('bootstrap')
    .summary('print the bootstrap of an Envoy, or of a gRPC client')
    .description(
      'Print a bootstrap that `envoy -c` takes, for one proxy of one IDC; with --role grpc, as JSON, one for the file that GRPC_XDS_BOOTSTRAP names to a gRPC client.',
    )
    .addOption(
      new Option('--role <role>', 'the role of the Envoy; grpc: a gRPC client without one')
        .choices(['sidecar', 'ingress', 'egress', 'grpc'])
        .makeOptionMandatory(),
    )
    .requiredOption('--idc <name>', 'its IDC', parseIdcName)
    .requiredOption('--id <id>', 'its node id, unique in the IDC; shown in logs and status')
    .option(
      '--xds <host:port>',
      'a control plane: an IP address, or a name that DNS has; repeat for more, or by comma, most preferred first: for instances that register themselves, isthmus serve --peer-admin must name each to the others (default: 127.0.0.1:15010)',
      addControlPlane,
    )
    .option(
      '--zone <name>',
      "for a sidecar or an ingress: its zone, as in IDC/zone of an instance's locality; a DestinationRule may prefer it (default: none is preferred)",
    )
    .option('--admin <host:port>', "Envoy's admin interface; keep it on loopback", parseBindAddress)
    .option(
      '--ready-port <port>',
      'answer GET /ready and GET /stats/prometheus of the admin interface at this port of all IPv4 addresses, for probes; needs --admin (default: nowhere)',
      parsePortNumber,
    )
    .option(
      '--dns <host:port>',
      'a DNS server for names of instances; repeat for more (default: those of /etc/resolv.conf)',
      addReached,
    )
    .option(
      '--max-heap <size>',
      "limit of Envoy's heap, at which it sheds load; cgroup: 0.8 of this cgroup's memory limit (default: 2Gi)",
      (text: string) => parseMaxHeap(text),
    )
    .addOption(new Option('--xds-mode <mode>', 'ADS variant').choices(['delta', 'sotw']).default('delta'))
    .option(
      '--tls <dir>',
      'folder that isthmus identity keeps beside this Envoy: TLS to the control planes; needs --trust-domain (default: plaintext)',
    )
    .option(
      '--trust-domain <name>',
      "for --tls: the IDC's trust domain, whose control planes are believed",
      parseTrustDomain,
    )
    .option('--access-log <file>', 'write access logs there as JSON lines, e.g. /dev/stdout')
    .option(
      '--access-log-headers <names>',
      'request headers that its lines contain as well, under headers, by comma; needs --access-log (default: none)',
      (text: string) => text.split(',').map((name) => name.trim().toLowerCase()),
    )
    .addOption(new Option('-o, --output <format>', 'output format').choices(['yaml', 'json']).default('yaml'))
    .optionsGroup('For a sidecar or a gRPC client:')
    .option('--namespace <name>', "the workload's namespace (default: default)")
    .option(
      '--depends-on <hosts>',
      'hosts it calls, by comma; *.x for all below x, a name without a dot: itself or NAME.NAMESPACE.svc.cluster.local (default: all of its namespace)',
      parseHosts,
    )
    .optionsGroup('For a sidecar:')
    .option(
      '--outbound <host:port>',
      'where the workload sends its requests, such as 127.0.0.1:15001; without it the workload calls no Group. Sidecars that share a network namespace need one each',
      parseBindAddress,
    )
    .addOption(
      new Option(
        '--unknown-hosts <what>',
        'requests for hosts that no Group has: refuse them with a 404, or pass them on to the host that they name; pass needs --outbound on 127.0.0.1 (default: refuse)',
      ).choices(['refuse', 'pass']),
    )
    .option(
      '--inbound <host:port>',
      'where requests to the workload arrive; needs --app. A sidecar has --outbound, --inbound or both',
      parseBindAddress,
    )
    .option(
      '--app <address>',
      'where the workload listens: host:port or unix:///path; needs --inbound',
      parseApp,
    )
    .optionsGroup('For an ingress gateway:')
    .option('--edge <host:port>', 'for clients (default: 0.0.0.0:8080)', parseBindAddress)
    .option(
      '--peer <host:port>',
      "for other IDCs' egress gateways (default: 0.0.0.0:15443)",
      parseBindAddress,
    )
    .optionsGroup('For an egress gateway:')
    .option('--sidecar-listen <host:port>', 'for local sidecars (default: 0.0.0.0:15444)', parseBindAddress)
    .option(
      '--ingress-listen <host:port>',
      'for local ingress gateways (default: 0.0.0.0:15445)',
      parseBindAddress,
    )
    .addHelpText(
      'after',
      helpEnd({
        exits: '0 written; 2 the options do not fit together.',
        examples: [
          'isthmus bootstrap --role sidecar --idc sh-a --id caller-1 --namespace shop \\',
          '  --xds 10.1.0.9:15010 --outbound 127.0.0.1:15001 > caller.yaml',
        ],
      }),
    )
    .action(async (flags: Flags, command: Command) => {
      checkForms(flags, command);
      const bootstrap = await bootstrapOf(flags);
      if (flags.output === 'json' || flags.role === 'grpc') {
        write(`${JSON.stringify(bootstrap, null, 2)}\n`);
        return;
      }
      // Loaded on demand, as what makes it is: the help needs neither.
      const { stringify } = await import('yaml');
      write(stringify(bootstrap, { lineWidth: 0 }));
    });
}

async function bootstrapOf(flags: Flags): Promise<object> {
  if (flags.id === '')
    throw new MeshError('invalid', '--id must not be empty: give the node a name of its own');
  const { inbound, app } = flags;
  if ((inbound === undefined) !== (app === undefined)) {
    throw new MeshError(
      'invalid',
      '--inbound and --app go together: where requests arrive, and where they go',
    );
  }
  if (flags.accessLogHeaders !== undefined && flags.accessLog === undefined) {
    throw new MeshError(
      'invalid',
      '--access-log-headers needs --access-log: the file that they are written to',
    );
  }
  if (flags.readyPort !== undefined && flags.admin === undefined) {
    throw new MeshError('invalid', '--ready-port needs --admin: the interface that it answers for');
  }
  if (flags.dependsOn !== undefined && flags.outbound === undefined && flags.role === 'sidecar') {
    throw new MeshError(
      'invalid',
      '--depends-on needs --outbound: it says what the workload calls, and --outbound where it sends that',
    );
  }
  if (flags.role === 'sidecar' && flags.outbound === undefined && inbound === undefined) {
    throw new MeshError(
      'invalid',
      'a sidecar without --outbound and --inbound does nothing: give --outbound 127.0.0.1:15001 for a workload that calls others, --inbound HOST:PORT with --app HOST:PORT for one that others call, or all of them',
    );
  }
  if ((flags.tls === undefined) !== (flags.trustDomain === undefined)) {
    throw new MeshError(
      'invalid',
      '--tls and --trust-domain go together: where the certificate is, and whose control planes are believed',
    );
  }
  const xds = flags.xds ?? [{ address: '127.0.0.1', port: 15010 }];
  const scope = scopeOf(flags);
  // Errors of the control plane's own check, with the names of flags.
  parseNodeScope({ [nodeMetadataKey]: scope }, (field) => `--${optionOf(flagOf(flags.role, field))}`);
  checkApart(flags);
  const { buildBootstrap, buildGrpcBootstrap } = await import('../../translate/bootstrap.ts');
  if (scope.role === 'grpc') return buildGrpcBootstrap({ id: flags.id, scope, xds });
  return buildBootstrap({
    id: flags.id,
    scope,
    xds,
    mode: flags.xdsMode,
    ...(flags.dns === undefined ? {} : { dns: flags.dns }),
    ...(flags.maxHeap === undefined ? {} : { maxHeapBytes: flags.maxHeap }),
    ...(flags.admin === undefined ? {} : { admin: flags.admin }),
    ...(flags.readyPort === undefined ? {} : { pod: { readyPort: flags.readyPort, ipv6: false } }),
    ...(flags.tls === undefined || flags.trustDomain === undefined
      ? {}
      : { tls: { folder: resolve(flags.tls), trustDomain: flags.trustDomain } }),
    ...(inbound === undefined || app === undefined ? {} : { inbound: { listen: inbound, app } }),
  });
}

/** Throws MeshError `invalid` if a gRPC client's bootstrap is requested in a form that does not exist. */
function checkForms({ role, xdsMode, output }: Flags, command: Command): void {
  const isGiven = (name: string) => role === 'grpc' && command.getOptionValueSource(name) === 'cli';
  if (isGiven('xdsMode') && xdsMode === 'delta')
    throw new MeshError('invalid', '--xds-mode: gRPC clients know State of the World alone; leave it out');
  if (isGiven('output') && output === 'yaml')
    throw new MeshError('invalid', '--output: gRPC clients read JSON alone; leave it out');
}

/** Flags of an Envoy only. */
const envoyFlags = ['admin', 'readyPort', 'dns', 'maxHeap', 'tls', 'accessLog', 'accessLogHeaders'] as const;

const flagsByRole: Readonly<Record<NodeRole, readonly (keyof Flags)[]>> = {
  sidecar: ['namespace', 'dependsOn', 'outbound', 'unknownHosts', 'inbound', 'app'],
  ingress: ['edge', 'peer'],
  egress: ['sidecarListen', 'ingressListen'],
  grpc: ['namespace', 'dependsOn'],
};

/** Flags of listening addresses. */
const listening = ['inbound', 'outbound', 'edge', 'peer', 'sidecarListen', 'ingressListen', 'admin'] as const;

/**
 * Throws MeshError `invalid` if two listeners have one address, or a sidecar would send requests to itself.
 */
function checkApart(flags: Flags): void {
  const taken = new Map<string, string>();
  for (const flag of listening) {
    const address = flags[flag];
    if (address === undefined) continue;
    const shown = showAddress(address);
    const first = taken.get(shown);
    if (first !== undefined)
      throw new MeshError(
        'invalid',
        `--${optionOf(flag)}: ${shown} is the address of ${first} too; give it one of its own`,
      );
    taken.set(shown, `--${optionOf(flag)}`);
  }
  const { app } = flags;
  const own = app === undefined || 'path' in app ? undefined : taken.get(showAddress(app));
  if (own !== undefined)
    throw new MeshError(
      'invalid',
      `--app: the sidecar itself listens there (${own}); give the address of the workload`,
    );
}

/** The flag of a scope's field. */
function flagOf(role: NodeRole, field: string): string {
  return role === 'egress' && (field === 'sidecar' || field === 'ingress') ? `${field}Listen` : field;
}

/** `maxHeap` → `max-heap`. */
function optionOf(flag: string): string {
  return flag.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

function scopeOf(flags: Flags): NodeScope {
  for (const [role, names] of Object.entries(flagsByRole)) {
    const stray = names.find((name) => flags[name] !== undefined && !flagsByRole[flags.role].includes(name));
    if (stray !== undefined) {
      throw new MeshError(
        'invalid',
        `--${optionOf(stray)} is for --role ${role}, not ${flags.role}; leave it out`,
      );
    }
  }
  const envoys = flags.role === 'grpc' ? envoyFlags.find((name) => flags[name] !== undefined) : undefined;
  if (envoys !== undefined) {
    throw new MeshError(
      'invalid',
      `--${optionOf(envoys)} is for an Envoy, which a gRPC client does not have; leave it out`,
    );
  }
  const common = {
    idc: flags.idc,
    ...(flags.accessLog === undefined ? {} : { accessLog: flags.accessLog }),
    ...(flags.accessLogHeaders === undefined ? {} : { accessLogHeaders: flags.accessLogHeaders }),
  };
  if (flags.zone !== undefined && flags.role === 'egress') {
    throw new MeshError(
      'invalid',
      '--zone is for a sidecar or an ingress: an egress chooses among no instances; leave it out',
    );
  }
  const choosing = { ...common, ...(flags.zone === undefined ? {} : { zone: flags.zone }) };
  const any = (port: number): ListenAddress => ({ address: '0.0.0.0', port });
  switch (flags.role) {
    case 'grpc':
      return {
        role: 'grpc',
        ...choosing,
        namespace: flags.namespace ?? 'default',
        ...(flags.dependsOn === undefined ? {} : { dependsOn: flags.dependsOn }),
      };
    case 'sidecar':
      return {
        role: 'sidecar',
        ...choosing,
        namespace: flags.namespace ?? 'default',
        ...(flags.dependsOn === undefined ? {} : { dependsOn: flags.dependsOn }),
        ...(flags.outbound === undefined ? {} : { outbound: flags.outbound }),
        ...(flags.unknownHosts === 'pass' ? { unknownHosts: flags.unknownHosts } : {}),
      };
    case 'ingress':
      return { role: 'ingress', ...choosing, edge: flags.edge ?? any(8080), peer: flags.peer ?? any(15443) };
    case 'egress':
      return {
        role: 'egress',
        ...common,
        sidecar: flags.sidecarListen ?? any(15444),
        ingress: flags.ingressListen ?? any(15445),
      };
  }
}
