import { createServer, type RequestListener, type Server } from 'node:http';
import { join } from 'node:path';
import { type AdminServer, serveAdmin } from '../../../src/api/admin-server.ts';
import { systemClock } from '../../../src/base/clock.ts';
import { createApiClient } from '../../../src/client/api-client.ts';
import { type EvacuationPlane, findPlanes } from '../../../src/client/evacuation-planes.ts';
import type { ListenAddress } from '../../../src/model/values/listen-address.ts';
import {
  createEvacuationsSource,
  type EvacuationsSource,
} from '../../../src/registry/evacuations/evacuations-source.ts';
import type { Idcs } from '../idcs.ts';
import { freeAddress } from '../mesh.ts';

/** The admin token of all control planes here. */
export const adminToken = 'a token of more than sixteen characters';

type Undone = { teardown(end: () => unknown): void };

/** An instance at an address that stays, which may go down and come up again. It is up. */
export async function startInstance(
  t: Undone,
  listener: RequestListener,
): Promise<{ readonly at: ListenAddress; up(): Promise<void>; down(): void }> {
  const at = await freeAddress();
  let server: Server | undefined;
  const down = () => {
    server?.closeAllConnections();
    server?.close();
  };
  const up = () =>
    new Promise<void>((resolve) => {
      server = createServer(listener).listen(at.port, at.address, resolve);
    });
  t.teardown(down);
  await up();
  return { at, up, down };
}

/**
 * Evacuations by the API: a source for each IDC, in a file of `dir`. `open` makes it, anew for a control
 * plane that starts again.
 */
export function evacuationSources(dir: string): {
  readonly all: ReadonlyMap<string, EvacuationsSource>;
  open(idc: string, file?: string): EvacuationsSource;
} {
  const all = new Map<string, EvacuationsSource>();
  return {
    all,
    open(idc, file = `${idc}.json`) {
      const source = createEvacuationsSource({ file: join(dir, file), clock: systemClock });
      all.set(idc, source);
      return source;
    },
  };
}

/** The admin interfaces of a world's control planes, with their evacuations; close them before the world. */
export function serveAdmins(
  world: Pick<Idcs, 'meshes'>,
  sources: ReadonlyMap<string, EvacuationsSource>,
): Promise<AdminServer[]> {
  return Promise.all(
    [...world.meshes].map(([idc, { plane }]) => {
      const evacuations = { plane, evacuations: sources.get(idc) as EvacuationsSource, clock: systemClock };
      return serveAdmin(plane, { address: '127.0.0.1', port: 0 }, adminToken, { evacuations });
    }),
  );
}

/** The same as `isthmus evacuate` finds them, until the test ends. */
export async function startPlanes(
  t: Undone,
  world: Pick<Idcs, 'meshes'>,
  sources: ReadonlyMap<string, EvacuationsSource>,
): Promise<readonly EvacuationPlane[]> {
  const admins = await serveAdmins(world, sources);
  const planes = await findPlanes(
    admins.map(({ port }) => {
      const client = createApiClient({ admin: { address: '127.0.0.1', port }, token: adminToken });
      return { name: `${port}`, client };
    }),
    systemClock,
  );
  t.teardown(async () => {
    await Promise.all(planes.map(({ client }) => client.close()));
    await Promise.all(admins.map((admin) => admin.close()));
  });
  return planes;
}
