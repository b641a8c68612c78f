import { MeshError } from '../../base/error.ts';
import { isNoAnswer } from '../../client/answers/no-answer.ts';
import { askEvents } from '../../client/events-client.ts';
import { askExplain, type ExplainAnswer, type ExplainQuery } from '../../client/explain-client.ts';
import { askStatus } from '../../client/status-client.ts';
import { readAddress } from '../../config/address.ts';
import { type ListenAddress, showAddress } from '../../model/values/listen-address.ts';
import { type AdminReply, askOne, withAnyReply } from '../ask-each.ts';
import { askIdcs, notAskedText } from '../ask-idcs.ts';

type Hop = ExplainAnswer['hops'][number];

/**
 * A hop, and the control plane that tells of it, where it is not the one of the IDC where the request
 * begins.
 */
export type FollowedHop = Hop & { readonly toldBy?: string };

/** A way, as the control plane of each IDC on it explains its part. */
export interface FollowedWay extends Omit<ExplainAnswer, 'hops'> {
  readonly hops: readonly FollowedHop[];
  /** IDCs on the way whose control planes were not asked: what happens there is by another one's registry. */
  readonly notAsked: readonly { readonly idc: string; readonly why: string }[];
}

/** More than any hop limit allows: control planes that contradict each other must not be asked for ever. */
const idcsMax = 24;

/**
 * Asks control planes which way a request goes, and where it enters another IDC those of that IDC, which plan
 * and read there: what they say replaces what the first one supposes, and it decides anew. Throws MeshError
 * where none of `admin` can tell.
 */
export async function followWay(
  admin: readonly ListenAddress[],
  host: string,
  query: ExplainQuery,
): Promise<FollowedWay> {
  return new WayFollower(host, query, admin).begin(query);
}

class WayFollower {
  readonly #host: string;
  readonly #method: Pick<ExplainQuery, 'method' | 'path'>;
  readonly #named: readonly ListenAddress[];
  /** Control planes that do not answer, and why. */
  readonly #silent = new Map<string, MeshError>();
  /** The IDCs of the control planes that were named, once they are needed. */
  #idcsOfNamed: Promise<readonly AdminReply<{ readonly idc: string }>[]> | undefined;

  constructor(host: string, { method, path }: ExplainQuery, named: readonly ListenAddress[]) {
    this.#host = host;
    this.#method = { method, path };
    this.#named = named;
  }

  /** From where the request begins, with the names that other IDCs alone know in words that all know. */
  async begin(query: ExplainQuery): Promise<FollowedWay> {
    const from = String(query.from);
    const planes = await this.#planesAt(from);
    try {
      return await this.follow(planes, query, 0);
    } catch (reason) {
      const texts = query.if === undefined ? [] : String(query.if).split(',');
      if (MeshError.from(reason).code !== 'not-found' || texts.length === 0) throw reason;
      const names = await gatewayAddresses(this.#named, from.split('/')[0]);
      const addressed = texts.map((text) => withAddress(text, names));
      if (String(addressed) === String(texts)) throw reason;
      const way = await this.follow(planes, { ...query, if: addressed.join(',') }, 0);
      const given = new Map(addressed.map((text, i) => [nameIn(text), nameIn(texts[i] as string)]));
      return {
        ...way,
        assumed: way.assumed.map((one) => ({ ...one, name: given.get(one.name) ?? one.name })),
      };
    }
  }

  /** Of several control planes that were named those of the IDC where it begins: others do not know it. */
  async #planesAt(from: string): Promise<readonly ListenAddress[]> {
    const [idc, node] = from.split('/');
    if (this.#named.length === 1 || node === undefined) return this.#named;
    const own = (await this.#ofNamed()).flatMap((one) =>
      'reply' in one && one.reply.idc === idc ? [readAddress(one.admin)] : [],
    );
    return own.length === 0 ? this.#named : own;
  }

  #ofNamed() {
    this.#idcsOfNamed ??= Promise.all(
      this.#named.map((where) => this.#askOnce(where, (at) => askEvents(at, { sinceMs: 0 }))),
    );
    return this.#idcsOfNamed;
  }

  /** `depth`: how many IDCs the request has entered. */
  async follow(admin: readonly ListenAddress[], query: ExplainQuery, depth: number): Promise<FollowedWay> {
    const parts = new Map<string, FollowedWay & { readonly admin: string }>();
    const notAsked = new Map<string, string>();
    let found = await this.#ask(admin, query);
    for (;;) {
      const i = found.reply.hops.findIndex(
        ({ idc, listener }) =>
          idc !== found.reply.idc && listener === 'peer' && !parts.has(idc) && !notAsked.has(idc),
      );
      const [exit, entry] = [found.reply.hops[i - 1], found.reply.hops[i]];
      if (exit === undefined || entry === undefined) break;
      const part = await this.#enter(found.reply, exit, entry.idc, depth + 1);
      if (typeof part === 'string') {
        notAsked.set(entry.idc, part);
        continue;
      }
      parts.set(entry.idc, part);
      const told = [...parts].map(([idc, way]) => `${idc}=${endText(way)}`).join(',');
      found = await this.#ask([readAddress(found.admin)], { ...query, told });
    }
    return composed(found.reply, parts, notAsked);
  }

  /** The first answer of these: a proxy is connected to one of the control planes of its IDC. */
  async #ask(admin: readonly ListenAddress[], query: ExplainQuery) {
    const ask = (where: ListenAddress) => askExplain(where, this.#host, query);
    const replies = withAnyReply(await Promise.all(admin.map((where) => this.#askOnce(where, ask))));
    const [first] = replies.flatMap((one) => ('reply' in one ? [one] : []));
    if (first === undefined) throw new MeshError('unavailable', 'no control plane has answered');
    return first;
  }

  /** The rest of the way, as the control planes of another IDC explain it; a string: why they do not. */
  async #enter(reply: ExplainAnswer, exit: Hop, idc: string, depth: number) {
    if (depth > idcsMax) return 'it goes in circles, as control planes say';
    const planes = await this.#planesOf(reply, idc);
    if (planes.length === 0) return notAskedText(idc);
    const chosen = exit.choices.find(({ isChosen }) => isChosen)?.hosts ?? [];
    const ifKnown = reply.assumed.flatMap(({ as, state }) => as.map((name) => `${name}=${state}`)).join();
    const why: string[] = [];
    for (const { name } of chosen.filter(({ isUsable }) => isUsable)) {
      const query = {
        ...{ ...this.#method, from: name ?? `${idc}/ingress-1`, trail: exit.trail.join() },
        ...(ifKnown === '' ? {} : { ifKnown }),
      };
      for (const plane of planes) {
        const one = await this.#askOnce(plane, (where) => this.follow([where], query, depth));
        if ('reply' in one) return { admin: one.admin, ...one.reply };
        const { message } = one.error;
        why.push(message.includes(one.admin) ? message : `${one.admin}: ${message}`);
      }
    }
    return why.join('; ') || 'no ingress gateway of it is known';
  }

  /** As `askOne`; one that was silent before is not asked again. */
  async #askOnce<T>(
    where: ListenAddress,
    question: (where: ListenAddress) => Promise<T>,
  ): Promise<AdminReply<T>> {
    const admin = showAddress(where);
    const known = this.#silent.get(admin);
    if (known !== undefined) return { admin, error: known };
    const one = await askOne(where, question);
    if ('error' in one && isNoAnswer(one.error)) this.#silent.set(admin, one.error);
    return one;
  }

  /** Control planes of an IDC: those that its Idc names, and those that the user has named. */
  async #planesOf({ others }: ExplainAnswer, idc: string): Promise<readonly ListenAddress[]> {
    const own = (await this.#ofNamed()).flatMap((one) =>
      'reply' in one && one.reply.idc === idc ? [one.admin] : [],
    );
    const declared = others.find((one) => one.idc === idc)?.controlPlanes ?? [];
    return [...new Set([...own, ...declared].map((one) => showAddress(readAddress(one))))].map((one) =>
      readAddress(one),
    );
  }
}

