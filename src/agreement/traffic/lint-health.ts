import { didYouMean } from '../../base/text/suggest.ts';
import { trafficFromAnnotations } from '../../model/annotations/annotations.ts';
import type { FindingCode } from '../../model/finding-codes.ts';
import { type GroupHealth, type HealthSettings, healthOfPort } from '../../model/health.ts';
import type { DrGroup } from '../../model/idc.ts';
import type { Protocol, ServiceEntry, ServicePort } from '../../model/service.ts';
import type { PathPart } from '../../model/values/field-path.ts';
import type { Lint } from '../lint.ts';
import type { Coverage } from '../mesh.ts';

/** Health settings that match no port, and ports that seem checked but are not. */
export function lintHealth(
  entries: readonly ServiceEntry[],
  groups: readonly DrGroup[],
  { entriesOf }: Pick<Coverage, 'entriesOf'>,
): Lint[] {
  return [
    ...groups.flatMap((object): Lint[] => {
      const { health } = object.spec.traffic;
      if (health === undefined) return [];
      const ports = entriesOf(object).flatMap(({ spec }) => spec.ports);
      const at = (field: string, port?: string): PathPart[] => {
        return [
          'spec',
          'traffic',
          'health',
          ...(port === undefined ? [] : ['ports', port]),
          ...(field === '' ? [] : [field]),
        ];
      };
      return lint(health, ports).map(({ code, field, port, message }) => ({
        code,
        object,
        path: at(field, port),
        message,
        lacks: ['ServiceEntry'],
      }));
    }),
    ...entries.flatMap((object) => {
      const { health } = trafficFromAnnotations(object);
      if (health === undefined) return [];
      const declared = Object.keys(object.meta.annotations);
      return lint(health, object.spec.ports).map(({ code, field, port, message }) => {
        const suffix = port === undefined ? '' : `.${port}`;
        const key =
          field === ''
            ? declared.find((one) => one.startsWith('isthmus.dev/health-') && one.endsWith(suffix))
            : `isthmus.dev/health-${field}${suffix}`;
        return { code, object, path: ['metadata', 'annotations', key ?? ''], message };
      });
    }),
  ];
}

/** What is found in declarations on health, wherever these stand. */
interface HealthLint extends Pick<Lint, 'code' | 'message'> {
  /** The field, or '' for the whole declaration. */
  readonly field: string;
  readonly port?: string;
}

const http: readonly Protocol[] = ['HTTP', 'HTTP2'];

function lint(health: GroupHealth, ports: readonly ServicePort[]): HealthLint[] {
  // Undeclared hosts are reported elsewhere.
  if (ports.length === 0) return [];
  return [
    ...lintAll(health, ports),
    ...Object.entries(health.ports ?? {}).flatMap(([key, own]) => lintOne(key, own, ports)),
  ];
}

function lintAll(health: GroupHealth, ports: readonly ServicePort[]): HealthLint[] {
  const findings: HealthLint[] = [];
  if (health.path !== undefined && !ports.some(({ protocol }) => http.includes(protocol))) {
    findings.push({
      code: 'NoEffect',
      field: 'path',
      message:
        'matches no port: none is HTTP or HTTP2, and others are not asked by HTTP. GRPC is asked where `grpc` is given.',
    });
  }
  if (health.grpc !== undefined && !ports.some(({ protocol }) => protocol === 'GRPC')) {
    findings.push({
      code: 'NoEffect',
      field: 'grpc',
      message: 'matches no port: none is GRPC. An HTTP2 port is asked by gRPC where its own entry says so.',
    });
  }
  if (health.path === undefined || health.grpc !== undefined) return findings;
  const unchecked = ports.filter((port) => port.protocol === 'GRPC' && isOpen(healthOfPort(health, port)));
  if (unchecked.length > 0) {
    const names = unchecked.map(({ name, number }) => `${name} (${number})`).join(', ');
    findings.push({
      code: 'PortNotChecked',
      field: 'path',
      message: `is not asked for at ${names}, which is GRPC and so is not checked at all: give \`grpc: true\` where the servers have grpc.health.v1, or \`enabled: false\` for the port.`,
    });
  }
  return findings;
}

/** Whether it is undeclared if or how a GRPC port is checked. */
function isOpen({ grpc, enabled }: HealthSettings): boolean {
  return grpc === undefined && enabled !== false;
}

function lintOne(key: string, own: HealthSettings, ports: readonly ServicePort[]): HealthLint[] {
  const found = ports.filter(({ name, number }) => name === key || String(number) === key);
  const finding = (code: FindingCode, field: string, message: string): HealthLint[] => [
    { code, field, port: key, message },
  ];
  if (found.length === 0) {
    const known = [...new Set(ports.flatMap(({ name, number }) => [name, String(number)]))];
    return finding(
      'UnknownPort',
      '',
      `no port has this name or number: correct it.${didYouMean(key, known)} There are ${known.join(', ')}.`,
    );
  }
  if (own.enabled === false) return [];
  const all = (...protocols: Protocol[]) => found.every(({ protocol }) => protocols.includes(protocol));
  if (!found.some(({ protocol }) => [...http, 'GRPC'].includes(protocol))) {
    return finding('NoEffect', '', 'the port is not HTTP, HTTP2 or GRPC, so it is not checked: remove this.');
  }
  if (own.path !== undefined && all('GRPC')) {
    return finding(
      'NoEffect',
      'path',
      'the port is GRPC, which is not asked by HTTP: give `grpc: true`, or declare the port as HTTP2.',
    );
  }
  if (own.grpc !== undefined && all('HTTP')) {
    return finding(
      'NoEffect',
      'grpc',
      'the port is HTTP, and gRPC needs HTTP/2: give `path`, or declare the port as HTTP2 or GRPC.',
    );
  }
  return [];
}
