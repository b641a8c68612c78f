import { z } from 'zod';
import type { CallShape } from '../../call/call.ts';
import { callerLoad, edgeLoad, type LoadShape, type Rates } from '../../load/loads.ts';
import { hostOf, idcOf, isTcpGroup, type Topology, tcpEntranceOf } from '../../world/topology.ts';
import { durationField, groupNameField, idcNameField, msOf } from './fields.ts';

const text = (description: string) =>
  z.string().min(1, 'is empty.').max(500, 'is too long.').meta({ description });

const range = z
  .tuple([z.number().min(0), z.number().min(0)])
  .refine(([least, most]) => least <= most, 'must be [least, most].');

const call = z
  .strictObject({
    name: text('Its name in reports.'),
    weight: z.number().positive('must be more than 0.'),
    kind: z
      .enum(['http', 'http2', 'websocket', 'grpc', 'grpc-stream', 'grpc-chat', 'tcp', 'tcp-session'])
      .optional()
      .meta({ default: 'http' }),
    method: z
      .string()
      .regex(/^[A-Z]{1,20}$/, 'must be a method such as POST.')
      .optional()
      .meta({ default: 'GET' }),
    workMs: range.optional().meta({ description: 'How long the instance works on it, in milliseconds.' }),
    bodyBytes: range.optional(),
    answerBytes: range.optional(),
    paced: z.enum(['body', 'answer']).optional(),
    lastsMs: range.optional(),
    everyMs: z.number().positive('must be more than 0.').optional(),
    events: z.boolean().optional(),
    chunked: z.boolean().optional(),
    closes: z.enum(['client', 'server']).optional(),
  })
  .meta({ description: 'A kind of request; ranges are drawn log-uniformly.' });

export const load = z
  .strictObject({
    caller: idcNameField
      .optional()
      .meta({ description: 'Sends through the caller’s sidecar of this IDC. Use this or `edge`.' }),
    edge: z.array(idcNameField).min(1).optional().meta({
      description:
        'Sends to the ingress gateways of the first of these IDCs that accepts connections. Use this or `caller`.',
    }),
    spread: z
      .boolean()
      .optional()
      .meta({ description: 'With `edge`: sends to all of these IDCs in turn.', default: false }),
    to: z.array(groupNameField).min(1).meta({ description: 'Groups, in turn.' }),
    rate: z.string().meta({ description: 'A name of `rates`.' }),
    share: z
      .number()
      .positive('must be more than 0.')
      .max(1)
      .optional()
      .meta({ description: 'Share of that rate.', default: 1 }),
    stream: z
      .string()
      .regex(/^[a-z0-9][a-z0-9-]{0,60}$/, "must be a name such as 'caller-sh-a'.")
      .optional()
      .meta({ description: 'Its name; default `caller-IDC` or `edge`.' }),
    mix: z.array(call).min(1).optional().meta({ description: 'Kinds of requests; default small GETs.' }),
    timeout: durationField.optional().meta({
      description: 'Time limit of a request, in addition to the time that it asks the instance to take.',
      default: '20s',
    }),
  })
  .meta({ description: 'An open-loop load from before the first phase to the end of the last.' });

export type LoadEntry = z.infer<typeof load>;

/** The name of a load. */
export function streamOf({ caller, stream }: LoadEntry): string {
  return stream ?? (caller === undefined ? 'edge' : `caller-${caller}`);
}

/** The loads of a scenario in a world, at these rates. */
export function shapesOf(topology: Topology, entries: readonly LoadEntry[], rates: Rates): LoadShape[] {
  return entries.map((entry) => loadShapeOf(topology, entry, rates));
}

/** One load of a scenario. Throws RangeError for a Group that the world has not. */
export function loadShapeOf(topology: Topology, entry: LoadEntry, rates: Rates): LoadShape {
  const { caller, edge = [], spread, to, rate, share = 1, stream, mix, timeout } = entry;
  const groups = to.map((name) => groupNamed(topology, name));
  const hosts = groups.map((group) => hostOf(topology, group));
  const perSecond = Math.ceil((rates[rate] ?? 0) * share);
  const more = {
    ...(stream !== undefined && { stream }),
    ...(mix && { mix: mix.map((call): CallShape => ({ kind: 'http', ...call }) as CallShape) }),
    ...(timeout !== undefined && { timeoutMs: msOf(timeout) }),
  };
  if (caller === undefined) {
    const idcs = edge.map((name) => idcOf(topology, name));
    const shape = edgeLoad(idcs, hosts, perSecond);
    return { ...shape, ...(spread && { tiers: [shape.tiers.flat()] }), ...more };
  }
  const idc = idcOf(topology, caller);
  const [tcp] = groups.filter(isTcpGroup);
  const shape = callerLoad(idc, hosts, perSecond);
  return { ...shape, ...(tcp && { tiers: [[tcpEntranceOf(topology, idc, tcp)]] }), ...more };
}

function groupNamed({ groups }: Topology, name: string) {
  const found = groups.find((group) => group.name === name);
  if (!found) throw new RangeError(`there is no Group ${name}`);
  return found;
}
