import { createServer } from 'node:http';
import { systemClock } from '../base/clock.ts';
import { MeshError } from '../base/error.ts';
import { describeSystemError } from '../base/system-error.ts';
import type { WrittenAnswer } from '../contract/contract.ts';
import { type ListenAddress, showAddress } from '../model/values/listen-address.ts';
import type { ControlPlane } from '../plane/types.ts';
import { type AdminLimits, adminLimits, keepPlaces } from './admin-places.ts';
import { type DrainContext, drainHandlers } from './drains.ts';
import { type EvacuationContext, evacuationHandlers } from './evacuations.ts';
import type { Handlers } from './handlers.ts';
import { eventHandlers } from './pages/events.ts';
import { PageTurns } from './pages/page-turns.ts';
import { pageHandlers } from './pages/pages.ts';
import { type RegistrationContext, registrationHandlers } from './registrations.ts';
import { createRouter } from './router.ts';
import { createUnreadable } from './unreadable.ts';

/** A running admin server. */
export interface AdminServer {
  readonly port: number;
  close(): Promise<void>;
}

/** The parts that can be written to, absent: off; and the settings to show, absent: not known. */
interface AdminContexts {
  readonly registrations?: RegistrationContext | undefined;
  readonly evacuations?: EvacuationContext | undefined;
  readonly drains?: DrainContext | undefined;
  readonly settings?: WrittenAnswer<'getSettings'>['body']['options'] | undefined;
}

/** Handlers of the questions what is on, and by which settings. */
function contextHandlers({
  registrations,
  evacuations,
  settings = [],
}: AdminContexts): Handlers<'getSettings' | 'checkToken'> {
  const uses = { registrations: registrations !== undefined, evacuations: evacuations !== undefined };
  return {
    getSettings: () => ({ status: 200, body: { options: settings } }),
    checkToken: () => ({ status: 200, body: uses }),
  };
}

/**
 * Serves the admin interface. Reads are open to whoever reaches `listen` (loopback by default); writes need
 * `Authorization: Bearer TOKEN`. `limits` are for tests only. Throws MeshError `unavailable` if the address
 * cannot be bound.
 */
export async function serveAdmin(
  plane: ControlPlane,
  listen: ListenAddress,
  token: string | undefined,
  { registrations, evacuations, drains, settings }: AdminContexts = {},
  limits: AdminLimits = adminLimits,
): Promise<AdminServer> {
  const registering = () => {
    if (registrations !== undefined) return registrations;
    const message = 'registrations are off: start isthmus serve with --registrations FILE';
    throw new MeshError('not-found', message);
  };
  const unreadable = createUnreadable(limits);
  const app = createRouter(
    {
      handlers: {
        ...pageHandlers(plane),
        ...contextHandlers({ registrations, evacuations, settings }),
        ...eventHandlers(plane, systemClock),
        ...evacuationHandlers(plane, evacuations),
        ...drainHandlers(plane, drains, systemClock),
        ...registrationHandlers(registering),
      },
      gates: { registrations: registering },
      token,
      turns: new PageTurns(systemClock),
    },
    {
      serverFactory(handler) {
        const { connectionsMax, headersMsMax, requestMsMax } = limits;
        const times = { headersTimeout: headersMsMax, requestTimeout: requestMsMax };
        const server = createServer(
          { ...times, connectionsCheckingInterval: headersMsMax / 4, requireHostHeader: false },
          handler,
        );
        keepPlaces(server, connectionsMax);
        server.on('request', unreadable.note);
        // An unknown expectation may be ignored (RFC 9110, 10.1.1).
        server.on('checkExpectation', handler);
        server.on('connect', unreadable.refuseTunnel);
        return server;
      },
      clientErrorHandler: unreadable.answer,
    },
  );
  try {
    await app.listen({ port: listen.port, host: listen.address });
  } catch (cause) {
    const message = `cannot serve the admin interface on ${showAddress(listen)}: ${describeSystemError(cause)}; give another address, or stop the process that uses it`;
    throw new MeshError('unavailable', message, { cause });
  }
  // For example no file descriptors left: existing connections are still served.
  app.server.on('error', () => {});
  const address = app.server.address();
  const port = typeof address === 'object' && address !== null ? address.port : listen.port;
  return { port, close: () => app.close() };
}
