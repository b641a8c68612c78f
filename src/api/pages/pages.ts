import { MeshError } from '../../base/error.ts';
import { didYouMean } from '../../base/text/suggest.ts';
import { contract } from '../../contract/contract.ts';
import type { explainContract } from '../../contract/explain.ts';
import type { topContract } from '../../contract/load/top.ts';
import type { networkContract } from '../../contract/network.ts';
import { type OperationId, operations } from '../../contract/operations.ts';
import type { statusContract } from '../../contract/status.ts';
import type { whoContract } from '../../contract/who.ts';
import { showAddress } from '../../model/values/listen-address.ts';
import type { ControlPlane } from '../../plane/types.ts';
import { describePeer } from '../../registry/registrations/describe-peers.ts';
import type { ApiAnswer, Handlers } from '../handlers.ts';
import { writeConfigLines, writeRegistryLines } from '../lines/line-pages.ts';

type Ids = Exclude<
  keyof (typeof statusContract &
    typeof whoContract &
    typeof topContract &
    typeof networkContract &
    typeof explainContract),
  'checkToken' | 'getSettings'
> &
  OperationId;

/** Handlers of the pages about a control plane. */
export function pageHandlers(plane: ControlPlane): Handlers<Ids> {
  return {
    listPages: () => ({ status: 200, body: pageList }),
    getLive: () => ({ status: 200, body: 'live\n' }),
    getReady: () => readinessPage(plane),
    getStatus: ({ query: { node } }) => ({
      status: 200,
      body: node === undefined ? plane.status() : nodeStreams(plane, node),
    }),
    getWho: async ({ path, query }) => ({ status: 200, body: await plane.who(path.host, query.for) }),
    getTop: async ({ query }) => ({ status: 200, body: await plane.top(query.for) }),
    explain: async ({ path, query }) => ({ status: 200, body: await plane.explain(path.host, query) }),
    getServed: async () => ({ status: 200, body: await plane.served() }),
    getNetwork: async () => ({
      status: 200,
      body: { ...(await plane.network()), xds: showAddress(plane.xds) },
    }),
    getProblems: () => ({ status: 200, body: plane.problems() }),
    getConfig: async ({ path, query }) => ({
      status: 200,
      body: await writeConfigLines(plane.config(path.node, query) ?? unknownNode(plane, path.node)),
    }),
    getRegistry: async () => ({ status: 200, body: await writeRegistryLines(plane) }),
    async getMetrics() {
      const { contentType } = plane.metrics.registry;
      return { status: 200, type: contentType, body: await plane.metrics.registry.metrics() };
    },
    confirmDeletes: () => ({ status: 200, body: { released: plane.confirmDeletes() } }),
  };
}

/** The page `/`: an operation per line. */
const pageList = (Object.keys(operations) as OperationId[])
  .filter((id) => id !== 'listPages')
  .map((id) => `${operations[id].method}\t${operations[id].path}\t${contract[id].help}\n`)
  .join('');

function readinessPage(plane: ControlPlane): ApiAnswer<'getReady'> {
  const { ready, waitingFor, reasons, sources, peers } = plane.readiness();
  const waits = waitingFor.length > 0 ? `, waiting for: ${waitingFor.join(', ')}` : '';
  const first = ready ? 'ready' : `not ready${waits}`;
  const notes = [...reasons];
  for (const { name, reason } of sources) if (reason) notes.push(`source ${name}: ${reason}`);
  for (const peer of peers) {
    const words = describePeer(peer);
    if (words !== undefined) notes.push(`control plane ${peer.name}: ${words}`);
  }
  return { status: ready ? 200 : 503, body: `${[first, ...notes].join('\n')}\n` };
}

/** More nodes are not compared with one that there is not. */
const comparedMax = 2_000;

/** A node in full. Throws MeshError `not-found` with known details if it is not connected. */
function nodeStreams(plane: ControlPlane, id: string) {
  const streams = plane.node(id);
  return streams.length > 0 ? streams : unknownNode(plane, id);
}

/** Throws MeshError `not-found`: since when the node is gone, or the nearest of those that there are. */
function unknownNode(plane: ControlPlane, id: string): never {
  const { gone, proxies } = plane.status();
  const was = gone.find((node) => node.id === id);
  if (was !== undefined) {
    const seconds = Math.round(was.goneForMs / 1000);
    throw new MeshError(
      'not-found',
      `${id} is not connected: its configuration is unknown since ${seconds} s`,
    );
  }
  const names = proxies.slice(0, 10).map((proxy) => proxy.id);
  const known =
    names.length === 0
      ? 'no proxy is connected'
      : `connected are ${names.join(', ')}${proxies.length > 10 ? ', …' : ''}`;
  const near = didYouMean(
    id,
    [...proxies, ...gone].slice(0, comparedMax).map((proxy) => proxy.id),
  );
  const message = `no node '${id}' is connected, nor was in the last hour; ${known}${near === '' ? '' : `.${near}`}`;
  throw new MeshError('not-found', message);
}
