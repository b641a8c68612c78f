import { type Clock, sleep } from '../../base/clock.ts';
import { MeshError } from '../../base/error.ts';
import type { Logger } from '../../base/log.ts';
import type { Random } from '../../base/random.ts';
import { formatIdentity, type Identity } from '../../model/values/identity.ts';
import { readBundle } from '../bundle.ts';
import { readCertificate } from '../certificate.ts';
import { makeTrustFolder, readTrustFolder, type TrustMaterial, writeTrustFolder } from '../trust-folder.ts';
import { askCa, type CaAccess, fetchPinnedRoot, textOf } from './ca-client.ts';

/** How an identity is kept. */
export interface IdentityKeeperOptions {
  readonly folder: string;
  readonly identity: Identity;
  readonly access: CaAccess;
  /** Reads the join token; undefined: there is none (any more). */
  readonly token: () => string | undefined;
  /** What pins the root, for the first certificate: see `keyHash`. */
  readonly pin: string | undefined;
  /** How often the authority is asked for its bundle, in milliseconds; a tenth more or less. */
  readonly pollMs: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** Pauses after failures: doubled each time, a quarter more or less. Milliseconds. */
const pauses = { firstMs: 1_000, mostMs: 60_000 };
/** From this share of its life on, a certificate that was not renewed is an error, not a warning. */
const alarmShare = 0.75;

/**
 * Keeps the certificate of one identity in a folder: joins with a token, renews by the certificate at half of
 * its life, and follows the authority's roots. What is in the folder stays while the authority is away.
 */
export class IdentityKeeper {
  readonly #options: IdentityKeeperOptions;
  readonly #uri: string;
  /** The renewal that is due, at a random time around half of the life. */
  #renewAt: number | undefined;
  #failures = 0;
  // A certificate request that has no answer yet: sent again as it is, or a token would be used up by it.
  #sent: { readonly request: string; readonly key: string } | undefined;

  constructor(options: IdentityKeeperOptions) {
    this.#options = options;
    this.#uri = formatIdentity(options.identity);
    makeTrustFolder(options.folder);
  }

