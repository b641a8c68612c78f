import { MeshError } from '../../base/error.ts';
import { callHttp, type HttpAnswer } from '../../client/answers/http-call.ts';
import { noAnswerOf } from '../../client/answers/no-answer.ts';
import { askEvents } from '../../client/events-client.ts';
import { operations } from '../../contract/operations.ts';
import type { ListenAddress } from '../../model/values/listen-address.ts';

/** What a control plane says: lines of text, or a value, of which a list is shown an item a line. */
type PartAnswer = { readonly text: string } | { readonly value: unknown };

/** A part of the report about one control plane. */
interface PlanePart {
  readonly name: string;
  /** Throws MeshError where the control plane does not say. */
  ask(where: ListenAddress): Promise<PartAnswer>;
}

/** Longest silence of a control plane, in milliseconds. */
const silenceMsMax = 10_000;

/** How far back events are asked for, and how many of the newest are kept. */
const eventsAsked = { sinceMs: 86_400_000, most: 1_000 } as const;

/** What is asked of each control plane, in the order of the report. */
export const planeParts: readonly PlanePart[] = [
  {
    name: 'readiness',
    ask: async (where) => ({ text: (await readPage(where, operations.getReady.path)).text }),
  },
  jsonPart('configuration in force, and the origin of each value', operations.getSettings.path, optionsIn),
  jsonPart('status, but for its proxies', operations.getStatus.path, withoutProxies),
  jsonPart('problems', operations.getProblems.path),
  jsonPart('hosts that are not served here', operations.getServed.path),
  jsonPart('addresses, and gateways of other IDCs', operations.getNetwork.path),
  jsonPart('evacuations', operations.listEvacuations.path),
  jsonPart('drained instances', operations.listDrains.path),
  {
    name: `events of 24 h, the newest ${eventsAsked.most}`,
    async ask(where) {
      const { events } = await askEvents(where, { sinceMs: eventsAsked.sinceMs });
      return { value: events.slice(-eventsAsked.most) };
    },
  },
  {
    name: 'metrics',
    ask: async (where) => ({ text: (await readOkPage(where, operations.getMetrics.path)).text }),
  },
];

function jsonPart(name: string, path: string, shown: (value: unknown) => unknown = (all) => all): PlanePart {
  return {
    name,
    ask: async (where) => ({ value: shown(JSON.parse((await readOkPage(where, path)).text)) }),
  };
}

async function readOkPage(where: ListenAddress, path: string): Promise<HttpAnswer> {
  const answer = await readPage(where, path);
  if (answer.status === 404) throw new MeshError('not-found', 'this version does not say');
  if (answer.status !== 200) throw new MeshError('unavailable', `${path} answers ${answer.status}`);
  return answer;
}

async function readPage(at: ListenAddress, path: string): Promise<HttpAnswer> {
  try {
    return await callHttp({ at, path, silenceMsMax, heldMs: 0 });
  } catch (cause) {
    throw noAnswerOf(at, cause);
  }
}

function optionsIn(settings: unknown): unknown {
  return (settings as { readonly options?: readonly unknown[] }).options ?? [];
}

/** A status without its proxies, which have a part of their own. */
function withoutProxies(status: unknown): unknown {
  const { proxies = [], ...rest } = status as { readonly proxies?: readonly unknown[] };
  return { ...rest, proxies: `${proxies.length}: see the summary` };
}
