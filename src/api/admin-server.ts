import { timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { systemClock } from '../base/clock.ts';
import { MeshError } from '../base/error.ts';
import { peerOf } from '../base/slots.ts';
import { wordsOfFailure } from '../base/system-error.ts';
import { type ListenAddress, showAddress } from '../model/values/listen-address.ts';
import type { ControlPlane } from '../plane/types.ts';
import { peerWords } from '../registry/registrations/peer-words.ts';
import { type AdminLimits, adminLimits, keepPlaces } from './admin-places.ts';
import {
  answerEvacuation,
  type EvacuationContext,
  evacuationRoutes,
  isEvacuationPath,
} from './evacuations.ts';
import { PageTurns } from './page-turns.ts';
import { type RegistrationContext, registrationRoutes } from './registrations.ts';
import { answerRegistration, isRegistrationPath } from './route-request.ts';

/** A running admin server. */
export interface AdminServer {
  readonly port: number;
  close(): Promise<void>;
}

/** What may be written, each absent where it is off. */
export interface AdminContexts {
  readonly registrations?: RegistrationContext | undefined;
  readonly evacuations?: EvacuationContext | undefined;
}

interface Reply {
  readonly status: number;
  readonly type?: string;
  readonly body: string;
}

/** One path of the admin interface. */
interface Page {
  readonly method: 'GET' | 'POST';
  readonly help: string;
  /** It tells of all proxies, or objects: it is made in its turn. */
  readonly isDear?: true;
  readonly answer: (plane: ControlPlane, query: URLSearchParams) => Reply | Promise<Reply>;
}

const json = (value: unknown, status = 200): Reply => ({
  status,
  type: 'application/json',
  body: `${JSON.stringify(value, null, 2)}\n`,
});

const pages: Readonly<Record<string, Page>> = {
  '/livez': { method: 'GET', help: 'the process answers', answer: () => ({ status: 200, body: 'live\n' }) },
  '/readyz': {
    method: 'GET',
    help: 'xDS is answered; else 503 and what is waited for',
    answer: (plane) => {
      const { ready, waitingFor, reasons, sources, peers } = plane.readiness();
      const waits = waitingFor.length > 0 ? `, waiting for: ${waitingFor.join(', ')}` : '';
      const first = ready ? 'ready' : `not ready${waits}`;
      const notes = [...reasons];
      for (const { name, reason } of sources) if (reason) notes.push(`source ${name}: ${reason}`);
      for (const peer of peers) {
        const words = peerWords(peer);
        if (words !== undefined) notes.push(`control plane ${peer.name}: ${words}`);
      }
      return { status: ready ? 200 : 503, body: `${[first, ...notes].join('\n')}\n` };
    },
  },
  '/status': {
    method: 'GET',
    help: 'proxies, what they have, event → ACK; ?node=ID: one of them in full (JSON)',
    isDear: true,
    answer(plane, query) {
      const id = query.get('node');
      return id === null ? json(plane.status()) : answerNode(plane, id);
    },
  },
  '/problems': {
    method: 'GET',
    help: 'what is wrong with registry objects (JSON)',
    isDear: true,
    answer: (plane) => json(plane.problems()),
  },
  '/metrics': {
    method: 'GET',
    help: 'Prometheus metrics',
    isDear: true,
    answer: async (plane) => ({
      status: 200,
      type: plane.metrics.registry.contentType,
      body: await plane.metrics.registry.metrics(),
    }),
  },
  '/confirm-deletes': {
    method: 'POST',
    help: 'let go the deletions that the shrink guard holds (needs the token)',
    answer: (plane) => json({ released: plane.confirmDeletes() }),
  },
};

/**
 * Serves the admin interface. Reads are open to whoever reaches `listen` (loopback by default); writes need
 * `Authorization: Bearer TOKEN`. `limits` are for tests alone. Throws MeshError `unavailable` when the address cannot be bound.
 */
export function serveAdmin(
  plane: ControlPlane,
  listen: ListenAddress,
  token: string | undefined,
  contexts: AdminContexts = {},
  limits: AdminLimits = adminLimits,
): Promise<AdminServer> {
  const turns = new PageTurns(systemClock);
  const { headersMsMax, requestMsMax } = limits;
  const times = { headersTimeout: headersMsMax, requestTimeout: requestMsMax };
  const server = createServer(
    { ...times, connectionsCheckingInterval: headersMsMax / 4 },
    (request, response) => {
      // Ends what waits for proxies when its client does not wait any more.
      const gone = new AbortController();
      response.once('close', () => gone.abort());
      answer(plane, request, token, contexts, gone.signal, turns).then(
        (reply) => send(request, response, reply),
        (reason) => {
          const { code, message } = MeshError.from(reason);
          send(request, response, { status: code === 'exhausted' ? 429 : 500, body: `${message}\n` });
        },
      );
    },
  );
  keepPlaces(server, limits.connectionsMax);
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => {
      const message = `cannot serve the admin interface on ${showAddress(listen)}: ${wordsOfFailure(cause)}; give another address, or stop what is there`;
      reject(new MeshError('unavailable', message, { cause }));
    });
    server.listen(listen.port, listen.address, () => {
      // Such as that there are no more files: who is connected is answered on.
      server.on('error', () => {});
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : listen.port;
      resolve({
        port,
        close: () =>
          new Promise((done) => {
            server.close(() => done());
            server.closeAllConnections();
          }),
      });
    });
  });
}

