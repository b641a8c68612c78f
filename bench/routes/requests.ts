import { createServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { NodeScope } from '../../src/model/node.ts';
import { trailHeader } from '../../src/model/trail.ts';
import type { ListenAddress } from '../../src/model/values/listen-address.ts';
import { rawExchange } from '../../test/support/clients/raw-http.ts';
import { startBeforeScopes } from '../../test/support/envoys/before-scopes.ts';
import { freeAddress, type Mesh, startMesh, until } from '../../test/support/mesh.ts';
import { summarize } from '../support/median.ts';
import { answeringServer, Callers, cpuUs, requestText } from '../wasm/load.ts';
import { hostOf, meshFile } from './groups.ts';

/** What a request costs a proxy with a table for each host, against one with a table for all. */
export interface RequestRow {
  readonly listener: string;
  readonly host: string;
  /** Processor time of the proxy for a request, in microseconds: with one table, and with many. */
  readonly beforeUs: number;
  readonly nowUs: number;
  /** Median of the rounds' ratios, and where the true median is, with 95 % confidence. */
  readonly ratio: number;
  readonly low: number;
  readonly high: number;
  /** Processor time of each of both in all rounds, in seconds. */
  readonly cpuS: number;
}

/** How much is measured. */
export interface RequestLoad {
  readonly groups: number;
  readonly rounds: number;
  /** In a round, of each form. */
  readonly requests: number;
}

/** A listener of a proxy in one form. */
interface Place {
  readonly pid: number;
  readonly at: ListenAddress;
}

/** A listener in both forms, and a request for it. */
interface Lane {
  readonly listener: string;
  readonly host: string;
  readonly text: string;
  readonly sides: readonly [before: Side, now: Side];
}

interface Side {
  readonly pid: number;
  readonly callers: Callers;
  readonly spentUs: number[];
}

const connections = 8;

const fromAfar = { [trailHeader]: 'sh-b' };

/** Requests by listener: what is measured, the host, and more headers. */
const asked: readonly [listener: Listener, what: string, host: string, headers?: Record<string, string>][] = [
  ['outbound', 'its own table', hostOf(7)],
  ['outbound', 'a pattern', 'shop.pattern.bench'],
  ['outbound', 'capitals', 'Group-7.bench'],
  ['edge', 'its own table', hostOf(7)],
  ['edge', 'a pattern', 'shop.pattern.bench'],
  ['edge', 'capitals', 'Group-7.bench'],
  ['peer', 'its own table', hostOf(7), fromAfar],
  ['sidecar', 'its own table', 'far.bench'],
];

type Listener = 'outbound' | 'edge' | 'peer' | 'sidecar';

/**
 * A sidecar, an ingress and an egress in both forms, beside each other. In each round every request is sent
 * some hundred times to one form and to the other, in changing order.
 */
export async function measureRequests(load: RequestLoad): Promise<readonly RequestRow[]> {
  const upstream = await answeringServer();
  const peer = await answeringPeer();
  const gateways = await addressesOf();
  const files = {
    'all.yaml': meshFile(load.groups, upstream.port, [idcOf('sh-a', gateways.peer), idcOf('sh-b', peer.at)]),
  };
  const mesh = await startMesh('sh-a', files);
  const before = await startBeforeScopes(mesh.plane.xds);
  const lanes: Lane[] = [];
  try {
    await until('the control plane is ready', () => mesh.plane.status().ready);
    const forms = [
      await startForm(mesh, 'before', [before.xds], await addressesOf()),
      await startForm(mesh, 'now', [mesh.plane.xds], gateways),
    ] as const;
    for (const [listener, what, host, headers = {}] of asked) {
      const side = async (form: Form): Promise<Side> => {
        const { pid, at } = form[listener];
        const isServed = async () => (await rawExchange(at, closing(host, headers))).status === 200;
        await until(`${host} at ${listener}`, isServed);
        return { pid, callers: await Callers.open(at.port, connections), spentUs: [] };
      };
      const text = requestText({ host, ...headers });
      const sides = [await side(forms[0]), await side(forms[1])] as const;
      lanes.push({ listener, host: what, text, sides });
    }
    await rounds(lanes, load);
    return lanes.map((lane) => rowOf(lane, load.requests));
  } finally {
    for (const { sides } of lanes) for (const { callers } of sides) callers.close();
    await before.close();
    await mesh.close();
    upstream.server.close();
    peer.close();
  }
}

async function rounds(lanes: readonly Lane[], { rounds, requests }: RequestLoad): Promise<void> {
  const send = async ({ pid, callers, spentUs }: Side, text: string) => {
    const from = cpuUs(pid);
    await callers.send(text, requests);
    spentUs.push(cpuUs(pid) - from);
  };
  for (const { text, sides } of lanes) for (const { callers } of sides) await callers.send(text, 1_000);
  for (let round = 0; round < rounds; round += 1) {
    for (const { text, sides } of lanes) {
      const turn = round % 2 === 0 ? sides : [...sides].reverse();
      for (const side of turn) await send(side, text);
    }
    if ((round + 1) % 20 === 0) process.stderr.write(`round ${round + 1} of ${rounds}\n`);
  }
}

function rowOf({ listener, host, sides: [before, now] }: Lane, requests: number): RequestRow {
  const ratios = now.spentUs.map((us, i) => us / (before.spentUs[i] ?? Number.NaN));
  const { median: ratio, low, high } = summarize(ratios);
  const each = ({ spentUs }: Side) => summarize(spentUs).median / requests;
  const cpuS = Math.min(...[before, now].map(({ spentUs }) => spentUs.reduce((a, b) => a + b, 0) / 1e6));
  return { listener, host, beforeUs: each(before), nowUs: each(now), ratio, low, high, cpuS };
}

type Form = Readonly<Record<Listener, Place>>;

/** The proxies of one form. */
async function startForm(
  mesh: Mesh,
  form: string,
  xds: readonly ListenAddress[],
  at: Readonly<Record<Listener | 'ingress', ListenAddress>>,
): Promise<Form> {
  const start = async (scope: NodeScope) =>
    (await mesh.envoy(`${scope.role}-${form}`, scope, { xds, readyTimeoutMs: 300_000 })).pid;
  const inIdc = { idc: 'sh-a' } as const;
  const caller = await start({ ...inIdc, role: 'sidecar', namespace: 'shop', outbound: at.outbound });
  const egress = await start({ ...inIdc, role: 'egress', sidecar: at.sidecar, ingress: at.ingress });
  const ingress = await start({ ...inIdc, role: 'ingress', edge: at.edge, peer: at.peer });
  return {
    outbound: { pid: caller, at: at.outbound },
    edge: { pid: ingress, at: at.edge },
    peer: { pid: ingress, at: at.peer },
    sidecar: { pid: egress, at: at.sidecar },
  };
}

async function addressesOf() {
  const [outbound, edge, peer, sidecar, ingress] = [
    await freeAddress(),
    await freeAddress(),
    await freeAddress(),
    await freeAddress(),
    await freeAddress(),
  ];
  return { outbound, edge, peer, sidecar, ingress };
}

/** An Idc whose ingress is at an address; nothing is sent to its egress. */
function idcOf(name: string, { address, port }: ListenAddress): object {
  return {
    apiVersion: 'isthmus.dev/v1alpha1',
    kind: 'Idc',
    metadata: { name },
    spec: {
      ingress: [{ address, edgePort: 1, peerPort: port }],
      egress: [{ address, sidecarPort: 2, ingressPort: 3 }],
    },
  };
}

/** Stands for the ingress of another IDC: gateways speak HTTP/2 to each other. */
async function answeringPeer(): Promise<{ readonly at: ListenAddress; close(): void }> {
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-length': '2' });
    response.end('ok');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { at: { address: '127.0.0.1', port }, close: () => server.close() };
}

function closing(host: string, headers: Readonly<Record<string, string>>): string {
  const lines = Object.entries({ host, connection: 'close', ...headers }).map(([k, v]) => `${k}: ${v}\r\n`);
  return `GET / HTTP/1.1\r\n${lines.join('')}\r\n`;
}
