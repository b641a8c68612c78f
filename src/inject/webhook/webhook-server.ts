import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Clock } from '../../base/clock.ts';
import { MeshError } from '../../base/error.ts';
import type { Logger } from '../../base/log.ts';
import type { KubeClient } from '../../kube/kube-client.ts';
import type { ListenAddress } from '../../model/values/listen-address.ts';
import type { InjectSettings } from '../settings.ts';
import { admitObject, admitPod } from './admit.ts';
import type { ServingPair } from './certificate.ts';
import { CertificateKeeper, type CertificateKeeperOptions } from './certificate-keeper.ts';
import { type AdmissionAnswer, type AdmissionRequest, answerReview, readReview } from './review.ts';

/** Largest request: an object of 3 MiB, the API server's limit, and the one that it replaces. */
const requestBytesMax = 8 * 2 ** 20;

/** What a webhook is started with. */
export interface WebhookOptions {
  readonly listen: ListenAddress;
  readonly settings: InjectSettings;
  readonly certificate: CertificateKeeperOptions;
}

/** A running webhook. */
export interface Webhook {
  readonly address: ListenAddress;
  close(): Promise<void>;
}

/**
 * Starts the webhook: HTTPS with a certificate that it keeps itself. `/mutate` injects Pods, `/validate`
 * checks objects, `/healthz` and `/readyz` are for probes.
 */
export async function startWebhook(
  api: KubeClient,
  { listen, settings, certificate }: WebhookOptions,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
): Promise<Webhook> {
  const server = createServer({ minVersion: 'TLSv1.2' });
  const use = ({ certificate: cert, key }: ServingPair) =>
    server.setSecureContext({ cert, key, minVersion: 'TLSv1.2' });
  const keeper = new CertificateKeeper(api, certificate, { clock, logger, use });
  const routes: Readonly<Record<string, (request: AdmissionRequest) => AdmissionAnswer>> = {
    '/mutate': (request) => admitPod(request, settings),
    '/validate': (request) => admitObject(request, settings.revision),
  };
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const path = (request.url ?? '').split('?')[0] ?? '';
    if (path === '/healthz') return end(response, 200, 'ok');
    if (path === '/readyz')
      return end(response, keeper.ready ? 200 : 503, keeper.ready ? 'ok' : 'no certificate yet');
    const admit = Object.hasOwn(routes, path) ? routes[path] : undefined;
    if (admit === undefined || request.method !== 'POST') return end(response, 404, 'not found');
    void answer(request, response, admit, logger);
  });
  // Whoever does not believe the certificate, or speaks no TLS: the API server says so itself.
  server.on('tlsClientError', (reason) =>
    logger.debug('a connection to the webhook failed', { reason: reason.message }),
  );
  await keeper.start();
  server.listen(listen.port, listen.address);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    address: { address: listen.address, port },
    async close() {
      keeper.stop();
      const closed = once(server, 'close');
      // Requests under way are answered.
      server.close();
      server.closeIdleConnections();
      await closed;
    },
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  admit: (request: AdmissionRequest) => AdmissionAnswer,
  logger: Logger,
): Promise<void> {
  try {
    const review = readReview(await bodyOf(request));
    const given = admit(review);
    if (given.refusal !== undefined)
      logger.info('an object was refused', {
        kind: review.kind,
        namespace: review.namespace,
        reason: given.refusal,
      });
    end(response, 200, JSON.stringify(answerReview(review.uid, given)), 'application/json');
  } catch (reason) {
    const { code, message } = MeshError.from(reason);
    if (code === 'internal') logger.error('the webhook failed', { reason: message });
    end(response, code === 'internal' ? 500 : code === 'exhausted' ? 413 : 400, message);
  }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of request) {
    bytes += (part as Buffer).length;
    if (bytes > requestBytesMax)
      throw new MeshError('exhausted', `the request has more than ${requestBytesMax} bytes`);
    parts.push(part as Buffer);
  }
  return Buffer.concat(parts).toString('utf8');
}

function end(response: ServerResponse, status: number, text: string, type = 'text/plain'): void {
  response.writeHead(status, { 'content-type': type }).end(text);
}
