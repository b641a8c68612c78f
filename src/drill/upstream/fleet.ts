import { Client, type ClientDuplexStream, credentials } from '@grpc/grpc-js';
import type { Clock } from '../../base/clock.ts';
import { decodeJson, encodeJson } from '../../xds/codec/codec.ts';
import { clusterType, endpointType } from '../../xds/resource-types.ts';

/** Many light ADS clients: they subscribe as proxies do, check each state, and ACK. */
export interface FleetPlan {
  /** `host:port` of the control plane. */
  readonly address: string;
  /** Node ids are `NAME-1`, `NAME-2`, … */
  readonly name: string;
  /** Numbers of clients that speak Delta and State of the World. */
  readonly delta: number;
  readonly sotw: number;
  /** `node.metadata` of all of them. */
  readonly metadata: object;
  /** The total of endpoints. Once a client has had this many, fewer are a violation. */
  readonly endpointsMin: number;
}

/** What the fleet has seen so far. */
export interface FleetReport {
  /** Streams that are open and have all clusters' endpoints. */
  readonly complete: number;
  /** Responses since their streams began, of all Delta and all State of the World clients. */
  readonly deltaResponses: number;
  readonly sotwResponses: number;
  /** Responses in all, over all streams. */
  readonly responses: number;
  /** Streams that were opened. */
  readonly streams: number;
  /** States with too few endpoints: how many, and descriptions of the first. */
  readonly violations: number;
  readonly firstViolations: readonly string[];
  /** Clients that have an endpoint, by its address. */
  readonly addresses: Readonly<Record<string, number>>;
}

interface Resource {
  readonly name: string;
  readonly version: string;
  /** Whether the endpoints of a cluster come by EDS. */
  readonly isEds: boolean;
  readonly endpoints: readonly string[];
}

interface Response {
  readonly type_url: string;
  readonly version_info?: string;
  readonly nonce: string;
  readonly removed_resources?: readonly string[];
  readonly resources?: readonly (Json & { readonly resource?: Json; readonly version?: string })[];
}

interface Json {
  readonly name?: string;
  readonly cluster_name?: string;
  readonly type?: string;
  readonly endpoints?: readonly { readonly lb_endpoints?: readonly LbEndpoint[] }[];
}

interface LbEndpoint {
  readonly endpoint?: {
    readonly address?: { readonly socket_address?: { address?: string; port_value?: number } };
  };
}

const service = '/envoy.service.discovery.v3.AggregatedDiscoveryService';
const reconnectMsMax = 500;

/** A fleet that runs until its process ends. */
export function startFleet(plan: FleetPlan, clock: Clock): { report(): FleetReport } {
  const clients: LightClient[] = [];
  for (let i = 1; i <= plan.delta + plan.sotw; i += 1)
    clients.push(new LightClient(plan, `${plan.name}-${i}`, i <= plan.delta ? 'delta' : 'sotw', clock, i));
  for (const client of clients) client.connect();
  const sum = (of: (client: LightClient) => number) =>
    clients.reduce((total, client) => total + of(client), 0);
  return {
    report() {
      const addresses: Record<string, number> = {};
      for (const client of clients)
        for (const address of client.addresses()) addresses[address] = (addresses[address] ?? 0) + 1;
      const of = (protocol: string) => (client: LightClient) =>
        client.protocol === protocol ? client.sinceConnect : 0;
      return {
        complete: sum((client) => (client.isComplete() ? 1 : 0)),
        deltaResponses: sum(of('delta')),
        sotwResponses: sum(of('sotw')),
        responses: sum((client) => client.responses),
        streams: sum((client) => client.streams),
        violations: sum((client) => client.violations.length),
        firstViolations: clients.flatMap((client) => client.violations).slice(0, 5),
        addresses,
      };
    },
  };
}

/** One ADS client: subscribes to all clusters and their endpoints, and reconnects with what it has. */
class LightClient {
  readonly protocol: 'delta' | 'sotw';
  readonly violations: string[] = [];
  responses = 0;
  streams = 0;
  sinceConnect = 0;
  readonly #plan: FleetPlan;
  readonly #id: string;
  readonly #clock: Clock;
  readonly #index: number;
  readonly #clusters = new Map<string, Resource>();
  readonly #assignments = new Map<string, Resource>();
  #asked = new Set<string>();
  #call: ClientDuplexStream<Buffer, Buffer> | undefined;
  #open = false;
  #lastEndpointNonce = '';
  #wasWhole = false;

  constructor(plan: FleetPlan, id: string, protocol: 'delta' | 'sotw', clock: Clock, index: number) {
    this.#plan = plan;
    this.#id = id;
    this.protocol = protocol;
    this.#clock = clock;
    this.#index = index;
  }

