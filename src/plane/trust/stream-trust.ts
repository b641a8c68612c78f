import type { Clock, Timer } from '../../base/clock.ts';
import { MeshError } from '../../base/error.ts';
import { counted } from '../../base/text/counted.ts';
import { cut } from '../../events/cut.ts';
import type { EventSink } from '../../events/event.ts';
import { Repeats } from '../../events/repeats.ts';
import type { Finding } from '../../model/finding.ts';
import type { NodeScope } from '../../model/node.ts';
import { acceptPeer, checkNode, type TrustedPeer } from '../../trust/peer.ts';
import type { TrustChange, TrustWatch } from '../../trust/trust-watch.ts';
import type { Node, Peer, StreamInfo } from '../../xds/events.ts';
import type { TlsOptions, XdsServer } from '../../xds/xds.ts';
import type { StreamObserver } from '../stream-events.ts';

/** What the trust in streams is made of. */
interface StreamTrustOptions {
  readonly trust: TrustWatch;
  readonly clock: Clock;
  readonly events: EventSink;
}

/** A certificate that has less of its life left than this is told: it was to be renewed at half of it. */
const alarmShare = 0.25;

interface Refusal {
  readonly node: string;
  readonly peer: string;
  readonly reason: string;
}

/**
 * Who may have a stream, and how long: a node is who its certificate says, and its stream ends with the
 * certificate, or with the root of that. No connection ends by itself because of a certificate.
 */
export class StreamTrust implements StreamObserver {
  readonly #trust: TrustWatch;
  readonly #clock: Clock;
  readonly #events: EventSink;
  readonly #peers = new WeakMap<Peer, TrustedPeer>();
  readonly #streams = new Map<number, { readonly peer: TrustedPeer; readonly timer: Timer }>();
  readonly #refusals: Repeats<Refusal>;
  #xds: Pick<XdsServer, 'updateTls' | 'end'> | undefined;

  constructor({ trust, clock, events }: StreamTrustOptions) {
    this.#trust = trust;
    this.#clock = clock;
    this.#events = events;
    this.#refusals = new Repeats<Refusal>(clock, (one, count) => {
      events.note({ kind: 'trust', phase: 'refused', ...one, ...(count > 1 ? { count } : {}) });
    });
    trust.observe((change) => this.#changed(change));
  }

  /** TLS 1.3, with what is in force now. */
  tls(): TlsOptions {
    const { files, bundle } = this.#trust.current();
    const pair = { certificate: files.certificate, privateKey: files.key };
    return { ...pair, clientCa: bundle.pem, minVersion: 'TLSv1.3' };
  }

  /** Follows the certificate and roots with this server. */
  serve(xds: Pick<XdsServer, 'updateTls' | 'end'>): void {
    this.#xds = xds;
  }

  /** As `XdsServerOptions.admits`: throws MeshError `forbidden`. */
  admits(node: Node, peer: Peer, nodeClass: string): void {
    try {
      const { role, idc } = JSON.parse(nodeClass) as NodeScope;
      const own = this.#trust.current().own.identity;
      checkNode(this.#accept(peer), { id: node.id ?? '', role, idc }, own);
    } catch (error) {
      const { message } = MeshError.from(error);
      const told = { node: cut(node.id ?? ''), peer: peer.address, reason: cut(message) };
      this.#refusals.add(message, told);
      throw error;
    }
  }

  onStreamOpen({ id, peer }: StreamInfo): void {
    const accepted = this.#accept(peer);
    const end = () =>
      this.#end([id], 'the certificate of this client has expired: connect with the next one');
    const timer = this.#clock.after(Math.max(0, accepted.notAfter - this.#clock.wall()), end);
    this.#streams.set(id, { peer: accepted, timer });
  }

  onStreamClose({ id }: StreamInfo): void {
    this.#streams.get(id)?.timer.cancel();
    this.#streams.delete(id);
  }

  /** What is wrong with the own certificate, and what is on disk. */
  problems(): Finding[] {
    const reason = this.#trust.problem();
    const { own } = this.#trust.current();
    const leftMs = own.notAfter - this.#clock.wall();
    const until = new Date(own.notAfter).toISOString();
    const common = { where: 'xds.trust', path: '' } as const;
    return [
      ...(reason === undefined
        ? []
        : [
            {
              ...({ code: 'TrustKept', severity: 'error', ...common } as const),
              message: `${reason}. The certificate and roots from before stay in force.`,
            },
          ]),
      ...(leftMs >= (own.notAfter - own.notBefore) * alarmShare
        ? []
        : [
            {
              ...({ code: 'CertificateEnds', severity: 'error', ...common } as const),
              message: `The certificate of this control plane ends at ${until}, and was to be renewed long before: look at isthmus identity.`,
            },
          ]),
    ];
  }

  close(): void {
    this.#trust.close();
    for (const { timer } of this.#streams.values()) timer.cancel();
    this.#streams.clear();
  }

  #accept(peer: Peer): TrustedPeer {
    const known = this.#peers.get(peer);
    if (known !== undefined) return known;
    const accepted = acceptPeer(peer.certificate, this.#trust.current().bundle, this.#clock.wall());
    this.#peers.set(peer, accepted);
    return accepted;
  }

  #changed(change: TrustChange): void {
    if (change.kind === 'kept') {
      this.#events.note({ kind: 'trust', phase: 'kept', reason: cut(change.reason) });
      return;
    }
    this.#xds?.updateTls(this.tls());
    const { own, bundle } = change.material;
    const until = new Date(own.notAfter).toISOString();
    this.#events.note({ kind: 'trust', phase: 'updated', until, roots: bundle.roots.length });
    const roots = new Set(bundle.roots.map(({ fingerprint256 }) => fingerprint256));
    const gone = [...this.#streams].filter(([, { peer }]) => !roots.has(peer.root)).map(([id]) => id);
    this.#end(gone, 'the root of the certificate of this client is trusted no more: get another one');
  }

  #end(ids: readonly number[], reason: string): void {
    if (ids.length === 0) return;
    this.#events.note({ kind: 'trust', phase: 'ended', reason, count: ids.length });
    this.#xds?.end(ids, new MeshError('forbidden', `${reason} (${counted(ids.length, 'stream')})`));
  }
}
