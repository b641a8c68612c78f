import { MeshError } from '../base/error.ts';
import { isMap, type RawMap } from '../base/raw-map.ts';
import { mergeTemplate } from './merge.ts';
import { type InjectFault, type PodWishes, readPodWishes } from './pod-wishes.ts';
import { type Additions, buildAdditions } from './proxy-pod.ts';
import { graceSecondsDefault, type InjectSettings, injected, podKeys } from './settings.ts';

/** What became of a Pod. */
export type InjectedPod =
  | { readonly outcome: 'injected'; readonly pod: RawMap }
  /** It stays as it is; `reason` ends a sentence that begins with its name. */
  | { readonly outcome: 'skipped'; readonly reason: string }
  | { readonly outcome: 'faulty'; readonly faults: readonly InjectFault[] };

/** What was added to a Pod: its annotation `isthmus.dev/injected`. */
interface InjectRecord {
  /** Containers that got a preStop hook. */
  readonly hooks: readonly string[];
  /** `terminationGracePeriodSeconds` before; null: there was none. */
  readonly grace?: number | null;
  readonly gate?: true;
}

/**
 * Adds a sidecar to a Pod, or to the template of one: `{metadata, spec}`. Injecting what is injected gives
 * the same: what was added is taken out first. `namespace`: that of the Pod. Never throws.
 */
export function injectPod(pod: RawMap, settings: InjectSettings, namespace: string): InjectedPod {
  const { spec, metadata = {} } = pod;
  if (!isMap(spec) || !isMap(metadata))
    return faulty(['spec'], 'must be a mapping, and metadata too: this is not a Pod.');
  const reason = reasonToSkip(metadata, spec);
  if (reason !== undefined) return { outcome: 'skipped', reason };
  const bare = removeAdditions({ ...pod, metadata, spec });
  const faults: InjectFault[] = [];
  const wishes = readPodWishes(bare.metadata, faults);
  checkSpec(bare.spec, wishes, faults);
  if (faults.length > 0) return { outcome: 'faulty', faults };
  try {
    const group = labelOf(metadata, podKeys.group) !== undefined;
    const additions = buildAdditions(settings, wishes, { namespace, group });
    const whole = addTo(bare, additions, settings);
    const isOurs = (name: string) => name === injected.proxy || name === injected.capture;
    const { template } = settings;
    return {
      outcome: 'injected',
      pod: template === undefined ? whole : mergeTemplate(whole, template, isOurs),
    };
  } catch (error) {
    if (!(error instanceof MeshError) || error.code !== 'invalid') throw error;
    return faulty(['metadata', 'annotations'], error.message);
  }
}

const faulty = (path: InjectFault['path'], message: string): InjectedPod => ({
  outcome: 'faulty',
  faults: [{ path, message }],
});

function labelOf(metadata: RawMap, key: string): unknown {
  return isMap(metadata.labels) ? metadata.labels[key] : undefined;
}

function reasonToSkip(metadata: RawMap, spec: RawMap): string | undefined {
  const wish = labelOf(metadata, podKeys.inject);
  if (wish === 'false' || wish === false) return `its label ${podKeys.inject} is false`;
  if (spec.hostNetwork === true)
    return 'it uses the network of its node (hostNetwork), where ports and rules are not its own';
  const os = isMap(spec.os) ? spec.os.name : undefined;
  const { nodeSelector } = spec;
  const node = isMap(nodeSelector) ? nodeSelector['kubernetes.io/os'] : undefined;
  return os === 'windows' || node === 'windows' ? 'it is for Windows' : undefined;
}

/** A Pod whose parts are there. */
interface WholePod extends RawMap {
  readonly metadata: RawMap;
  readonly spec: RawMap;
}

const mapOf = (value: unknown): RawMap => (isMap(value) ? value : {});
const mapsOf = (value: unknown): readonly RawMap[] => (Array.isArray(value) ? value.filter(isMap) : []);

function checkSpec(spec: RawMap, wishes: PodWishes, faults: InjectFault[]): void {
  if (!Array.isArray(spec.containers) || mapsOf(spec.containers).length === 0) {
    faults.push({ path: ['spec', 'containers'], message: 'is required: a Pod has at least one container.' });
    return;
  }
  const taken = new Map<unknown, string>([
    [injected.adminPort, 'the admin interface'],
    [injected.readyPort, 'what kubelets ask'],
    [wishes.outboundPort, 'outgoing requests'],
    ...(wishes.appPort === undefined ? [] : [[wishes.inboundPort, 'requests to the workload'] as const]),
    ...(wishes.capture ? [[injected.capturePort, 'captured connections'] as const] : []),
  ]);
  for (const list of ['initContainers', 'containers'] as const) {
    for (const [index, container] of mapsOf(spec[list]).entries()) {
      const at = ['spec', list, index] as const;
      if (container.name === injected.proxy || container.name === injected.capture)
        faults.push({
          path: [...at, 'name'],
          message: `'${container.name}' is the name of a container of Isthmus: rename it.`,
        });
      for (const [port, { containerPort }] of mapsOf(container.ports).entries()) {
        const use = taken.get(containerPort);
        if (use !== undefined)
          faults.push({
            path: [...at, 'ports', port, 'containerPort'],
            message: `${containerPort} is the sidecar's, for ${use}: choose another.`,
          });
      }
      if (wishes.capture) checkUser(container, spec, [...at, 'securityContext', 'runAsUser'], faults);
    }
  }
  if (wishes.appPort !== undefined && taken.has(wishes.appPort))
    faults.push({
      path: ['metadata', 'annotations', 'isthmus.dev/app-port'],
      message: `${wishes.appPort} is the sidecar's, for ${taken.get(wishes.appPort)}: choose another.`,
    });
}