  connect(): void {
    const { address } = this.#plan;
    // A connection of its own, as each proxy has.
    const options = { 'grpc.use_local_subchannel_pool': 1, 'grpc.max_receive_message_length': -1 };
    const client = new Client(address, credentials.createInsecure(), options);
    const method = this.protocol === 'delta' ? 'DeltaAggregatedResources' : 'StreamAggregatedResources';
    const same = (bytes: Buffer) => bytes;
    const call: ClientDuplexStream<Buffer, Buffer> = client.makeBidiStreamRequest(
      `${service}/${method}`,
      same,
      same,
    );
    this.#call = call;
    this.#asked = new Set();
    this.#lastEndpointNonce = '';
    this.sinceConnect = 0;
    this.streams += 1;
    call.on('data', (bytes: Buffer) => this.#take(bytes));
    call.on('error', () => {});
    call.on('status', () => {
      this.#open = false;
      client.close();
      // Spread, so that a thousand clients do not reconnect at once.
      this.#clock.after(50 + ((this.#index * 37) % reconnectMsMax), () => this.connect());
    });
    const node = { id: this.#id, metadata: this.#plan.metadata };
    const versions = (of: ReadonlyMap<string, Resource>) =>
      Object.fromEntries([...of].map(([name, { version }]) => [name, version]));
    if (this.protocol === 'sotw') this.#send(clusterType, { node });
    else {
      const had = versions(this.#clusters);
      this.#send(clusterType, { node, resource_names_subscribe: ['*'], initial_resource_versions: had });
      if (this.#assignments.size > 0) {
        const names = [...this.#assignments.keys()];
        this.#asked = new Set(names);
        const initial_resource_versions = versions(this.#assignments);
        this.#send(endpointType, { resource_names_subscribe: names, initial_resource_versions });
      }
    }
    this.#open = true;
  }

  #send(typeUrl: string, request: object): void {
    const message = `envoy.service.discovery.v3.${this.protocol === 'delta' ? 'Delta' : ''}DiscoveryRequest`;
    this.#call?.write(Buffer.from(encodeJson(message, { type_url: typeUrl, ...request })));
  }

  #take(bytes: Buffer): void {
    const message = `envoy.service.discovery.v3.${this.protocol === 'delta' ? 'Delta' : ''}DiscoveryResponse`;
    const response = decodeJson(message, bytes) as Response;
    this.responses += 1;
    this.sinceConnect += 1;
    const resources = (response.resources ?? []).map((one) => readResource(one.resource ?? one, one.version));
    const isClusters = response.type_url === clusterType;
    const map = isClusters ? this.#clusters : this.#assignments;
    // State of the World names all clusters there are.
    if (isClusters && this.protocol === 'sotw') map.clear();
    for (const resource of resources) map.set(resource.name, resource);
    for (const name of response.removed_resources ?? []) map.delete(name);
    if (isClusters)
      for (const name of this.#assignments.keys())
        if (!this.#clusters.has(name)) this.#assignments.delete(name);
    this.#judge(response);
    this.#answer(response, isClusters);
  }

  /** Checks the state. */
  #judge(response: Response): void {
    const count = this.addresses().length;
    if (count >= this.#plan.endpointsMin) this.#wasWhole = true;
    else if (this.#wasWhole || response.type_url === endpointType) {
      const removed = response.removed_resources?.length ?? 0;
      const names = this.#assignments.size;
      // Until the total has been reached once, each assignment must be complete from its first response on.
      if (!this.#wasWhole && names < this.#edsClusters().length) return;
      this.violations.push(`${this.#id}: ${count} endpoints in ${names} assignments (${removed} removed)`);
    }
  }

  #answer(response: Response, isClusters: boolean): void {
    const wanted = this.#edsClusters();
    const fresh = wanted.filter((name) => !this.#asked.has(name));
    const gone = [...this.#asked].filter((name) => !this.#clusters.has(name));
    if (isClusters) this.#asked = new Set(wanted);
    if (this.protocol === 'delta') {
      this.#send(response.type_url, { response_nonce: response.nonce });
      if (isClusters && fresh.length + gone.length > 0)
        this.#send(endpointType, { resource_names_subscribe: fresh, resource_names_unsubscribe: gone });
      return;
    }
    const { nonce, version_info } = response;
    const resource_names = isClusters ? [] : [...this.#asked];
    this.#send(response.type_url, { response_nonce: nonce, version_info, resource_names });
    if (isClusters && fresh.length + gone.length > 0)
      this.#send(endpointType, { resource_names: wanted, response_nonce: this.#lastEndpointNonce });
    if (!isClusters) this.#lastEndpointNonce = nonce;
  }

  #edsClusters(): string[] {
    return [...this.#clusters.values()].filter(({ isEds }) => isEds).map(({ name }) => name);
  }

  addresses(): string[] {
    return [...this.#assignments.values()].flatMap(({ endpoints }) => endpoints);
  }

  isComplete(): boolean {
    return this.#open && this.#wasWhole && this.addresses().length >= this.#plan.endpointsMin;
  }
}

function readResource(json: Json, version = ''): Resource {
  const endpoints = (json.endpoints ?? []).flatMap(({ lb_endpoints = [] }) =>
    lb_endpoints.map(({ endpoint }) => {
      const at = endpoint?.address?.socket_address;
      return `${at?.address}:${at?.port_value}`;
    }),
  );
  return { name: json.cluster_name ?? json.name ?? '', version, isEds: json.type === 'EDS', endpoints };
}
