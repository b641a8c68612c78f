/** Methods of the admin API. HEAD is answered as GET without body. */
type HttpMethod = 'GET' | 'PUT' | 'POST' | 'DELETE';

const registrations = '/v1/registrations';
const registration = `${registrations}/{namespace}/{name}` as const;
const evacuations = '/v1/evacuations';
const drain = '/v1/drains/{namespace}/{name}';
const evacuation = `${evacuations}/{name}` as const;

/**
 * Method and path of each operation of the admin API, by operationId; `{…}` is a path parameter, as in
 * OpenAPI. Plain data without schemas: all that a client needs at run time. `contract.ts` has input and
 * output.
 */
export const operations = {
  listPages: { method: 'GET', path: '/' },
  getLive: { method: 'GET', path: '/livez' },
  getReady: { method: 'GET', path: '/readyz' },
  getStatus: { method: 'GET', path: '/status' },
  getWho: { method: 'GET', path: '/v1/who/{host}' },
  getTop: { method: 'GET', path: '/v1/top' },
  explain: { method: 'GET', path: '/v1/explain/{host}' },
  listEvents: { method: 'GET', path: '/v1/events' },
  awaitEvents: { method: 'GET', path: '/v1/events/newest' },
  getServed: { method: 'GET', path: '/v1/served' },
  getNetwork: { method: 'GET', path: '/v1/network' },
  getSettings: { method: 'GET', path: '/v1/settings' },
  checkToken: { method: 'GET', path: '/v1/token' },
  getProblems: { method: 'GET', path: '/problems' },
  getConfig: { method: 'GET', path: '/v1/config/{node}' },
  getRegistry: { method: 'GET', path: '/v1/registry' },
  getMetrics: { method: 'GET', path: '/metrics' },
  confirmDeletes: { method: 'POST', path: '/confirm-deletes' },
  listEvacuations: { method: 'GET', path: evacuations },
  evacuate: { method: 'PUT', path: evacuation },
  renewEvacuation: { method: 'POST', path: `${evacuation}/renew` },
  endEvacuation: { method: 'DELETE', path: evacuation },
  replicateEvacuations: { method: 'GET', path: '/v1/replica/evacuations' },
  listDrains: { method: 'GET', path: '/v1/drains' },
  getDrain: { method: 'GET', path: drain },
  drainInstance: { method: 'PUT', path: drain },
  undrainInstance: { method: 'DELETE', path: drain },
  replicateDrains: { method: 'GET', path: '/v1/replica/drains' },
  listRegistrations: { method: 'GET', path: registrations },
  getRegistration: { method: 'GET', path: registration },
  register: { method: 'PUT', path: registration },
  renew: { method: 'POST', path: `${registration}/renew` },
  drain: { method: 'POST', path: `${registration}/drain` },
  resume: { method: 'POST', path: `${registration}/resume` },
  deregister: { method: 'DELETE', path: registration },
  replicate: { method: 'GET', path: '/v1/replica' },
} as const satisfies Readonly<Record<string, { readonly method: HttpMethod; readonly path: string }>>;

/** The `operationId` of an operation. */
export type OperationId = keyof typeof operations;

/** Parameter names of a path. */
type ParametersIn<Path extends string> = Path extends `${string}{${infer Name}}${infer Rest}`
  ? Name | ParametersIn<Rest>
  : never;

/** The path parameters of an operation, by name. */
export type PathParameters<Id extends OperationId> = Readonly<
  Record<ParametersIn<(typeof operations)[Id]['path']>, string>
>;

/**
 * What tells the JSON of a successful answer from that of a foreign server at the same address: fields that
 * it always has, in all versions, or that it is a list. Plain data: clients load no schemas. Absent: text.
 */
export const answerSigns: Readonly<Partial<Record<OperationId, readonly string[] | 'list'>>> = {
  getProblems: 'list',
  confirmDeletes: ['released'],
  getWho: ['host', 'groups'],
  getServed: ['groups'],
  getNetwork: ['idcs'],
  getSettings: ['options'],
  checkToken: ['registrations'],
  getTop: ['hosts'],
  explain: ['hops'],
  listEvents: ['events', 'last'],
  awaitEvents: ['last'],
  listEvacuations: ['items'],
  evacuate: ['own'],
  renewEvacuation: ['own'],
  endEvacuation: ['own'],
  replicateEvacuations: 'list',
  listDrains: ['items'],
  getDrain: ['namespace', 'idc'],
  drainInstance: ['namespace', 'idc'],
  undrainInstance: ['namespace', 'idc'],
  replicateDrains: 'list',
  listRegistrations: ['items'],
  getRegistration: ['generation'],
  register: ['generation'],
  renew: ['generation'],
  drain: ['generation'],
  resume: ['generation'],
  deregister: ['namespace', 'state'],
  replicate: ['epoch', 'items'],
};

/** Whether a body, parsed from JSON, may be an answer to an operation. */
export function mayAnswer(id: OperationId, body: unknown): boolean {
  const signs = answerSigns[id];
  if (signs === undefined) return true;
  if (signs === 'list') return Array.isArray(body);
  return typeof body === 'object' && body !== null && signs.every((name) => Object.hasOwn(body, name));
}
