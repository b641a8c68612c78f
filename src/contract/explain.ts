import { z } from 'zod';
import { component, described } from './components.ts';
import type { Json } from './json.ts';
import type { Operation } from './operation.ts';

const idc = z.string();
const role = z.enum(['sidecar', 'ingress', 'egress', 'grpc']);

const object = component(
  'DecidingObject',
  z.strictObject({
    kind: z.enum(['ServiceEntry', 'DestinationRule', 'DrGroup', 'Idc', 'Evacuation']),
    namespace: described("'' for kinds without one.", z.string()),
    name: z.string(),
    origin: described('Where it was read, such as config/shop.yaml:12.', z.string()),
    does: described('What it decides here.', z.string()),
  }),
);

const wayHost = component(
  'WayHost',
  z.strictObject({
    address: described('IP:PORT, unix://PATH, or a name that the proxy looks up.', z.string()),
    name: described(
      'NAMESPACE/NAME of the WorkloadEntry of an instance; of a gateway IDC/KIND-NUMBER, by its place in the Idc.',
      z.string(),
    ).optional(),
    node: described('Node id of a gateway that is connected here.', z.string()).optional(),
    health: described(
      'As the proxies that were read have it, or assumed, as why says; down: assumed; unknown: no proxy tells, as good as healthy.',
      z.enum(['healthy', 'degraded', 'unhealthy', 'mixed', 'down', 'unknown']),
    ),
    isUsable: described('Whether requests may be sent to it.', z.boolean()),
    why: described("Why it is not healthy; '' if it is, or nothing is known.", z.string()),
  }),
);

const choice = component(
  'WayChoice',
  z.strictObject({
    priority: described('0 first.', z.int()),
    to: z.enum(['instances', 'egress', 'idc']),
    idc,
    percent: described(
      'Of the requests that arrive here; of those that leave, at an egress gateway.',
      z.number(),
    ),
    isChosen: described('Whether the way goes on there: the largest part of the requests.', z.boolean()),
    why: described('Why it gets these requests, or none.', z.string()),
    hosts: z.array(wayHost),
  }),
);

const hop = component(
  'Hop',
  z.strictObject({
    idc,
    at: described('Who decides: a node, or the gateways of an IDC.', z.string()),
    listener: described(
      'Where the request arrives: outbound of a sidecar; edge (clients) or peer (other IDCs) of an ingress; sidecar or ingress of an egress.',
      z.enum(['outbound', 'edge', 'peer', 'sidecar', 'ingress']),
    ),
    trail: described('After this hop: the IDCs that the request has been in.', z.array(z.string())),
    decision: described('What happens here, in a sentence.', z.string()),
    by: z.array(object),
    choices: described('By priority.', z.array(choice)),
    retries: described("What is tried again from here; '': nothing to say.", z.string()),
    health: described(
      'Whose: of proxies that were read just now; or nobody tells, and what is registered counts as healthy.',
      z.enum(['proxies', 'registry']),
    ),
    readAt: described('Node ids of the proxies that were read.', z.array(z.string())),
  }),
);

