import { join } from 'node:path';
import { logLevels } from '../base/log.ts';
import { hopLimitMax } from '../model/trail.ts';
import { group, listOptions, option, optional, required, type ValuesOf } from './option.ts';
import { address, addresses, choice, durationKind, idcName, integer, onOff, path } from './value-kind.ts';

const aSecondToAnHour = { minMs: 1_000, maxMs: 3_600_000 };

/**
 * All options of `isthmus serve`, by path in the file. The source of the flags, the help, the schema of the
 * file, `isthmus config print`, and the table in docs/defaults.md.
 */
export const controlPlaneOptions = {
  idc: required(idcName, { flag: '--idc', words: 'the IDC that this control plane decides for' }),
  registry: group('Where objects come from.', {
    folder: required(path('<dir>'), { flag: '--config', words: 'folder of YAML objects' }),
    registrations: optional(path('<file>'), {
      flag: '--registrations',
      words:
        'let instances register themselves over HTTP on the admin address; they are kept in this SQLite file, which is created. Needs --admin-token-file',
      why: 'who may register is for an operator to say',
    }),
  }),
  state: group('What is kept between starts, and where.', {
    folder: optional(path('<dir>'), {
      flag: '--state',
      words:
        'keep the last good registry state here, and start from it while the folder of objects is missing, unreadable or empty',
      why: 'where a process may write is for an operator to say',
    }),
    filters: optional(path('<dir>'), {
      flag: '--filters',
      words: 'keep compiled filters here, and start faster; control planes may share it',
      derived: {
        from: 'state.folder',
        of: (folder) => join(folder, 'filters'),
        words: 'filters in the folder of --state',
      },
      why: 'a start need not compile them',
    }),
  }),
  xds: group('What Envoys ask.', {
    listen: option(address, {
      flag: '--xds',
      byDefault: '127.0.0.1:15010',
      words: 'where Envoys ask',
      why: 'nobody else reaches it unless told',
    }),
    tools: option(onOff, {
      flag: '--xds-tools',
      byDefault: 'on',
      words:
        'off: no client status (CSDS) and no reflection on the xDS address, which tell whoever reaches it what each proxy has',
      why: 'tools such as grpcurl need them ([decision 115](decisions/115-services-beside-ads.md))',
    }),
  }),
  admin: group('What operators and instances ask.', {
    listen: option(address, {
      flag: '--admin',
      byDefault: '127.0.0.1:15014',
      words: 'readiness, status, metrics',
      why: 'nobody else reaches it unless told',
    }),
    tokenFile: optional(path('<file>'), {
      flag: '--admin-token-file',
      words: 'file with the token that admin writes need; without it they are off',
      why: 'who may write is for an operator to say. A token stands in a file alone: command lines and environments are seen by others',
    }),
  }),
  peers: group('Other control planes of this IDC.', {
    admin: optional(addresses, {
      flag: '--peer-admin',
      words:
        'admin address of another control plane of this IDC; repeat for more (its own is passed over). Each takes over what registers at the others, so that proxies may go from one to another. Needs --registrations; all have the same token',
      why: 'one alone needs none',
    }),
    startLimit: option(durationKind(aSecondToAnHour), {
      flag: '--peer-start-limit',
      byDefault: '15s',
      words: 'a start waits for the registrations of control planes that do not answer for at most so long',
      why: 'in that time those who know both have registered again; proxies keep what they have',
    }),
    keepLimit: option(durationKind(aSecondToAnHour), {
      flag: '--peer-keep-limit',
      byDefault: '1h',
      words:
        'instances that only another control plane hears of stay for so long while that one does not answer',
      why: 'its death takes nobody out, and one that was taken down for good does not keep them for ever',
    }),
  }),
  routing: group('Where requests may go.', {
    hopLimit: option(integer(0, hopLimitMax, 'crossings'), {
      flag: '--hop-limit',
      byDefault: '1',
      words: `most crossings of any request, 0 to ${hopLimitMax}; a DR group may have fewer`,
      why: 'one crossing finds who is alive; more are for three IDCs and more',
    }),
    loopPrevention: option(onOff, {
      flag: '--loop-prevention',
      byDefault: 'on',
      words:
        'off lets requests run in circles between IDCs: the negative control of drills, never for traffic',
      why: 'a loop takes all IDCs down ([decision 026](decisions/026-loop-prevention-off.md))',
    }),
  }),
  deletions: group('How long an instance that goes waits for proxies.', {
    ackLimit: option(durationKind(aSecondToAnHour), {
      flag: '--deletion-ack-limit',
      byDefault: '30s',
      words:
        'an instance that goes is held for a connected proxy that does not confirm it for at most so long; give isthmus run a --drain-timeout that is no shorter',
      why: 'who does not answer must not keep it for ever; `isthmus run` waits as long',
    }),
    reconnectLimit: option(durationKind(aSecondToAnHour), {
      flag: '--deletion-reconnect-limit',
      byDefault: '15s',
      words: 'the same, for a proxy that is away',
      why: 'an Envoy that lost its connection asks again within seconds ([decision 013](decisions/013-limits-of-the-guard.md))',
    }),
  }),
  shutdown: group('How it ends.', {
    grace: option(durationKind({ minMs: 0, maxMs: 600_000 }), {
      flag: '--shutdown-grace',
      byDefault: '15s',
      words:
        'on SIGTERM proxies are handed over to other control planes one after another, 5 ms apart, or closer to be done within so long; 0: all at once',
      why: 'other control planes are busy for less than half of their time with those that come, up to 3,000 proxies; before that `/readyz` is 503 for 1 s, where any proxy is connected: a load balancer that looks each second has seen it ([decision 118](decisions/118-proxies-are-handed-over.md))',
    }),
  }),
  log: group('What is logged.', {
    level: option(choice(logLevels), {
      flag: '--log-level',
      byDefault: 'info',
      words: 'log what is of this level or above',
    }),
  }),
};

/** The complete configuration of a control plane. Durations are milliseconds. */
export type ControlPlaneConfig = ValuesOf<typeof controlPlaneOptions>;

/** All options, in the order of the help. */
export const optionList = listOptions(controlPlaneOptions);
