import type { KubeClient } from '../../kube/kube-client.ts';
import { kubeRefusalOf } from '../../kube/kube-failure.ts';
import type { WatchTarget } from '../../kube/watch/list-watch.ts';
import type { KubeObject } from '../../kube/watch/watch-events.ts';
import type { Ref } from '../../model/object.ts';
import { gateKeys } from '../../model/values/pod-names.ts';

/** An instance whose Pod waits until all proxies have it. */
export interface GatedEntry {
  readonly ref: Ref;
  readonly uid: string;
  readonly generation: number;
  /** Its UID and generation: what control planes tell each other. */
  readonly key: string;
}

/** The object as one that is waited for; undefined: it is not, or all proxies have it. */
export function gatedEntry(ref: Ref, { metadata = {} }: KubeObject): GatedEntry | undefined {
  const { uid, generation = 0, annotations = {} } = metadata;
  if (uid === undefined || annotations[gateKeys.gated] !== 'true') return undefined;
  if (annotations[gateKeys.propagated] === String(generation)) return undefined;
  return { ref, uid, generation, key: `${uid}/${generation}` };
}

/**
 * Says in the object, and only in that one, that all proxies have it. It may be gone, or created again with
 * its name, or have another generation: then nothing is to be done. Rejects as `KubeClient.json` does.
 */
export async function notePropagated(
  client: KubeClient,
  { group, version, plural }: WatchTarget,
  { ref: { namespace, name }, uid, generation }: GatedEntry,
  signal: AbortSignal,
): Promise<void> {
  const at = `/metadata/annotations/${gateKeys.propagated.replace('/', '~1')}`;
  try {
    await client.json({
      ...{ method: 'PATCH', action: { verb: 'patch', group, resource: plural }, signal },
      path: `/apis/${group}/${version}/namespaces/${namespace}/${plural}/${name}?fieldManager=isthmus`,
      contentType: 'application/json-patch+json',
      body: [
        { op: 'test', path: '/metadata/uid', value: uid },
        { op: 'test', path: '/metadata/generation', value: generation },
        { op: 'add', path: at, value: String(generation) },
      ],
    });
  } catch (reason) {
    const status = kubeRefusalOf(reason)?.status;
    if (status !== 404 && status !== 422) throw reason;
  }
}

interface GateAskerOptions {
  /** Those that wait, and are in force. */
  gated(): Iterable<GatedEntry>;
  /** Calls back when the proxies of this control plane have all that was told so far. */
  confirmed(then: () => void): void;
  /** The proxies of this control plane have it. */
  onConfirmed(entry: GatedEntry): void;
}

/** Asks for each instance that a Pod waits for, once, whether the proxies of this control plane have it. */
export class GateAsker {
  readonly #options: GateAskerOptions;
  #asked = new Set<string>();

  constructor(options: GateAskerOptions) {
    this.#options = options;
  }

  /** What was read has been told. All that is new is asked for together. */
  ask(): void {
    const waiting = [...this.#options.gated()];
    if (waiting.length === 0 && this.#asked.size === 0) return;
    const fresh = waiting.filter(({ key }) => !this.#asked.has(key));
    this.#asked = new Set(waiting.map(({ key }) => key));
    if (fresh.length === 0) return;
    this.#options.confirmed(() => {
      for (const entry of fresh) if (this.#asked.has(entry.key)) this.#options.onConfirmed(entry);
    });
  }
}
