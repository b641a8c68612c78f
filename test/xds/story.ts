import type { Clock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import type { ResourceChange } from '../../src/xds/change.ts';
import { decodeJson, encodeJson, type ResourceJson } from '../../src/xds/codec/codec.ts';
import type { Ack, Hooks, Nack } from '../../src/xds/events.ts';
import { Hub } from '../../src/xds/hub.ts';
import { pushOrder } from '../../src/xds/resource-types.ts';
import type { XdsVariant } from '../../src/xds/respond/respond.ts';
import type { Slices } from '../../src/xds/slices.ts';
import { Session } from '../../src/xds/stream/session.ts';
import { streamStatusOf } from '../../src/xds/stream/status-of-type.ts';
import { parseDeltaRequest, parseSotwRequest } from '../../src/xds/wire/discovery-messages.ts';

const urlOf = (short: string) => pushOrder.find((rule) => rule.short === short)?.url ?? short;
const shortOf = (url: string) => pushOrder.find((rule) => rule.url === url)?.short ?? url;
const nameOf = (json: Record<string, unknown>) => String(json.cluster_name ?? json.name);

/** A cluster, a load assignment, a listener, a route: `content` tells one version from another. */
export const cds = (name: string, content = 'v1'): ResourceChange => ({
  upsert: resource('CDS', { name, type: 'EDS', alt_stat_name: content }),
});
export const eds = (name: string, content = 'v1'): ResourceChange => ({
  upsert: resource('EDS', { cluster_name: name, endpoints: [{ locality: { zone: content } }] }),
});
export const lds = (name: string, route: string, content = 'v1'): ResourceChange => ({
  upsert: resource('LDS', { name, stat_prefix: content, filter_chains: [{ filters: [manager(route)] }] }),
});
export const rds = (name: string, ...content: readonly string[]): ResourceChange => ({
  upsert: resource('RDS', { name, request_headers_to_remove: content.length > 0 ? content : ['v1'] }),
});
/** A scope of its name, with the table of that name or another one. */
export const srds = (name: string, table = name): ResourceChange => ({
  upsert: resource('SRDS', {
    name,
    route_configuration_name: table,
    key: { fragments: [{ string_key: name }] },
  }),
});
export const gone = (short: string, name: string): ResourceChange => ({
  remove: { typeUrl: urlOf(short), name },
});

function resource(short: string, body: object): ResourceJson {
  return { '@type': urlOf(short), ...body };
}

function manager(route: string) {
  const type = 'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager';
  const rds = { route_config_name: route, config_source: { ads: {} } };
  return { name: 'http', typed_config: { '@type': `type.googleapis.com/${type}`, rds } };
}

type Ahead = Pick<ConstructorParameters<typeof Hub>[0], 'sendAhead'>;

/**
 * A server without a network, whose time stands still until it is moved. `random` is all that it draws;
 * `revision` counts the changes of its past; `tickMs` passes whenever the server looks at the clock.
 */
export function story(hooks: Hooks & Ahead = {}, ready = true, random = 0.5, revision = 1, tickMs = 0) {
  let time = 0;
  const timers: { at: number; fn: () => void }[] = [];
  const clock: Clock = {
    now() {
      time += tickMs;
      return time;
    },
    wall: () => time,
    after(delayMs, fn) {
      const timer = { at: time + delayMs, fn };
      timers.push(timer);
      return { cancel: () => void timers.splice(timers.indexOf(timer) >>> 0, 1) };
    },
  };
  const acks: Ack[] = [];
  const nacks: Nack[] = [];
  const options: ConstructorParameters<typeof Hub>[0] = {
    clock,
    random: () => random,
    log: silentLogger,
    hooks: { onAck: (ack) => void acks.push(ack), onNack: (nack) => void nacks.push(nack), ...hooks },
    ready,
    holdoffMsMax: 50,
    answerWaitMsMax: 5_000,
    ...(hooks.sendAhead && { sendAhead: hooks.sendAhead }),
  };
  const hub = new Hub(options, revision);
  let ids = 0;
  return {
    hub,
    acks,
    nacks,
    /** Applies to class 'k' and lets the push happen. */
    async apply(changes: readonly ResourceChange[], at = time) {
      const applied = hub.apply('k', changes, { at });
      await Promise.resolve();
      return applied;
    },
    /** Moves the clock, running what falls due. */
    pass(ms: number) {
      time += ms;
      for (const timer of timers.filter(({ at }) => at <= time)) {
        timers.splice(timers.indexOf(timer), 1);
        timer.fn();
      }
    },
    /** `inSlices`: what its requests ask for is done by `step`, and its requests wait for that. */
    connect(protocol: XdsVariant, nodeClass = 'k', id = `node-${ids + 1}`, inSlices = false) {
      ids += 1;
      const node = { id };
      return client(hub, { id: ids, node, nodeClass, protocol, peer: { address: 'test' } }, inSlices);
    },
  };
}

function client(hub: Hub, info: Session['info'], inSlices: boolean) {
  const delta = info.protocol === 'delta';
  const written: Buffer[] = [];
  // What was written since the client stopped reading; undefined: it reads.
  let unread: number | undefined;
  let onRead = () => {};
  const work: Slices[] = [];
  const waiting: Buffer[] = [];
  const refused: string[] = [];
  const session = new Session(info, hub, {
    write(bytes) {
      written.push(bytes);
      if (unread !== undefined) unread += bytes.length;
    },
    unreadBytes: () => unread ?? 0,
    whenRead(fn) {
      onRead = fn;
    },
    refuse(error) {
      refused.push(error.message);
      hub.leave(session);
    },
    ...(inSlices && { inSlices: (some) => void work.push(some) }),
  });
  hub.join(session);
  const last = new Map<string, { nonce: string; names: readonly string[] }>();
  const message = `envoy.service.discovery.v3.${delta ? 'Delta' : ''}Discovery`;

  /** The messages written since the last look. */
  const take = () =>
    written.splice(0).map((bytes) => {
      const json = decodeJson(`${message}Response`, bytes) as {
        type_url: string;
        nonce: string;
        resources?: (Record<string, unknown> & { resource?: Record<string, unknown>; version?: string })[];
        removed_resources?: string[];
      };
      const type = shortOf(json.type_url);
      last.set(type, { nonce: json.nonce, names: last.get(type)?.names ?? [] });
      const resources = (json.resources ?? []).map((one) => (one.resource ? { ...one.resource } : one));
      const versions = (json.resources ?? []).map((one) => one.version ?? '');
      return { type, nonce: json.nonce, resources, versions, removed: json.removed_resources ?? [] };
    });
  const send = (json: object) => {
    const bytes = Buffer.from(encodeJson(`${message}Request`, json));
    if (work.length > 0 || waiting.length > 0) waiting.push(bytes);
    else receive(bytes);
  };
  const receive = (bytes: Buffer) => {
    if (delta) session.receiveDelta(parseDeltaRequest(bytes));
    else {
      const lastNames = session.subscriptions.map(({ sub }) => sub.lastNames);
      session.receiveSotw(parseSotwRequest(bytes, lastNames));
    }
  };
  const answer = (short: string, error: object) => {
    const { nonce, names } = last.get(short) ?? { nonce: '', names: [] };
    const subscription = delta ? {} : { resource_names: names };
    send({ type_url: urlOf(short), response_nonce: nonce, ...subscription, ...error });
  };
  return {
    session,
    /** Why its stream was ended, if it was. */
    refused,
    /** A request as it is, but for the type, which is Envoy's abbreviation. */
    send: (short: string, json: object) => send({ type_url: urlOf(short), ...json }),
    /** SotW: asks for these names, with the last nonce. */
    ask(short: string, ...names: string[]) {
      last.set(short, { nonce: last.get(short)?.nonce ?? '', names });
      answer(short, {});
    },
    ack: (short: string) => answer(short, {}),
    nack: (short: string, text: string) => answer(short, { error_detail: { code: 13, message: text } }),
    nonce: (short: string) => last.get(short)?.nonce,
    /** What was written since the last look: `CDS a b` (SotW) or `CDS +a +b -c` (Delta). */
    got() {
      return take().map((message) => {
        const names = message.resources.map((one) => (delta ? `+${nameOf(one)}` : nameOf(one)));
        return [message.type, ...[...names, ...message.removed.map((name) => `-${name}`)].sort()].join(' ');
      });
    },
    take,
    /** Version of each resource, as a Delta client would keep it. */
    versions: (short: string, nodeClass = 'k') =>
      Object.fromEntries(
        [...hub.snapshot(nodeClass, urlOf(short)).marks].flatMap(([name, { resource }]) =>
          resource ? [[name, resource.version]] : [],
        ),
      ),
    status: () => streamStatusOf(session),
    state: (short: string) => streamStatusOf(session).types.find(({ type }) => type === short),
    /** The client does not read, or does so again. */
    clog(now: boolean) {
      unread = now ? (unread ?? 1) : undefined;
      if (!now) onRead();
    },
    /** Does a step of what is done in slices; whether something is left. */
    step(): boolean {
      const [first] = work;
      if (first?.next().done === true) work.shift();
      const [next] = waiting;
      if (work.length === 0 && next !== undefined) {
        waiting.shift();
        receive(next);
      }
      return work.length > 0 || waiting.length > 0;
    },
    close: () => hub.leave(session),
  };
}