/** Connections of this user are the sidecar's own, and are not captured. */
function checkUser(container: RawMap, spec: RawMap, path: InjectFault['path'], faults: InjectFault[]): void {
  const userOf = ({ securityContext }: RawMap) =>
    isMap(securityContext) ? securityContext.runAsUser : undefined;
  if ((userOf(container) ?? userOf(spec)) !== injected.uid) return;
  faults.push({
    path,
    message: `${injected.uid} is the user of the sidecar, whose connections are not captured: choose another.`,
  });
}

/** What is added stands first: in the same order, however often it is added anew. */
function addTo(
  { metadata, spec, ...others }: WholePod,
  additions: Additions,
  settings: InjectSettings,
): RawMap {
  const { initContainers, readinessGates, drainSeconds } = additions;
  const { initContainers: own, containers, readinessGates: gates, ...further } = spec;
  const { terminationGracePeriodSeconds: grace, ...rest } = further;
  const given = mapsOf(gates);
  const hasGate = given.some(({ conditionType }) => conditionType === injected.gate);
  const added = hasGate ? [] : readinessGates;
  const hooks = drainSeconds === 0 ? [] : mapsOf(containers).filter((one) => !hasPreStop(one));
  const record: InjectRecord = {
    hooks: hooks.map(({ name }) => String(name)),
    ...(drainSeconds === 0 ? {} : { grace: typeof grace === 'number' ? grace : null }),
    ...(added.length === 0 ? {} : { gate: true }),
  };
  // The hook's time counts in that of the end.
  const seconds =
    drainSeconds === 0 ? grace : (typeof grace === 'number' ? grace : graceSecondsDefault) + drainSeconds;
  return {
    ...others,
    metadata: {
      ...metadata,
      labels: { ...mapOf(metadata.labels), [podKeys.revision]: settings.revision },
      annotations: { [podKeys.record]: JSON.stringify(record), ...mapOf(metadata.annotations) },
    },
    spec: {
      initContainers: [...initContainers, ...mapsOf(own)],
      containers: mapsOf(containers).map((one) =>
        hooks.includes(one) ? withPreStop(one, drainSeconds) : one,
      ),
      ...(given.length + added.length === 0 ? {} : { readinessGates: [...given, ...added] }),
      ...(seconds === undefined ? {} : { terminationGracePeriodSeconds: seconds }),
      ...rest,
    },
  };
}

function hasPreStop({ lifecycle }: RawMap): boolean {
  return isMap(lifecycle) && lifecycle.preStop !== undefined;
}

function withPreStop({ name, lifecycle, ...rest }: RawMap, seconds: number): RawMap {
  return { name, lifecycle: { ...mapOf(lifecycle), preStop: { sleep: { seconds } } }, ...rest };
}

/** The Pod as it was before it was injected, as far as its record tells. */
function removeAdditions(pod: WholePod): WholePod {
  const { annotations } = pod.metadata;
  const record = isMap(annotations) ? readRecord(annotations[podKeys.record]) : undefined;
  if (record === undefined || !isMap(annotations)) return pod;
  const { [podKeys.record]: _, ...others } = annotations;
  const { spec } = pod;
  const own = mapsOf(spec.initContainers).filter(
    ({ name }) => name !== injected.proxy && name !== injected.capture,
  );
  const gates = mapsOf(spec.readinessGates).filter(
    ({ conditionType }) => record.gate !== true || conditionType !== injected.gate,
  );
  const { initContainers: __, readinessGates: ___, terminationGracePeriodSeconds: ____, ...rest } = spec;
  const grace = record.grace === undefined ? spec.terminationGracePeriodSeconds : record.grace;
  return {
    ...pod,
    metadata: { ...pod.metadata, annotations: others },
    spec: {
      ...rest,
      ...(own.length === 0 ? {} : { initContainers: own }),
      containers: mapsOf(spec.containers).map((one) =>
        record.hooks.includes(String(one.name)) ? withoutPreStop(one) : one,
      ),
      ...(gates.length === 0 ? {} : { readinessGates: gates }),
      ...(grace === undefined || grace === null ? {} : { terminationGracePeriodSeconds: grace }),
    },
  };
}

function withoutPreStop(container: RawMap): RawMap {
  const { lifecycle, ...rest } = container;
  if (!isMap(lifecycle)) return container;
  const { preStop: _, ...others } = lifecycle;
  return Object.keys(others).length === 0 ? rest : { ...rest, lifecycle: others };
}

function readRecord(text: unknown): InjectRecord | undefined {
  if (typeof text !== 'string') return undefined;
  try {
    const value: unknown = JSON.parse(text);
    if (!isMap(value) || !Array.isArray(value.hooks)) return undefined;
    const { grace } = value;
    return {
      hooks: value.hooks.map(String),
      ...(typeof grace === 'number' || grace === null ? { grace } : {}),
      ...(value.gate === true ? { gate: true } : {}),
    };
  } catch {
    return undefined;
  }
}
