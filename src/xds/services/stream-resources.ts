import { closest } from '../../base/text/suggest.ts';
import { decodeResource, type ResourceJson } from '../codec/codec.ts';
import type { Hub } from '../hub.ts';
import { ruleOf } from '../resource-types.ts';
import { type Inventory, inventoryOf } from './inventory.ts';

/** A resource of a stream: what it has, is to have, or has asked for. Versions: undefined for none. */
export interface StreamResource {
  /** Abbreviation of the type: CDS, EDS, … */
  readonly type: string;
  readonly name: string;
  /** STALE: on its way. ABSENT: the client has asked for this name, and there is no such resource. */
  readonly state: 'SYNCED' | 'STALE' | 'NACKED' | 'NOT SENT' | 'ABSENT';
  /** What the client last accepted; 'unknown' if that was long ago, or on an earlier stream. */
  readonly acked: string | undefined;
  /** What it was sent last. */
  readonly sent: string | undefined;
  /** The current version. */
  readonly now: string | undefined;
  /** When the client last ACKed a response of this type, in the server's clock; undefined: never. */
  readonly ackedAtMs: number | undefined;
  /** The client's message where it refuses the resource, or others that were sent with it. */
  readonly refusal: { readonly message: string; readonly isCertain: boolean } | undefined;
  /** Of an absent name, the closest one that there is. */
  readonly nearest: string | undefined;
  /** The resource that the client is to have, decoded by each call; undefined for none, and of a secret. */
  content(): ResourceJson | undefined;
}

/** More names of a type are not compared with one that is absent. */
const comparedMax = 1_000;

/** The resources of a stream, in push order and by name; `type`: of one type only. Empty: no such stream. */
export function resourcesOfStream(hub: Hub, stream: number, type?: string): StreamResource[] {
  for (const session of hub.sessions()) {
    if (session.info.id !== stream) continue;
    const { nodeClass } = session.info;
    return session.subscriptions
      .filter(({ sub }) => type === undefined || sub.rule.short === type)
      .flatMap((member) => inventoryOf(member).map((one) => resourceOf(one, hub, nodeClass)));
  }
  return [];
}

function resourceOf(one: Inventory, hub: Hub, nodeClass: string): StreamResource {
  const { typeUrl, name, resource, difference, refusal, answeredAt } = one;
  const { short, isSecret } = ruleOf(typeUrl);
  const isAbsent = resource === undefined && difference === undefined;
  const { acked, sent, now } = difference ?? {
    ...{ acked: resource?.version, sent: resource?.version, now: resource?.version },
  };
  return {
    ...{ type: short, name, state: stateOf(one), acked, sent, now, ackedAtMs: answeredAt },
    refusal:
      difference?.state === 'refused' && refusal !== undefined
        ? { message: refusal.message, isCertain: refusal.isCertain }
        : undefined,
    nearest: isAbsent ? nearestOf(name, hub.names(nodeClass, typeUrl)) : undefined,
    content: () => (resource === undefined || isSecret ? undefined : decodeResource(resource)),
  };
}

function stateOf({ resource, difference }: Inventory): StreamResource['state'] {
  if (difference === undefined) return resource === undefined ? 'ABSENT' : 'SYNCED';
  if (difference.state === 'refused') return 'NACKED';
  return difference.state === 'waiting' && difference.sent === undefined ? 'NOT SENT' : 'STALE';
}

function nearestOf(name: string, names: readonly string[]): string | undefined {
  return names.length > comparedMax ? undefined : closest(name, names);
}
