import { mergeTraffic, trafficFromAnnotations } from '../../model/annotations/annotations.ts';
import type { GroupHealth, HealthSettings } from '../../model/health.ts';
import type { DrGroup, GroupTraffic } from '../../model/idc.ts';
import type { ServiceEntry } from '../../model/service.ts';
import type { PathPart } from '../../model/values/field-path.ts';
import type { Lint } from '../lint.ts';
import type { Coverage } from '../mesh.ts';

/** Hedging delay without a declared time (docs/defaults.md). */
const hedgedPerTryTimeoutMs = 400;

const http: ReadonlySet<string> = new Set(['HTTP', 'HTTP2', 'GRPC']);

/** Request settings by their names in a DrGroup and in annotations. */
const settings = [
  { key: 'timeoutMs', field: 'timeout', annotation: 'isthmus.dev/timeout' },
  { key: 'idleTimeoutMs', field: 'idleTimeout', annotation: 'isthmus.dev/idle-timeout' },
  { key: 'perTryTimeoutMs', field: 'perTryTimeout', annotation: 'isthmus.dev/per-try-timeout' },
  { key: 'hedge', field: 'hedge', annotation: 'isthmus.dev/hedge' },
  { key: 'sidecars', field: 'sidecars', annotation: 'isthmus.dev/sidecars' },
  { key: 'retries', field: 'retries', annotation: 'isthmus.dev/retries' },
  { key: 'retryBodyBytes', field: 'retryBodyLimit', annotation: 'isthmus.dev/retry-body-limit' },
  { key: 'idempotentMethods', field: 'idempotentMethods', annotation: 'isthmus.dev/idempotent-methods' },
  { key: 'retryBudget', field: 'retryBudget', annotation: 'isthmus.dev/retry-budget' },
] as const satisfies readonly { key: keyof GroupTraffic; field: string; annotation: string }[];

type Setting = (typeof settings)[number];
type Key = Setting['key'];

/**
 * Settings of requests that have no effect beside others, or at a Group's ports.
 */
export function lintTraffic(
  groups: readonly DrGroup[],
  entries: readonly ServiceEntry[],
  { entriesOf, groupsOf }: Coverage,
): Lint[] {
  return [
    ...groups.flatMap((object) => {
      return lintGroup(object, entriesOf(object));
    }),
    ...entries.flatMap((object) => {
      const own = trafficFromAnnotations(object);
      if (Object.keys(own).length === 0) return [];
      return lintEntry(object, own, groupsOf(object)[0]);
    }),
  ];
}

function lintGroup(object: DrGroup, covered: readonly ServiceEntry[]): Lint[] {
  const { traffic } = object.spec;
  const at = (key: Key): PathPart[] => ['spec', 'traffic', fieldOf(key)];
  const isTcp = covered.length > 0 && !covered.some(hasHttp);
  if (isTcp)
    return givenIn(traffic).map((key) => ({
      code: 'NoEffect',
      object,
      path: at(key),
      message: 'has no effect: no port of its hosts is HTTP, HTTP2 or GRPC.',
      lacks: ['ServiceEntry'],
    }));
  const vain = vainOf(traffic);
  return [
    ...vain.map(({ key, message }): Lint => ({ code: 'NoEffect', object, path: at(key), message })),
    ...atGrpc(traffic, covered, vain).map(
      (key): Lint => ({
        code: 'NoEffect',
        object,
        path: at(key),
        message: grpcMessage,
        lacks: ['ServiceEntry'],
      }),
    ),
  ];
}

/**
 * Settings that do not apply to gRPC calls: timeouts are the client's, and a call that may have been executed
 * is not retried.
 */
const notOfGrpc: readonly Key[] = ['timeoutMs', 'perTryTimeoutMs', 'hedge', 'idempotentMethods'];

const grpcMessage =
  'has no effect on gRPC calls, and all ports are GRPC: the time of a call is that which its client gives (grpc-timeout), and a call that may have been executed is not tried again.';

/**
 * Given settings without effect as all ports with requests are GRPC; without those reported for another
 * reason.
 */
function atGrpc(
  traffic: GroupTraffic,
  entries: readonly ServiceEntry[],
  told: readonly Vain[],
): readonly Key[] {
  const protocols = entries.flatMap(({ spec }) => spec.ports.map(({ protocol }) => protocol));
  const asked = protocols.filter((protocol) => http.has(protocol));
  if (asked.length === 0 || asked.some((protocol) => protocol !== 'GRPC')) return [];
  return notOfGrpc.filter((key) => Boolean(traffic[key]) && !told.some((one) => one.key === key));
}