/**
 * Addresses of gateways of other IDCs than `own` by their node ids, with and without the IDC, as their
 * control planes have them; those that do not answer are left out.
 */
async function gatewayAddresses(
  admin: readonly ListenAddress[],
  own: string | undefined,
): Promise<ReadonlyMap<string, string>> {
  const { told } = await askIdcs(admin, true, askStatus);
  const found = told.flatMap((one) =>
    'reply' in one && one.reply.idc !== own
      ? one.reply.gateways.flatMap(({ nodes, addresses: [address = ''] }) =>
          nodes.map((node) => ({ node, full: `${one.reply.idc}/${node}`, address })),
        )
      : [],
  );
  const addresses = new Map(found.map(({ full, address }) => [full, address]));
  for (const [node, list] of Map.groupBy(found, (one) => one.node))
    if (new Set(list.map(({ full }) => full)).size === 1) addresses.set(node, list[0]?.address ?? '');
  return addresses;
}

/** The name of `NAME=STATE`. */
function nameIn(text: string): string {
  return text.slice(0, text.lastIndexOf('='));
}

function withAddress(text: string, addresses: ReadonlyMap<string, string>): string {
  const name = nameIn(text);
  return `${addresses.get(name) ?? name}${text.slice(name.length)}`;
}

/** How a way ends, as it is told to the control plane before it. */
function endText({ served, status = 503, hops, idc }: FollowedWay): string {
  if (served !== 'nobody') return (hops.at(-1)?.trail ?? [idc]).join('>');
  return hops.some(({ listener }) => listener === 'ingress') ? `${status}-handed-on` : String(status);
}

/** An answer with the hops in other IDCs as they are told there. */
function composed(
  reply: ExplainAnswer,
  parts: ReadonlyMap<string, FollowedWay & { readonly admin: string }>,
  notAsked: ReadonlyMap<string, string>,
): FollowedWay {
  const all = [...parts.values()];
  return {
    ...reply,
    hops: reply.hops.flatMap((hop): readonly FollowedHop[] => {
      const part = hop.idc === reply.idc || hop.listener !== 'peer' ? undefined : parts.get(hop.idc);
      return part?.hops.map((one) => ({ toldBy: part.admin, ...one })) ?? [hop];
    }),
    notes: [...new Set([...reply.notes, ...all.flatMap(({ notes }) => notes)])],
    // Absent: of an earlier version.
    refused: [reply, ...all].flatMap(({ refused = [] }: Partial<ExplainAnswer>) => refused),
    silent: [...reply.silent, ...all.flatMap(({ silent }) => silent)],
    notAsked: [...[...notAsked].map(([idc, why]) => ({ idc, why })), ...all.flatMap((part) => part.notAsked)],
  };
}
