import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serveAdmin } from '../../../src/api/admin-server.ts';
import { systemClock } from '../../../src/base/clock.ts';
import { createDrainsSource } from '../../../src/registry/drains/drains-source.ts';
import { createEvacuationsSource } from '../../../src/registry/evacuations/evacuations-source.ts';
import { createRegistrationsSource } from '../../../src/registry/registrations/registrations-source.ts';
import { type Mesh, startMesh } from '../mesh.ts';
import { groupYaml, idcYaml } from '../objects-yaml.ts';
import { contractFaults } from './contract.ts';

/** What the API answered. */
export interface ApiAnswer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into it as they please
  readonly body: any;
}

/** A mesh in which instances register themselves, and IDCs are evacuated. */
export interface RegisteringMesh extends Mesh {
  readonly adminPort: number;
  /** A request to the API, with the token. */
  api(method: string, path: string, body?: unknown): Promise<ApiAnswer>;
}

export const token = 'a token of tests';

/** Starts it, with the Group `echo.shop`. */
export async function startRegisteringMesh(
  files: Readonly<Record<string, string>> = {},
): Promise<RegisteringMesh> {
  const dir = mkdtempSync(join(tmpdir(), 'isthmus-registrations-'));
  const clock = systemClock;
  const replication = { idc: 'sh-a', links: [] };
  const registrations = createRegistrationsSource({
    ...{ file: join(dir, 'registrations.db'), clock, replication },
  });
  const all = { 'idc.yaml': idcYaml, 'echo.yaml': groupYaml('echo'), ...files };
  const evacuations = createEvacuationsSource({ file: join(dir, 'evacuations.json'), clock });
  const drains = createDrainsSource({ file: join(dir, 'drains.json'), clock });
  const mesh = await startMesh('sh-a', all, { sources: [registrations, evacuations, drains] });
  const admin = await serveAdmin(mesh.plane, { address: '127.0.0.1', port: 0 }, token, {
    registrations: { idc: 'sh-a', plane: mesh.plane, registrations, clock },
    evacuations: { plane: mesh.plane, evacuations, clock },
    drains: { plane: mesh.plane, drains, clock },
  });
  return {
    ...mesh,
    adminPort: admin.port,
    api: (method, path, body) => callApi(admin.port, method, path, body),
    async close() {
      await admin.close();
      await mesh.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** The whole path of what is asked for below `/v1/registrations`, or beside it by `/../`. */
export function apiPath(path: string): string {
  return `/v1/registrations${path}`.replace('/registrations/../', '/');
}

/** One request to the API; rejects where the answer is not as the contract has it. */
export function callApi(port: number, method: string, path: string, body?: unknown): Promise<ApiAnswer> {
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        host: '127.0.0.1',
        port,
        method,
        path: apiPath(path),
        headers: { authorization: `Bearer ${token}` },
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk) => {
          text += chunk;
        });
        response.on('end', () => {
          const { statusCode: status = 0, headers } = response;
          const answer = { status, type: headers['content-type'] ?? '', text };
          const faults = contractFaults(method, apiPath(path), answer);
          if (faults.length > 0) reject(new Error(`${method} ${path}: ${status}: ${faults.join('; ')}`));
          else resolve({ status, body: /json/.test(answer.type) ? JSON.parse(text) : text });
        });
        response.on('error', reject);
      },
    );
    sent.on('error', reject);
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}
