import { constants, generateKeyPair, type KeyObject } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { promisify } from 'node:util';
import type { Clock, Timer } from '../../base/clock.ts';
import { MeshError, type MeshErrorCode } from '../../base/error.ts';
import type { Logger } from '../../base/log.ts';
import { describeSystemError } from '../../base/system-error.ts';
import { type ListenAddress, showAddress } from '../../model/values/listen-address.ts';
import { identityOf, parseX509, readCertificate } from '../certificate.ts';
import { readCall } from './ca-call.ts';
import { CaThread } from './ca-thread.ts';
import { settleMsDefault } from './rotation.ts';

/** Options of the server of a certificate authority. */
export interface CaServerOptions {
  readonly folder: string;
  readonly listen: ListenAddress;
  readonly clock: Clock;
  readonly logger: Logger;
  /** How long everybody must have had a new root before it signs, in milliseconds. */
  readonly settleMs?: number;
  /** How often rotation and the server's own certificate are looked at, in milliseconds. */
  readonly lookMs?: number;
}

/** A running server. */
export interface CaServer {
  readonly port: number;
  close(): Promise<void>;
}

const lookMsDefault = 5_000;

/**
 * Serves a certificate authority over TLS 1.3: `POST /v1/join`, `/v1/renew` and `/v1/seen`, `GET /v1/bundle`.
 * Its own certificate is of its own root, and lives in memory. Throws MeshError `unavailable`, `not-found`.
 */
export async function serveCa(options: CaServerOptions): Promise<CaServer> {
  const { folder, settleMs = settleMsDefault } = options;
  const thread = await CaThread.open({ folder, settleMs });
  try {
    return await new RunningCa(thread, options).start();
  } catch (reason) {
    await thread.close();
    throw reason;
  }
}

/** Own key, certificate and roots, for TLS. */
interface OwnPair {
  readonly key: string;
  readonly cert: string;
  readonly ca: string;
}

class RunningCa {
  readonly #thread: CaThread;
  readonly #options: CaServerOptions;
  #server: Server | undefined;
  #own: OwnPair | undefined;
  #timer: Timer | undefined;

  constructor(thread: CaThread, options: CaServerOptions) {
    this.#thread = thread;
    this.#options = options;
  }

  async start(): Promise<CaServer> {
    const { listen } = this.#options;
    const own = await this.#makeOwn();
    const server = createServer(
      { ...contextOf(own), requestCert: true, rejectUnauthorized: false, ...limits },
      (request, response) => void this.#answer(request, response),
    );
    server.maxConnections = connectionsMax;
    this.#server = server;
    const port = await new Promise<number>((resolve, reject) => {
      server.once('error', reject);
      server.listen(listen.port, listen.address, () => resolve((server.address() as AddressInfo).port));
    }).catch((cause) => {
      const message = `cannot listen on ${showAddress(listen)}: ${describeSystemError(cause)}`;
      throw new MeshError('unavailable', message, { cause });
    });
    server.on('error', () => {});
    this.#schedule();
    return { port, close: () => this.#close() };
  }

  async #makeOwn(): Promise<OwnPair> {
    const { publicKey, privateKey } = await promisify(generateKeyPair)('ec', { namedCurve: 'P-256' });
    const spki = new Uint8Array((publicKey as KeyObject).export({ type: 'spki', format: 'der' }));
    const now = this.#options.clock.wall();
    const { certificate, bundle } = await this.#thread.ask({ op: 'server', publicKey: spki, now });
    const key = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
    this.#own = { key, cert: certificate, ca: bundle };
    return this.#own;
  }

