import { compareText } from '../base/text/compare-text.ts';
import { trafficFromAnnotations } from './annotations/annotations.ts';
import { viewsOf } from './audience.ts';
import type { Protocol, ServiceEntry, ServicePort } from './service.ts';

/** A port of a host that several ServiceEntries of a namespace declare. */
export interface MergedPort {
  /** As in the first that has it. */
  readonly port: ServicePort;
  /** The positions of those that have it, and their declarations; the first decides all but the instances. */
  readonly from: readonly [PortOf, ...PortOf[]];
}

/** A port of the ServiceEntry at a position. */
interface PortOf {
  readonly entry: number;
  readonly port: ServicePort;
}

/** A port that contradicts an earlier one of its number, and is left out. */
interface RefusedPort extends PortOf {
  readonly first: PortOf;
  readonly why: 'protocol' | 'resolution';
}

/**
 * Merges ServiceEntries of one host and namespace, in order of precedence. A port of several has all their
 * instances, as in Istio; unlike there, ports are merged whatever else differs
 * (docs/decisions/089-service-entries-add-up.md).
 */
export function mergePorts(entries: readonly ServiceEntry[]): {
  readonly ports: readonly MergedPort[];
  readonly refused: readonly RefusedPort[];
} {
  const found = new Map<number, { port: ServicePort; from: [PortOf, ...PortOf[]] }>();
  const refused: RefusedPort[] = [];
  for (const [entry, { spec }] of entries.entries()) {
    for (const port of spec.ports) {
      const known = found.get(port.number);
      if (known === undefined) {
        found.set(port.number, { port, from: [{ entry, port }] });
        continue;
      }
      const [first] = known.from;
      if (carriageOf(port) !== carriageOf(known.port)) refused.push({ entry, port, first, why: 'protocol' });
      else if (spec.resolution !== entries[first.entry]?.spec.resolution)
        refused.push({ entry, port, first, why: 'resolution' });
      else known.from.push({ entry, port });
    }
  }
  return { ports: [...found.values()], refused };
}

/** Protocols that proxies handle alike count as equal: they differ in name, and in health checks. */
function carriageOf({ protocol }: ServicePort): Protocol {
  return carriages[protocol] ?? protocol;
}

const carriages: Readonly<Partial<Record<Protocol, Protocol>>> = {
  GRPC: 'HTTP2',
  HTTPS: 'TLS',
  MONGO: 'TCP',
};

/**
 * The precedence of ServiceEntries of one host: exported to all before exported to some, then by namespace;
 * within one, older first, if files say when they were created, then by name.
 */
export function compareDeclarations(a: ServiceEntry, b: ServiceEntry): number {
  const rank = ({ spec }: ServiceEntry) => (spec.exportTo === undefined ? 0 : 1);
  const age = ({ meta }: ServiceEntry) => meta.createdMs ?? Number.POSITIVE_INFINITY;
  const byAge = age(a) === age(b) ? 0 : age(a) - age(b);
  return (
    rank(a) - rank(b) ||
    compareText(a.meta.namespace, b.meta.namespace) ||
    byAge ||
    compareText(a.meta.name, b.meta.name)
  );
}

/** A probable mistake between ServiceEntries of one host. */
interface DeclarationFault {
  /** The one without effect. */
  readonly entry: ServiceEntry;
  /** Its field, from the object's root. */
  readonly path: readonly (string | number)[];
  /** The mistake, the one that applies, and what to do. */
  readonly message: string;
}

/** Contradictions between the ServiceEntries that declare `host`, in order of precedence. */
export function declarationFaults(
  host: string,
  ranked: readonly ServiceEntry[],
): readonly DeclarationFault[] {
  if (ranked.length < 2) return [];
  const views = viewsOf(
    ranked.map(({ meta, spec }) => ({ namespace: meta.namespace, exportTo: spec.exportTo })),
  );
  const found = new Map<string, DeclarationFault>();
  for (const { members } of views) {
    const entries = members.map((i) => ranked[i] as ServiceEntry);
    for (const fault of entries.length < 2 ? [] : [...refusals(host, entries), ...overruled(host, entries)]) {
      const { namespace, name } = fault.entry.meta;
      found.set(`${namespace}/${name} ${fault.path.join('.')} ${fault.message}`, fault);
    }
  }
  return [...found.values(), ...otherNamespaces(host, ranked), ...hiddenPorts(host, ranked)];
}