async function answer(
  plane: ControlPlane,
  request: IncomingMessage,
  token: string | undefined,
  { registrations, evacuations }: AdminContexts,
  signal: AbortSignal,
  turns: PageTurns,
): Promise<Reply> {
  const [path = '/', query = ''] = (request.url ?? '/').split('?');
  const method = request.method === 'HEAD' ? 'GET' : request.method;
  const access = { isAllowed: isAllowed(request, token), why: whyNot(token) };
  if (isEvacuationPath(path)) {
    const { status, body } = await answerEvacuation(request, plane, evacuations, access, signal);
    return json(body, status);
  }
  if (isRegistrationPath(path)) {
    const { status, body } = await answerRegistration(request, registrations, access, signal);
    return json(body, status);
  }
  const page = Object.hasOwn(pages, path) ? pages[path] : undefined;
  if (path === '/') {
    const lines = Object.entries(pages).map(([name, { method, help }]) => `${method}\t${name}\t${help}`);
    for (const { method, path, help } of [...evacuationRoutes, ...registrationRoutes])
      lines.push(`${method}\t${path}\t${help}`);
    return { status: 200, body: `${lines.join('\n')}\n` };
  }
  if (page === undefined) return { status: 404, body: `no such page: ${path}; / lists them\n` };
  if (method !== page.method) return { status: 405, body: `${path} takes ${page.method}\n` };
  if (page.method === 'POST' && !isAllowed(request, token)) {
    return { status: 403, body: `${whyNot(token)}\n` };
  }
  const make = () => page.answer(plane, new URLSearchParams(query));
  if (page.isDear !== true) return make();
  return turns.make(peerOf(request.socket.remoteAddress ?? ''), () => !signal.aborted, make);
}

function whyNot(token: string | undefined): string {
  return token === undefined
    ? 'writes are off: start isthmus serve with --admin-token-file'
    : 'the token is missing or another one: send Authorization: Bearer TOKEN (isthmus: --token-file), with the token of --admin-token-file of isthmus serve';
}

/** One node in full; in words, when it is not connected. */
function answerNode(plane: ControlPlane, id: string): Reply {
  const streams = plane.node(id);
  if (streams.length > 0) return json(streams);
  const { gone, proxies } = plane.status();
  const was = gone.find((node) => node.id === id);
  if (was !== undefined) {
    const seconds = Math.round(was.goneForMs / 1000);
    return { status: 404, body: `${id} is not connected: what it has is unknown since ${seconds} s\n` };
  }
  const names = proxies.slice(0, 10).map((proxy) => proxy.id);
  const known =
    names.length === 0 ? 'none is' : `connected are ${names.join(', ')}${proxies.length > 10 ? ', …' : ''}`;
  return { status: 404, body: `no node '${id}' is connected, nor was in the last hour; ${known}\n` };
}

function isAllowed(request: IncomingMessage, token: string | undefined): boolean {
  if (token === undefined) return false;
  const given = Buffer.from(request.headers.authorization ?? '');
  const wanted = Buffer.from(`Bearer ${token}`);
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

function send(request: IncomingMessage, response: ServerResponse, reply: Reply): void {
  const type = { 'content-type': reply.type ?? 'text/plain; charset=utf-8' };
  // What is still to come of a request that is answered already is not waited for.
  response.writeHead(reply.status, request.complete ? type : { ...type, connection: 'close' });
  response.end(reply.body);
}