  #schedule(): void {
    const { clock, lookMs = lookMsDefault, logger } = this.#options;
    this.#timer = clock.after(lookMs, () => {
      this.#look()
        .catch((reason) => logger.error('the authority cannot look after itself', { reason: String(reason) }))
        .finally(() => {
          if (this.#timer !== undefined) this.#schedule();
        });
    });
  }

  /** Goes on with a rotation, and renews the own certificate at half of its life and with a new root. */
  async #look(): Promise<void> {
    const { clock, logger } = this.#options;
    const { bundle, hasChanged } = await this.#thread.ask({ op: 'advance', now: clock.wall() });
    if (hasChanged) logger.info('everybody trusts the new root: it signs from now on');
    const { notBefore, notAfter } = readCertificate(this.#own?.cert ?? '');
    const isOld = clock.wall() > (notBefore + notAfter) / 2;
    if (!isOld && !hasChanged && bundle === this.#own?.ca) return;
    this.#server?.setSecureContext(contextOf(await this.#makeOwn()));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { logger } = this.#options;
    const from = request.socket.remoteAddress;
    try {
      const body = await this.#reply(request);
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(`${JSON.stringify(body)}\n`);
    } catch (reason) {
      const { code, message } = MeshError.from(reason);
      logger.warn('refused', { from, path: request.url, code, reason: message });
      response.writeHead(statusByCode[code] ?? 500, {
        'content-type': 'application/json',
        connection: 'close',
      });
      response.end(`${JSON.stringify({ code, message })}\n`);
    }
  }

  async #reply(request: IncomingMessage): Promise<unknown> {
    const { clock, logger } = this.#options;
    const from = request.socket.remoteAddress;
    const call = await readCall(request);
    const now = clock.wall();
    switch (call.op) {
      case 'bundle':
        return { bundle: this.#own?.ca };
      case 'join': {
        const { token, request: csr } = call;
        const issued = await this.#thread.ask({ op: 'join', token, request: csr, now });
        logger.info('joined', { from, ...told(issued.certificate) });
        return issued;
      }
      case 'renew': {
        const certificate = shownOn(request.socket as TLSSocket);
        const issued = await this.#thread.ask({ op: 'renew', certificate, request: call.request, now });
        logger.info('renewed', { from, ...told(issued.certificate) });
        return issued;
      }
      case 'seen': {
        const certificate = shownOn(request.socket as TLSSocket);
        return this.#thread.ask({ op: 'see', certificate, bundle: call.bundle, now });
      }
    }
  }

  async #close(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    const server = this.#server;
    await new Promise<void>((resolve) => {
      server?.close(() => resolve());
      server?.closeAllConnections();
    });
    await this.#thread.close();
  }
}

// A client asks once in minutes, with a connection of its own for each question.
const connectionsMax = 2_000;
const limits = { headersTimeout: 10_000, requestTimeout: 15_000, handshakeTimeout: 10_000 };

/** All of a context, each time: what an update leaves out is as it is by default, TLS 1.2 and tickets. */
function contextOf({ key, cert, ca }: OwnPair) {
  return { key, cert, ca, minVersion: 'TLSv1.3' as const, secureOptions: constants.SSL_OP_NO_TICKET };
}

/** The certificate that the client showed and that was accepted. Throws MeshError `forbidden`. */
function shownOn(socket: TLSSocket): Uint8Array {
  const raw = socket.authorized ? socket.getPeerCertificate().raw : undefined;
  if (raw !== undefined) return raw;
  const why = socket.authorizationError?.toString() ?? 'none was shown';
  throw new MeshError(
    'forbidden',
    `a valid certificate of this authority is needed (${why}): join with a token`,
  );
}

function told(certificate: string): { readonly identity: string; readonly serial: string } {
  const x509 = parseX509(certificate);
  const { trustDomain, idc, role, name } = identityOf(x509);
  return { identity: `spiffe://${trustDomain}/idc/${idc}/${role}/${name}`, serial: x509.serialNumber };
}

const statusByCode: Readonly<Partial<Record<MeshErrorCode, number>>> = {
  ...{ invalid: 400, forbidden: 403, 'not-found': 404, exhausted: 503, unavailable: 503, late: 408 },
};