  /** Keeps it until `signal` is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const waitMs = await this.#turn();
      await sleep(this.#options.clock, waitMs, signal).catch(() => {});
    }
  }

  /** Gets a certificate if none is valid. Throws MeshError as the authority, or `unavailable`. */
  async obtain(): Promise<void> {
    if (this.#current() === undefined) await this.#join();
  }

  /** Does what is due; returns the time until the next turn, in milliseconds. Never throws. */
  async #turn(): Promise<number> {
    const { pollMs, random, logger } = this.#options;
    try {
      if (this.#current() === undefined) await this.#join();
      await this.#keepUp().catch((reason) => this.#joinAgain(MeshError.from(reason)));
      this.#failures = 0;
      const current = this.#current();
      const untilDue = current === undefined ? 0 : this.#dueOf(current) - this.#options.clock.wall();
      return Math.max(100, Math.min(untilDue, pollMs * (0.9 + random() * 0.2)));
    } catch (reason) {
      this.#alarm(MeshError.from(reason));
      this.#failures += 1;
      const pause = Math.min(pauses.mostMs, pauses.firstMs * 2 ** Math.min(this.#failures - 1, 10));
      return pause * (0.75 + random() * 0.5);
    } finally {
      logger.debug('looked after the certificate', { identity: this.#uri });
    }
  }

  /** What is in force, if it is of this identity and valid. */
  #current(): TrustMaterial | undefined {
    const { folder, clock, logger } = this.#options;
    try {
      const found = readTrustFolder(folder, clock.wall());
      if (found === undefined || found.own.notAfter <= clock.wall()) return undefined;
      if (formatIdentity(found.own.identity) === this.#uri) return found;
      logger.warn('the certificate in the folder is of another identity: it is replaced', {
        found: formatIdentity(found.own.identity),
      });
    } catch (reason) {
      logger.warn('what is in the folder cannot be used: it is replaced', { reason: String(reason) });
    }
    return undefined;
  }

  #dueOf({ own: { notBefore, notAfter } }: TrustMaterial): number {
    this.#renewAt ??= notBefore + (notAfter - notBefore) * (0.45 + this.#options.random() * 0.1);
    return this.#renewAt;
  }

  async #join(): Promise<void> {
    const { token, pin, access } = this.#options;
    const secret = token();
    if (secret === undefined)
      throw new MeshError(
        'forbidden',
        `no valid certificate, and no token: isthmus ca token --id ${this.#uri} makes one for --token-file`,
      );
    if (pin === undefined)
      throw new MeshError('invalid', 'the first certificate needs --ca-hash: isthmus ca token prints it');
    const roots = await fetchPinnedRoot(access, pin);
    const { request, key } = await this.#request();
    this.#take(await askCa(access, '/v1/join', { token: secret, request }, { roots }), key, 'joined');
  }

  /** Renews what is due, or what the authority wants to be renewed. */
  async #keepUp(): Promise<void> {
    const before = this.#current();
    if (before !== undefined && this.#options.clock.wall() >= this.#dueOf(before)) await this.#renew(before);
    if ((await this.#tell()) !== 'renew') return;
    const now = this.#current();
    if (now !== undefined) await this.#renew(now);
    await this.#tell();
  }

  /** Whom the authority has refused, as after a revocation, joins with its token; `why`: what it said. */
  async #joinAgain(why: MeshError): Promise<void> {
    if (why.code !== 'forbidden' || this.#options.token() === undefined) throw why;
    await this.#join().catch((reason) => {
      const { message } = MeshError.from(reason);
      throw new MeshError('forbidden', `${why.message}; and with the token: ${message}`, { cause: reason });
    });
    await this.#tell();
  }

  async #renew({ files }: TrustMaterial): Promise<void> {
    const { request, key } = await this.#request();
    const credentials = { roots: files.bundle, pair: files };
    this.#take(await askCa(this.#options.access, '/v1/renew', { request }, credentials), key, 'renewed');
  }

  async #request(): Promise<{ readonly request: string; readonly key: string }> {
    // Loaded on demand: one that restarts with a valid certificate needs it hours later.
    const { makeRequest } = await import('../ca/issue.ts');
    this.#sent ??= await makeRequest();
    return this.#sent;
  }

  /** Puts an answer in force. */
  #take(answer: Readonly<Record<string, unknown>>, key: string, what: string): void {
    const { folder, clock, logger } = this.#options;
    const certificate = textOf(answer.certificate, 'certificate');
    const { pem: bundle } = readBundle(textOf(answer.bundle, 'bundle'), clock.wall());
    const { identity, x509, notAfter } = readCertificate(certificate);
    if (formatIdentity(identity) !== this.#uri)
      throw new MeshError(
        'forbidden',
        `the authority issued ${formatIdentity(identity)}, for this token or certificate: --id says ${this.#uri}`,
      );
    writeTrustFolder(folder, { certificate, key, bundle });
    this.#sent = undefined;
    this.#renewAt = undefined;
    const until = new Date(notAfter).toISOString();
    logger.info(what, { identity: this.#uri, serial: x509.serialNumber, until });
  }

  /** Tells the authority what is in force, and takes its roots. */
  async #tell(): Promise<'renew' | 'done'> {
    const { access, folder, clock, logger } = this.#options;
    for (let turns = 0; turns < 2; turns += 1) {
      const current = this.#current();
      if (current === undefined) return 'done';
      const { files, bundle } = current;
      const credentials = { roots: files.bundle, pair: files };
      const answer = await askCa(access, '/v1/seen', { bundle: bundle.hash }, credentials);
      const theirs = readBundle(textOf(answer.bundle, 'bundle'), clock.wall());
      if (theirs.hash === bundle.hash) return answer.renew === true ? 'renew' : 'done';
      writeTrustFolder(folder, { ...files, bundle: theirs.pem });
      logger.info('the roots have changed', { identity: this.#uri, roots: theirs.roots.length });
    }
    return 'done';
  }

  /** Says what failed, the louder the nearer the end. */
  #alarm(reason: MeshError): void {
    const { clock, folder, logger } = this.#options;
    const told = { identity: this.#uri, reason: reason.message };
    let own: TrustMaterial['own'] | undefined;
    try {
      own = readTrustFolder(folder, clock.wall())?.own;
    } catch {
      // There is nothing that could expire.
    }
    if (own === undefined) {
      logger.warn('there is no certificate yet', told);
      return;
    }
    const leftMs = own.notAfter - clock.wall();
    const until = new Date(own.notAfter).toISOString();
    if (leftMs <= 0)
      logger.error(
        `the certificate HAS EXPIRED: only a new token helps, isthmus ca token --id ${this.#uri}`,
        {
          ...{ ...told, until },
        },
      );
    else if (leftMs < (own.notAfter - own.notBefore) * (1 - alarmShare))
      logger.error('the certificate EXPIRES SOON and cannot be renewed', { ...told, until });
    else logger.warn('the authority cannot be asked: the certificate stays', { ...told, until });
  }
}
