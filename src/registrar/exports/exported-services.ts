import type { DesiredInstance, EntryWriterIdentity, WrittenObject } from '../instance-entry.ts';
import { entryKeys } from '../instance-entry.ts';
import type { ExportedPort, KubeService, KubeSlice } from './read-service.ts';

/** How keys of instances of exported Services begin: `export/NAMESPACE/NAME/ID`. */
export const exportKeyStart = 'export/';

/** How keys of exported Services begin: `service/NAMESPACE/NAME`. */
const serviceKeyStart = 'service/';

/** A label of instances: the Service that they are of. */
const serviceLabel = 'registrar.isthmus.dev/service';

/** A ServiceEntry that there should be. */
export interface DesiredService {
  readonly key: string;
  readonly namespace: string;
  readonly name: string;
  readonly generation: number;
  readonly uid: string;
  readonly ports: readonly ExportedPort[];
}

interface ExportedOptions {
  readonly cluster: string;
  /** What should be there of an instance, or a Service, may have changed. */
  onInstance(key: string): void;
  onService(key: string): void;
}

/** Which Services are exported, and which instances they have. */
export class ExportedServices {
  readonly #options: ExportedOptions;
  readonly #exports = new Set<string>();
  readonly #services = new Map<string, KubeService>();
  /** By Service, then by name. */
  readonly #slices = new Map<string, Map<string, KubeSlice>>();

  constructor(options: ExportedOptions) {
    this.#options = options;
  }

  /** A ServiceExport has come (`isNow`) or gone. `service`: `NAMESPACE/NAME`, of both. */
  changeExport(service: string, isNow: boolean): void {
    if (isNow) this.#exports.add(service);
    else this.#exports.delete(service);
    this.#tell(service);
  }

  changeService(before: KubeService | undefined, now: KubeService | undefined): void {
    if (before !== undefined) this.#services.delete(before.key);
    if (now !== undefined) this.#services.set(now.key, now);
    const key = now?.key ?? before?.key;
    if (key !== undefined && this.#exports.has(key)) this.#tell(key);
  }

  changeSlice(before: KubeSlice | undefined, now: KubeSlice | undefined): void {
    if (before !== undefined) this.#slices.get(before.service)?.delete(before.name);
    if (before !== undefined && this.#slices.get(before.service)?.size === 0)
      this.#slices.delete(before.service);
    if (now !== undefined) {
      const slices = this.#slices.get(now.service) ?? new Map();
      this.#slices.set(now.service, slices.set(now.name, now));
    }
    for (const slice of [before, now])
      if (slice !== undefined && this.#exports.has(slice.service))
        for (const id of slice.endpoints.keys()) this.#options.onInstance(instanceKey(slice.service, id));
  }

  *instanceKeys(): Iterable<string> {
    for (const service of this.#exports)
      for (const slice of this.#slices.get(service)?.values() ?? [])
        for (const id of slice.endpoints.keys()) yield instanceKey(service, id);
  }

  *serviceKeys(): Iterable<string> {
    for (const service of this.#exports) yield `${serviceKeyStart}${service}`;
  }

  /** The ServiceEntry of a key; undefined: the Service is not exported, or not there. */
  service(key: string): DesiredService | undefined {
    const service = this.#exported(key.slice(serviceKeyStart.length));
    if (service === undefined || service.ports.length === 0) return undefined;
    const [namespace = '', name = ''] = service.key.split('/');
    return { key, namespace, name, generation: 0, uid: service.uid, ports: service.ports };
  }

  /** The instance of a key; undefined: there is none, or it is not ready. */
  instance(key: string): DesiredInstance | undefined {
    const [namespace = '', name = '', id = ''] = key.slice(exportKeyStart.length).split('/');
    const service = this.#exported(`${namespace}/${name}`);
    if (service === undefined) return undefined;
    for (const { family, ports, endpoints } of this.#slices.get(service.key)?.values() ?? []) {
      const endpoint = endpoints.get(id);
      if (endpoint?.isServing !== true || family !== service.family) continue;
      const { address, zone, pod } = endpoint;
      return {
        ...{ key, namespace, name: pod, uid: id, generation: 0, healthySince: '', address, ports, zone },
        labels: labelsOf(this.#options.cluster, name),
        isZoneKnown: true,
      };
    }
    return undefined;
  }

  #exported(service: string): KubeService | undefined {
    const found = this.#exports.has(service) ? this.#services.get(service) : undefined;
    return found?.isExternalName === true ? undefined : found;
  }

  #tell(service: string): void {
    this.#options.onService(`${serviceKeyStart}${service}`);
    for (const slice of this.#slices.get(service)?.values() ?? [])
      for (const id of slice.endpoints.keys()) this.#options.onInstance(instanceKey(service, id));
  }
}

/**
 * What a ServiceEntry should say: the host of the clusterset, and the instances of this cluster. Others have
 * ServiceEntries of their own, which add up.
 */
export function serviceEntryOf(
  { key, namespace, name, uid, ports }: DesiredService,
  { cluster, term }: EntryWriterIdentity,
): WrittenObject {
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'ServiceEntry',
    metadata: {
      namespace,
      labels: { [entryKeys.cluster]: cluster },
      annotations: {
        ...{ [entryKeys.instance]: key, [entryKeys.uid]: uid, [entryKeys.generation]: '0' },
        [entryKeys.term]: term,
      },
    },
    spec: {
      hosts: [`${name}.${namespace}.svc.clusterset.local`],
      ...{ location: 'MESH_INTERNAL', resolution: 'STATIC' },
      ports: ports.map(({ name, number, protocol }) => ({ number, name, protocol })),
      workloadSelector: { labels: labelsOf(cluster, name) },
    },
  };
}

function labelsOf(cluster: string, service: string): Readonly<Record<string, string>> {
  return { [entryKeys.cluster]: cluster, [serviceLabel]: service };
}

function instanceKey(service: string, id: string): string {
  return `${exportKeyStart}${service}/${id}`;
}
