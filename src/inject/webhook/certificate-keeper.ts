import type { Clock, Timer } from '../../base/clock.ts';
import { MeshError } from '../../base/error.ts';
import type { Logger } from '../../base/log.ts';
import { isMap } from '../../base/raw-map.ts';
import type { KubeClient } from '../../kube/kube-client.ts';
import { makeServingPair, type ServingPair, type ServingTerm, servingTerm } from './certificate.ts';

/** Where the certificate is kept, and who is told to believe it. */
export interface CertificateKeeperOptions {
  /** The Secret that all replicas share. */
  readonly secret: string;
  /** Its namespace. */
  readonly namespace: string;
  /** Names of the server. */
  readonly names: readonly string[];
  /** Webhook configurations, as `mutatingwebhookconfigurations/NAME`. */
  readonly configurations: readonly string[];
}

/** Times of certificates. Milliseconds. */
export const certificateTimes = {
  /** How long one is valid. */
  validMs: 90 * 86_400_000,
  /** With less left the next one is made, and believed beside it. */
  renewMs: 30 * 86_400_000,
  /**
   * For so long the next is believed before it is used, and the one before it after that: API servers watch
   * the configurations, replicas look at the Secret.
   */
  settleMs: 10 * 60_000,
  /** From so long before it was made: clocks differ. */
  backdateMs: 60_000,
  /** Between two looks at the Secret and the configurations. */
  lookMs: 60_000,
  /** After a failure. */
  retryMs: 2_000,
} as const;

/** The pairs of the Secret. */
interface KeptPairs {
  readonly current: ServingPair;
  /** Believed, not used yet. */
  readonly next?: ServingPair;
  /** A certificate that other replicas may use until they look again: still believed. */
  readonly previous?: string;
}

/**
 * Keeps the certificate of the webhook: makes it, renews it, and tells API servers to believe it, by
 * `caBundle`. All replicas do the same on one Secret; the first that writes wins.
 */
export class CertificateKeeper {
  readonly #api: KubeClient;
  readonly #options: CertificateKeeperOptions;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #use: (pair: ServingPair) => void;
  #used: string | undefined;
  #timer: Timer | undefined;
  #ended = false;

  /** `use` is given the pair to serve with, at first and after each change. */
  constructor(
    api: KubeClient,
    options: CertificateKeeperOptions,
    { clock, logger, use }: { clock: Clock; logger: Logger; use: (pair: ServingPair) => void },
  ) {
    this.#api = api;
    this.#options = options;
    this.#clock = clock;
    this.#logger = logger;
    this.#use = use;
  }

  /** Whether there is a certificate. */
  get ready(): boolean {
    return this.#used !== undefined;
  }