const explanation = component(
  'Explanation',
  z.strictObject({
    host: described('As declared: of a host that a pattern covers, the pattern.', z.string()),
    port: z.int(),
    protocol: z.enum(['http1', 'http2', 'tcp']),
    idc: described('The IDC that this control plane decides for.', z.string()),
    at: described('When proxies were read, RFC 3339.', z.string()),
    from: z.strictObject({
      node: z.string(),
      role,
      name: described(
        'What texts call it: IDC/NODE, a gateway by its place in the Idc, with its node id.',
        z.string(),
      ),
    }),
    request: z.strictObject({
      method: z.string(),
      path: z.string(),
      trail: described('That it arrives with.', z.array(z.string())),
    }),
    served: described(
      'By instances of the IDC where it begins; by another IDC; by nobody.',
      z.enum(['here', 'away', 'nobody']),
    ),
    by: described('The IDC that serves it.', idc).optional(),
    status: described('What the caller gets from a proxy where nobody serves it.', z.int()).optional(),
    summary: described('The whole in one sentence.', z.string()),
    hops: z.array(hop),
    whyNot: z.strictObject({ idc, isChosen: z.boolean(), reasons: z.array(z.string()) }).optional(),
    assumed: described(
      'What `if` has marked.',
      z.array(
        z.strictObject({
          name: z.string(),
          state: z.enum(['down', 'up', 'evacuated']),
          what: z.string(),
          as: described('Names by which control planes of other IDCs know it.', z.array(z.string())),
        }),
      ),
    ),
    notes: described('What else is to be known.', z.array(z.string())),
    others: described(
      "Other IDCs, with their control planes' admin addresses as their Idcs declare them.",
      z.array(z.strictObject({ idc: z.string(), controlPlanes: z.array(z.string()) })),
    ),
    refused: described(
      'What proxies on the way refuse of what the request uses there; names: empty while that is being found out; without: those of which the proxy has no earlier version; why: its reason.',
      z.array(
        z.strictObject({
          ...{ node: z.string(), role, type: z.string(), why: z.string() },
          ...{ names: z.array(z.string()), without: z.array(z.string()) },
        }),
      ),
    ),
    silent: described(
      'Proxies on the way that could not be read.',
      z.array(z.strictObject({ node: z.string(), role, why: z.string() })),
    ),
  }),
);

/** The way of a request, as one control plane plans it. */
export type Explanation = Json<z.output<typeof explanation>>;

/** One decision on the way. */
export type Hop = Explanation['hops'][number];

/** One priority of a hop. */
export type WayChoice = Hop['choices'][number];

/** An instance or gateway of it. */
export type WayHost = WayChoice['hosts'][number];

/** An object that decides. */
export type DecidingObject = Hop['by'][number];

const list = z.string().transform((text) =>
  text
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== ''),
);

/** Input and output of the question which way a request goes. */
export const explainContract = {
  explain: {
    tag: 'status',
    summary: 'Which way a request goes, and why',
    description:
      'Plans the host again, reads the clusters of the proxies on the way, and follows a request hop by hop: the objects, priorities and health that decide, and what the trail forbids.',
    help: 'which way a request goes now, hop by hop, and why (JSON)',
    path: { host: 'HOST, or HOST:PORT.' },
    query: z.strictObject({
      from: z.string({ error: 'give the proxy where the request begins, such as sh-a/caller' }).meta({
        description: 'IDC/NODE: a sidecar, gRPC client or ingress gateway of the IDC. Needed.',
      }),
      trail: list.optional().meta({
        description:
          'IDCs that the request has been in, oldest first, by comma: it comes from another IDC, to an ingress gateway.',
      }),
      path: z.string().prefault('/').meta({ description: 'Its path.' }),
      method: z
        .string()
        .prefault('GET')
        .meta({ description: 'Its method, which decides what is tried again.' }),
      whyNot: z.string().optional().meta({ description: 'An IDC: why it does not serve the request.' }),
      if: list.optional().meta({
        description:
          'NAME=down or NAME=up, several by comma: IDC, IDC/ingress-1, IDC/egress-1, HOST@IDC, NAMESPACE/WORKLOADENTRY, or an address; or IDC=evacuated.',
      }),
      ifKnown: list.optional().meta({
        description: 'The same; what has a name that is not known here is left out.',
      }),
      told: list.optional().meta({
        description:
          'What other IDCs make of the request, as their control planes have explained it, several by comma: IDC=STATUS where nobody serves it, IDC=STATUS-handed-on where it was also handed on, IDC=TRAIL where the last IDC of the trail serves it, as sh-b=sh-a>sh-b.',
      }),
    }),
    answers: { 200: { description: 'Its way.', schema: explanation } },
    refusals: [400, 404, 429],
  },
} as const satisfies Readonly<Record<string, Operation>>;
