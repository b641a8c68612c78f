import { join } from 'node:path';
import { logLevels } from '../base/log.ts';
import { hopLimitMax } from '../model/trail.ts';
import { group, listOptions, option, optional, required, type ValuesOf } from './option.ts';
import {
  address,
  addresses,
  choice,
  durationKind,
  idcName,
  integer,
  labelSelector,
  onOff,
  path,
  plainName,
} from './value-kind.ts';

const aSecondToAnHour = { minMs: 1_000, maxMs: 3_600_000 };

/**
 * All options of `isthmus serve`, by path in the file. The source of the flags, the help, the schema of the
 * file, `isthmus config print`, and the table in docs/defaults.md.
 */
export const controlPlaneOptions = {
  idc: required(idcName, { flag: '--idc', words: 'the IDC that this control plane decides for' }),
  registry: group('Where objects come from.', {
    folder: optional(path('<dir>'), {
      flag: '--config',
      words: 'folder of YAML objects; this, --kubeconfig or --in-cluster must be given',
    }),
    kubeconfig: optional(path('<file>'), {
      flag: '--kubeconfig',
      words:
        'read the objects from the API server of Kubernetes that this kubeconfig leads to, in place of a folder',
    }),
    kubeContext: optional(plainName, {
      flag: '--kube-context',
      words: 'the context of the kubeconfig; without it, its current one',
    }),
    inCluster: option(onOff, {
      flag: '--in-cluster',
      byDefault: 'off',
      words:
        'on: read the objects from the API server of the cluster that this Pod runs in, by its service account',
    }),
    discoveryNamespaces: optional(labelSelector, {
      flag: '--discovery-namespaces',
      words:
        'only objects of namespaces whose labels match count, as kubectl -l has it: mesh=on,env!=test; without it those of all. Labels may change at any time. Needs Kubernetes as the source',
    }),
    remotes: optional(plainName, {
      flag: '--remotes',
      words:
        'register the Pods of Remote clusters whose kubeconfigs are in Secrets of this namespace with the label istio/multiCluster=true, and tell of Remotes that are stale. Needs Kubernetes as the source',
      why: 'it reads Secrets, and writes WorkloadEntries',
    }),
    registrations: optional(path('<file>'), {
      flag: '--registrations',
      words:
        'let instances register themselves over HTTP on the admin address; stored in this SQLite file, which is created. Needs --admin-token-file',
      why: 'an operator decides who may register',
    }),
  }),
  state: group('State stored between starts.', {
    folder: optional(path('<dir>'), {
      flag: '--state',
      words:
        'store the last good registry state here, and start from it while the folder of objects is missing, unreadable or empty',
      why: 'an operator decides where a process may write',
    }),
    filters: optional(path('<dir>'), {
      flag: '--filters',
      words: 'store compiled filters here, and start faster; control planes may share it',
      derived: {
        from: 'state.folder',
        of: (folder) => join(folder, 'filters'),
        words: 'filters in the folder of --state, else in ~/.cache/isthmus',
      },
      why: 'a start need not compile them',
    }),
  }),
  xds: group('The address for Envoys.', {
    listen: option(address, {
      flag: '--xds',
      byDefault: '127.0.0.1:15010',
      words: 'the address for Envoys',
      why: 'reachable from other machines only if configured',
    }),
    trust: optional(path('<dir>'), {
      flag: '--trust',
      words:
        'serve Envoys over TLS 1.3, by the certificate, key and roots in this folder, which isthmus identity keeps; an Envoy needs a certificate, and is who it says. No tools then. Without it the address is plaintext, and everybody is believed',
      why: 'certificates have to be there first ([trust.md](trust.md#the-xds-port))',
    }),
    tools: option(onOff, {
      flag: '--xds-tools',
      byDefault: 'on',
      words:
        "off: no client status (CSDS) and no reflection on the xDS address, which show every proxy's configuration to any client that reaches it",
      why: 'tools such as grpcurl need them ([decision 115](decisions/115-services-beside-ads.md))',
    }),
    connectionAge: optional(durationKind({ minMs: 1_000, maxMs: 86_400_000 }), {
      flag: '--connection-age',
      words:
        'end the connection of each proxy when it is so old, at random between half of it and all of it: behind an address that leads to any of several control planes, proxies are spread over all of them again. Without it connections may have any age',
      why: 'where each control plane has an address of its own, a proxy comes back to the same one ([decision 236](decisions/236-connections-have-an-age.md))',
    }),
  }),
  admin: group('The address for operators and instances.', {
    listen: option(address, {
      flag: '--admin',
      byDefault: '127.0.0.1:15014',
      words: 'readiness, status, metrics',
      why: 'reachable from other machines only if configured',
    }),
    tokenFile: optional(path('<file>'), {
      flag: '--admin-token-file',
      words: 'file with the token that admin writes need; without it they are off',
      why: 'an operator decides who may write. A token is in a file only: command lines and environments are visible to others',
    }),
  }),
  peers: group('Other control planes of this IDC.', {
    admin: optional(addresses, {
      flag: '--peer-admin',
      words:
        'admin address of another control plane of this IDC; repeat for more (its own is ignored). They replicate registrations, so that proxies may connect to any of them. Needs --registrations; all have the same token',
      why: 'a single one needs none',
    }),
    startLimit: option(durationKind(aSecondToAnHour), {
      flag: '--peer-start-limit',
      byDefault: '15s',
      words: 'longest time that a start waits for registrations of control planes that do not answer',
      why: 'in that time instances have registered again at both; proxies keep their configuration',
    }),
    keepLimit: option(durationKind(aSecondToAnHour), {
      flag: '--peer-keep-limit',
      byDefault: '1h',
      words:
        'how long instances that renew at another control plane only are kept while that one does not answer',
      why: 'its death removes no instance, and one shut down for good does not keep them for ever',
    }),
  }),
  routing: group('Where requests may go.', {
    hopLimit: option(integer(0, hopLimitMax, 'crossings'), {
      flag: '--hop-limit',
      byDefault: '1',
      words: `most crossings of any request, 0 to ${hopLimitMax}; a DR group may have fewer`,
      why: 'one crossing finds a healthy instance; more are for three IDCs and more',
    }),
    loopPrevention: option(onOff, {
      flag: '--loop-prevention',
      byDefault: 'on',
      words:
        'off lets requests run in circles between IDCs: the negative control of drills, never for traffic',
      why: 'a loop takes all IDCs down ([decision 026](decisions/026-loop-prevention-off.md))',
    }),
  }),
  deletions: group('When what is deleted goes.', {
    grace: option(durationKind({ minMs: 0, maxMs: 3_600_000 }), {
      flag: '--deletion-grace',
      byDefault: '10s',
      words:
        'how long an object without which requests fail, such as the last instance of a host, stays in force after it has gone from the folder; 0: it goes at once',
      why: 'a file that was moved by mistake can be put back; a deletion that is meant is confirmed ([files-source.md](files-source.md#when-objects-are-deleted))',
    }),
    ackLimit: option(durationKind(aSecondToAnHour), {
      flag: '--deletion-ack-limit',
      byDefault: '30s',
      words:
        'longest time that a deleted instance is held for a connected proxy that does not confirm; give isthmus run a --drain-timeout that is no shorter',
      why: 'a silent proxy must not hold it for ever; `isthmus run` waits as long',
    }),
    reconnectLimit: option(durationKind(aSecondToAnHour), {
      flag: '--deletion-reconnect-limit',
      byDefault: '15s',
      words: 'the same, for a disconnected proxy',
      why: 'an Envoy reconnects within seconds ([decision 013](decisions/013-limits-of-the-guard.md))',
    }),
  }),
  shutdown: group('Shutdown.', {
    grace: option(durationKind({ minMs: 0, maxMs: 600_000 }), {
      flag: '--shutdown-grace',
      byDefault: '15s',
      words:
        'on SIGTERM proxies are handed over to other control planes one after another, 5 ms apart, or closer to end within this time; 0: all at once',
      why: 'other control planes are busy for less than half of their time with new streams, up to 3,000 proxies; before that `/readyz` is 503 for 1 s, if any proxy is connected: a load balancer that checks each second has seen it ([decision 118](decisions/118-proxies-are-handed-over.md))',
    }),
  }),
  log: group('What is logged.', {
    level: option(choice(logLevels), {
      flag: '--log-level',
      byDefault: 'info',
      words: 'lowest level to log',
    }),
  }),
};

/** The complete configuration of a control plane. Durations are milliseconds. */
export type ControlPlaneConfig = ValuesOf<typeof controlPlaneOptions>;

/** All options, in the order of the help. */
export const optionList = listOptions(controlPlaneOptions);