  /** Begins; resolves after the first look, whatever it found. */
  async start(): Promise<void> {
    let delayMs: number = certificateTimes.lookMs;
    try {
      await this.look();
    } catch (reason) {
      const { message, code } = MeshError.from(reason);
      // Another replica was first: what it wrote is read at once.
      delayMs = code === 'conflict' ? 0 : certificateTimes.retryMs;
      if (code !== 'conflict')
        this.#logger.warn('the certificate of the webhook could not be kept', { reason: message });
    }
    if (!this.#ended) this.#timer = this.#clock.after(delayMs, () => void this.start());
  }

  stop(): void {
    this.#ended = true;
    this.#timer?.cancel();
  }

  /** One look: the Secret, what it needs, and the configurations. */
  async look(): Promise<void> {
    const kept = await this.#kept();
    const { current, next, previous } = kept;
    const believed = [current.certificate, next?.certificate, previous];
    await this.#believe(believed.filter((one) => one !== undefined));
    if (this.#used === kept.current.certificate) return;
    this.#used = kept.current.certificate;
    this.#use(kept.current);
  }

  async #kept(): Promise<KeptPairs> {
    const secrets = `/api/v1/namespaces/${this.#options.namespace}/secrets`;
    const path = `${secrets}/${this.#options.secret}`;
    const on = { group: '', resource: 'secrets' };
    const found = await this.#api.json({ action: { verb: 'get', ...on }, path }).catch((reason) => {
      if (reason instanceof MeshError && reason.code === 'not-found') return undefined;
      throw reason;
    });
    const pairs = readPairs(found);
    const kept = await this.#renewed(pairs);
    if (kept === pairs) return kept;
    const resourceVersion =
      isMap(found) && isMap(found.metadata) ? found.metadata.resourceVersion : undefined;
    const secret = {
      ...{ apiVersion: 'v1', kind: 'Secret', type: 'Opaque' },
      metadata: { name: this.#options.secret, ...(found === undefined ? {} : { resourceVersion }) },
      data: dataOf(kept),
    };
    await this.#api.json(
      found === undefined
        ? { action: { verb: 'create', ...on }, method: 'POST', path: secrets, body: secret }
        : { action: { verb: 'update', ...on }, method: 'PUT', path, body: secret },
    );
    this.#logger.info('the certificate of the webhook was renewed', { next: kept.next !== undefined });
    return kept;
  }

  async #renewed(pairs: KeptPairs | undefined): Promise<KeptPairs> {
    const { names } = this.#options;
    const now = this.#clock.wall();
    const termOf = (pair: ServingPair | undefined) => pair && servingTerm(pair.certificate, names);
    const term = termOf(pairs?.current);
    // None, for other names, or over: nothing to be careful with.
    if (pairs === undefined || term === undefined || term.notAfter <= now)
      return { current: await this.#made(now) };
    const sinceMs = (at: ServingTerm) => now - (at.notBefore + certificateTimes.backdateMs);
    const { settleMs, renewMs } = certificateTimes;
    const { current, next, previous } = pairs;
    const nextTerm = termOf(next);
    if (next !== undefined && nextTerm !== undefined)
      return sinceMs(nextTerm) >= settleMs ? { current: next, previous: current.certificate } : pairs;
    if (previous !== undefined) return sinceMs(term) >= 2 * settleMs ? { current } : pairs;
    return term.notAfter - now > renewMs ? pairs : { current, next: await this.#made(now) };
  }

  #made(now: number): Promise<ServingPair> {
    const { backdateMs, validMs } = certificateTimes;
    return makeServingPair(this.#options.names, { notBefore: now - backdateMs, notAfter: now + validMs });
  }

  /** Puts the certificates into the configurations that do not have them. */
  async #believe(certificates: readonly string[]): Promise<void> {
    const bundle = Buffer.from(certificates.join('')).toString('base64');
    const group = 'admissionregistration.k8s.io';
    for (const configuration of this.#options.configurations) {
      const path = `/apis/${group}/v1/${configuration}`;
      const on = { group, resource: configuration.split('/')[0] ?? '' };
      const found = await this.#api.json({ action: { verb: 'get', ...on }, path });
      const webhooks = isMap(found) && Array.isArray(found.webhooks) ? found.webhooks : [];
      const patch = webhooks.flatMap((webhook: unknown, index) => {
        const config = isMap(webhook) && isMap(webhook.clientConfig) ? webhook.clientConfig : {};
        if (!isMap(webhook) || config.caBundle === bundle) return [];
        return [
          { op: 'test', path: `/webhooks/${index}/name`, value: webhook.name },
          { op: 'add', path: `/webhooks/${index}/clientConfig/caBundle`, value: bundle },
        ];
      });
      if (patch.length === 0) continue;
      const contentType = 'application/json-patch+json';
      const action = { verb: 'patch', ...on } as const;
      await this.#api.json({ action, method: 'PATCH', path, body: patch, contentType });
    }
  }
}

function readPairs(secret: unknown): KeptPairs | undefined {
  const data = isMap(secret) && isMap(secret.data) ? secret.data : {};
  const text = (key: string) => {
    const value = data[key];
    return typeof value === 'string' ? Buffer.from(value, 'base64').toString('utf8') : undefined;
  };
  const pair = (name: string): ServingPair | undefined => {
    const [certificate, key] = [text(`${name}.crt`), text(`${name}.key`)];
    return certificate === undefined || key === undefined ? undefined : { certificate, key };
  };
  const [current, next, previous] = [pair('tls'), pair('next'), text('previous.crt')];
  return (
    current && {
      current,
      ...(next === undefined ? {} : { next }),
      ...(previous === undefined ? {} : { previous }),
    }
  );
}

function dataOf({ current, next, previous }: KeptPairs): object {
  const encoded = (text: string) => Buffer.from(text).toString('base64');
  return {
    'tls.crt': encoded(current.certificate),
    'tls.key': encoded(current.key),
    ...(next === undefined ? {} : { 'next.crt': encoded(next.certificate), 'next.key': encoded(next.key) }),
    ...(previous === undefined ? {} : { 'previous.crt': encoded(previous) }),
  };
}
