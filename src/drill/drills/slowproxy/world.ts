import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MeshError } from '../../../base/error.ts';
import { entryPoint } from '../../process/process.ts';
import type { FleetPlan } from '../../upstream/fleet.ts';
import { askAdmin } from '../../world/envoy.ts';
import type { Part, PartsContext } from '../../world/parts.ts';
import { type IdcPlan, idcOf } from '../../world/topology.ts';

/** The token of the drill's control planes, which listen on loopback, for as long as it lasts. */
const token = 'slow proxy drill, loopback only';

/**
 * The world with registrations, and with light ADS clients that stand for `clients` more sidecars of `idc`.
 */
export function withFleet(
  parts: readonly Part[],
  { topology, paths }: PartsContext,
  idc: string,
  clients: number,
): readonly Part[] {
  const tokenFile = join(paths.dir, 'token');
  writeFileSync(tokenFile, token, { mode: 0o600 });
  const { xds } = idcOf(topology, idc);
  const plan: FleetPlan = {
    ...{ address: `${xds.address}:${xds.port}`, name: 'light', delta: clients, sotw: 0, endpointsMin: 1 },
    metadata: {
      isthmus: {
        role: 'sidecar',
        idc,
        namespace: topology.namespace,
        outbound: { address: '127.0.0.1', port: 1 },
      },
    },
  };
  const name = `${idc}/fleet`;
  const fleet: Part = {
    ...{ kind: 'other', idc },
    spec: {
      ...{ name, command: process.execPath, logFile: paths.log(name) },
      args: [entryPoint('upstream/fleet-main'), JSON.stringify(plan)],
    },
  };
  const controls = parts.map((part) => {
    if (part.kind !== 'control') return part;
    const more = ['--registrations', join(paths.dir, `${part.idc}.db`), '--admin-token-file', tokenFile];
    return { ...part, spec: { ...part.spec, args: [...part.spec.args, ...more] } };
  });
  return [...controls, fleet];
}

/**
 * Sum and count of event → ACK of endpoints from files so far, and the resident memory, by the control
 * plane's metrics.
 */
export async function readMetrics({ controlAdmin }: IdcPlan) {
  const text = await askAdmin(controlAdmin, '/metrics', 20_000);
  const value = (start: string) => {
    const line = text.split('\n').find((one) => one.startsWith(start));
    return line === undefined ? 0 : Number(line.slice(line.lastIndexOf(' ') + 1));
  };
  const series = '{type="EDS",source="files"';
  return {
    sumMs: 1000 * value(`isthmus_event_to_ack_seconds_sum${series}`),
    count: value(`isthmus_event_to_ack_seconds_count${series}`),
    memory: value('process_resident_memory_bytes'),
  };
}

/** What the registration API answered. */
interface TimedApiAnswer {
  readonly acked?: boolean;
  readonly forgiven?: readonly string[];
}

/** One request to the registration API of an IDC. Throws MeshError 'unavailable' when it is refused. */
export async function callRegistrations(
  { controlAdmin: { address, port } }: IdcPlan,
  method: 'PUT' | 'DELETE',
  path: string,
  body?: object,
): Promise<TimedApiAnswer> {
  const response = await fetch(`http://${address}:${port}/v1/registrations${path}`, {
    method,
    headers: { authorization: `Bearer ${token}` },
    ...(body && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new MeshError('unavailable', `${method} ${path}: ${response.status} ${text}`);
  return JSON.parse(text);
}