function lintEntry(object: ServiceEntry, own: GroupTraffic, group: DrGroup | undefined): Lint[] {
  const at = (key: Key): PathPart[] => ['metadata', 'annotations', annotationOf(key)];
  if (object.spec.ports.length > 0 && !hasHttp(object)) {
    return givenIn(own).map((key) => ({
      code: 'NoEffect',
      object,
      path: at(key),
      message: 'has no effect: no port is HTTP, HTTP2 or GRPC.',
    }));
  }
  const merged = mergeTraffic(group?.spec.traffic, own);
  const found = vainOf(merged);
  // Reported at the DR group.
  const vain = found.flatMap(({ key, cause, message }): Lint[] => {
    const told = [key, cause].find((one) => own[one] !== undefined);
    return told === undefined
      ? []
      : [
          {
            code: 'NoEffect',
            object,
            path: at(told),
            message: `${told === key ? '' : `${fieldOf(key)} `}${message}`,
          },
        ];
  });
  const calls = atGrpc(own, [object], found).map(
    (key): Lint => ({ code: 'NoEffect', object, path: at(key), message: grpcMessage }),
  );
  const all = [...vain, ...calls];
  return own.health === undefined || asks(merged.health) ? all : [...all, unasked(object)];
}

/** Whether it is declared how instances are checked, or that they are not. */
function asks(health: GroupHealth | undefined): boolean {
  const isSaid = ({ path, grpc, enabled }: HealthSettings) =>
    path !== undefined || grpc !== undefined || enabled === false;
  return health !== undefined && [health, ...Object.values(health.ports ?? {})].some(isSaid);
}

function unasked(object: ServiceEntry): Lint {
  const key = Object.keys(object.meta.annotations).find((one) => one.startsWith('isthmus.dev/health-'));
  const message =
    'has no effect: nothing says how instances are asked. Give isthmus.dev/health-path or isthmus.dev/health-grpc.';
  return {
    code: 'NoEffect',
    object,
    path: ['metadata', 'annotations', key ?? ''],
    message,
    lacks: ['DrGroup'],
  };
}

interface Vain {
  readonly key: Key;
  readonly cause: Key;
  readonly message: string;
}

/** Settings without effect beside the others. */
function vainOf(traffic: GroupTraffic): readonly Vain[] {
  const { timeoutMs = 0, perTryTimeoutMs, hedge = false, retries, idempotentMethods, retryBudget } = traffic;
  const vain: Vain[] = [];
  const add = (key: Key, cause: Key, why: string) =>
    vain.push({ key, cause, message: `has no effect: ${why}` });
  if (retries === 0) {
    const why = '`retries` is 0, so no other try follows. Give 1 to 3, or remove it.';
    if (hedge) add('hedge', 'retries', why);
    if (perTryTimeoutMs)
      add('perTryTimeoutMs', 'retries', `${why} The whole request is bounded by \`timeout\`.`);
    if (idempotentMethods !== undefined && idempotentMethods.length > 0)
      add('idempotentMethods', 'retries', why);
    if (retryBudget !== undefined) add('retryBudget', 'retries', why);
    return vain;
  }
  if (idempotentMethods?.length === 0) {
    const why = '`idempotentMethods` is empty, and no other method is tried again after a time. Name one.';
    if (hedge) add('hedge', 'idempotentMethods', why);
    if (perTryTimeoutMs) add('perTryTimeoutMs', 'idempotentMethods', why);
    return vain;
  }
  const hedgeMs = perTryTimeoutMs ?? hedgedPerTryTimeoutMs;
  if (hedge && timeoutMs > 0 && timeoutMs <= hedgeMs) {
    const when = `${hedgeMs}ms${perTryTimeoutMs === undefined ? ' (the default)' : ''}`;
    add(
      'hedge',
      'timeoutMs',
      `the request ends by \`timeout\` after ${timeoutMs}ms, before a second try begins at ${when}. Shorten \`perTryTimeout\`.`,
    );
  }
  return vain;
}

function givenIn(traffic: GroupTraffic): readonly Key[] {
  return settings.map(({ key }) => key).filter((key) => traffic[key] !== undefined);
}

function fieldOf(key: Key): string {
  return (settings.find((one) => one.key === key) as Setting).field;
}

function annotationOf(key: Key): string {
  return (settings.find((one) => one.key === key) as Setting).annotation;
}

function hasHttp({ spec }: ServiceEntry): boolean {
  return spec.ports.some(({ protocol }) => http.has(protocol));
}