function refusals(host: string, entries: readonly ServiceEntry[]): DeclarationFault[] {
  return mergePorts(entries).refused.map(({ entry, port, first, why }) => {
    const [object, counts] = [entries[entry] as ServiceEntry, entries[first.entry] as ServiceEntry];
    const [theirs, ours] =
      why === 'protocol'
        ? [first.port.protocol, port.protocol]
        : [counts.spec.resolution, object.spec.resolution];
    const message =
      `port ${port.number} of ${host} has ${why} ${ours} here and ${theirs} in ServiceEntry ${nameOf(counts)}, which comes first ` +
      `(by age, then by name): here it is left out, and its instances get nothing at that port. Give both the same ${why}, or the port in one of them another number.`;
    const at = object.spec.ports.indexOf(port);
    const path = why === 'protocol' ? ['spec', 'ports', at, 'protocol'] : ['spec', 'resolution'];
    return { entry: object, path, message };
  });
}

/** Settings of a port that apply only from the first ServiceEntry. */
function overruled(host: string, entries: readonly ServiceEntry[]): DeclarationFault[] {
  return mergePorts(entries).ports.flatMap(({ port, from: [first, ...others] }) => {
    const counts = entries[first.entry] as ServiceEntry;
    const tail = `of ServiceEntry ${nameOf(counts)} applies, which has the port too and comes first (by age, then by name): give both the same.`;
    return others.flatMap(({ entry }): DeclarationFault[] => {
      const object = entries[entry] as ServiceEntry;
      const differs = (of: (entry: ServiceEntry) => unknown) =>
        JSON.stringify(of(object)) !== JSON.stringify(of(counts));
      const isLookedUp = object.spec.resolution.startsWith('DNS');
      return [
        ...(isLookedUp && differs(({ spec }) => spec.location)
          ? [
              {
                entry: object,
                path: ['spec', 'location'],
                message: `at port ${port.number} of ${host} that ${tail}`,
              },
            ]
          : []),
        ...(Object.keys(trafficFromAnnotations(object)).length > 0 && differs(trafficFromAnnotations)
          ? [
              {
                entry: object,
                path: ['metadata', 'annotations'],
                message: `at port ${port.number} of ${host} that ${tail}`,
              },
            ]
          : []),
      ];
    });
  });
}

function otherNamespaces(host: string, ranked: readonly ServiceEntry[]): DeclarationFault[] {
  const [first] = ranked;
  const told = new Set([first?.meta.namespace]);
  return ranked.flatMap((entry): DeclarationFault[] => {
    const { namespace } = entry.meta;
    if (first === undefined || told.has(namespace) || entry.spec.exportTo !== undefined) return [];
    told.add(namespace);
    const path = ['spec', 'hosts', entry.spec.hosts.indexOf(host)];
    const message = `ServiceEntry ${nameOf(first)} declares ${host} too and comes first by namespace: gateways and callers outside of ${namespace} use that one, and from here nothing leaves the IDC. Take the host out of one of them, or set exportTo: ['.'].`;
    return [{ entry, path, message }];
  });
}

/** Ports that callers of a namespace lose by its own declaration of the host (istio 55879). */
function hiddenPorts(host: string, ranked: readonly ServiceEntry[]): DeclarationFault[] {
  const [common] = ranked;
  if (common === undefined || common.spec.exportTo !== undefined) return [];
  const ofAll = ranked.filter(
    ({ meta, spec }) => meta.namespace === common.meta.namespace && spec.exportTo === undefined,
  );
  const namespaces = new Set(ranked.map(({ meta }) => meta.namespace));
  namespaces.delete(common.meta.namespace);
  return [...namespaces].flatMap((namespace): DeclarationFault[] => {
    const own = ranked.filter(
      ({ meta, spec: { exportTo } }) =>
        meta.namespace === namespace && (exportTo === undefined || exportTo.includes(namespace)),
    );
    const [entry] = own;
    if (entry === undefined) return [];
    const numbers = new Set(own.flatMap(({ spec }) => spec.ports.map((port) => port.number)));
    const hidden = ofAll.flatMap((other) =>
      other.spec.ports.filter((port) => !numbers.has(port.number)).map((port) => ({ other, port })),
    );
    const [first] = hidden;
    if (first === undefined) return [];
    const ports = hidden.map(({ port }) => port.number).join(', ');
    const message = `callers of ${namespace} see ${host} as declared here, without port ${ports} of ServiceEntry ${nameOf(first.other)}: add it here, or take the host out.`;
    return [{ entry, path: ['spec', 'ports'], message }];
  });
}

function nameOf({ meta }: ServiceEntry): string {
  return `${meta.namespace}/${meta.name} (${meta.origin})`;
}
