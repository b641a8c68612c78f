import { randomBytes } from 'node:crypto';
import { cpSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MeshError } from '../../base/error.ts';
import { checkDisk, mountDisk } from '../faults/disk.ts';
import { checkNamespaces, createDropNetwork, type DropNetwork } from '../faults/netns.ts';
import { checkWan, createWan, type WanNetwork } from '../faults/wan.ts';
import { createRestartMarks, type RestartMarks } from '../measure/collect.ts';
import { checkFree, claimSlot } from '../process/claim.ts';
import { type Crew, createCrew, startWarden, tailOf } from '../process/process.ts';
import type { EnvoyBinary } from './envoy.ts';
import { type Part, type PartsContext, planParts } from './parts.ts';
import { createPaths, type DrillPaths } from './paths.ts';
import { writeRegistry } from './registry-files.ts';
import { idcOf, listenAddresses, planTopology, type Topology, type WorldPlan } from './topology.ts';
import { createWorld, type World } from './world.ts';

/** A world with its files, its network, and the warden that will remove it. */
export interface Stage {
  readonly topology: Topology;
  readonly paths: DrillPaths;
  readonly crew: Crew;
  readonly world: World;
  readonly network: DropNetwork | undefined;
  /** The network between the IDCs, when the world has one. */
  readonly wan: WanNetwork | undefined;
  /** Where the access logs of restarted Envoys begin. */
  readonly marks: RestartMarks;
  /** Aborts when the drill is interrupted, or when a process of the world ends unexpectedly. */
  readonly signal: AbortSignal;
  /** Starts all processes and resolves when requests pass on every path. */
  raise(say: (line: string) => void): Promise<void>;
  /** Copies the logs of all processes to this folder. */
  keepLogs(dir: string): void;
  /** Ends and removes everything. */
  close(): Promise<void>;
}

/** What a stage is built from. */
interface StageOptions {
  readonly envoy: EnvoyBinary;
  readonly world: WorldPlan;
  /** Changes the processes of the world, or adds to them. */
  parts?(parts: readonly Part[], context: PartsContext): readonly Part[];
  /** Interrupts everything. */
  readonly signal: AbortSignal;
}

/**
 * Prepares a stage: claims addresses, makes its folder, starts its warden, but no process of the world.
 * Rejects with MeshError that says in words what this machine lacks, having left nothing behind.
 */
export async function createStage(options: StageOptions): Promise<Stage> {
  const id = randomBytes(3).toString('hex');
  checkSocketLength(id);
  checkMachine(options.world, id);
  const net = needsNamespaces(options.world);
  const slot = await claimSlot((randomBytes(1)[0] as number) % 250);
  const topology = planTopology({ id, slot: slot.number, world: options.world });
  // The xDS address of an IDC with a network exists only once that does; nobody else can listen on it before.
  const addresses = listenAddresses(topology).filter(({ address }) => address.startsWith('127.'));
  await checkFree(addresses).catch(async (reason) => {
    await slot.release();
    throw reason;
  });
  const dir = mkdtempSync(join(tmpdir(), `isthmus-${id}-`));
  // From here on the warden removes everything, whatever happens to this process.
  const warden = await startWarden({ id, dir, net });
  const broken = new AbortController();
  const signal = AbortSignal.any([options.signal, broken.signal]);
  const close = async () => {
    closing = true;
    await warden.close();
    await slot.release();
  };
  let closing = false;
  const crew = createCrew(id, ({ spec }, { code, signal: by }) => {
    if (closing) return;
    const tail = tailOf(spec.logFile);
    const how = by === null ? `with code ${code}` : `by ${by}`;
    const message = `${spec.name} ended unexpectedly ${how}.${tail && `\nEnd of its log:\n${tail}`}`;
    broken.abort(new MeshError('unavailable', message));
  });
  try {
    const paths = createPaths(dir);
    writeRegistries(paths, topology, options.world.diskKib);
    const network =
      topology.net && createDropNetwork(id, topology.net, idcOf(topology, topology.net.idc).instances);
    const wan = topology.wan && (await createWan(id, topology, crew, paths));
    const marks = createRestartMarks(paths);
    const context = { topology, paths, envoy: options.envoy };
    const planned = planParts(context);
    const parts = options.parts?.(planned, context) ?? planned;
    const world = createWorld(topology, parts, crew, signal, marks.note);
    return {
      ...{ topology, paths, crew, world, network, wan, marks, signal },
      raise: (say) => raise(world, say),
      keepLogs: (to) => cpSync(dir, to, { recursive: true, filter: (file) => !file.endsWith('.sock') }),
      close,
    };
  } catch (reason) {
    await close();
    throw reason;
  }
}

function writeRegistries(paths: DrillPaths, topology: Topology, diskKib: number | undefined): void {
  for (const idc of topology.idcs) {
    writeRegistry(paths.registry(idc.name), topology, idc);
    if (diskKib !== undefined) mountDisk(paths.disk(idc.name), diskKib);
  }
}

function needsNamespaces({ net, wan }: WorldPlan): boolean {
  return net !== undefined || wan === true;
}

/**
 * Checks whether this machine can run a world. Throws MeshError 'unsupported' that says what is missing. `id`
 * is that of the drill.
 */
export function checkMachine(world: WorldPlan, id = randomBytes(3).toString('hex')): void {
  if (needsNamespaces(world)) checkNamespaces(`isthmus-${id}-probe`);
  if (world.wan) checkWan();
  if (world.diskKib !== undefined) checkDisk();
}

/** Throws MeshError 'unsupported' unless this is Linux. */
export function checkPlatform(platform: string = process.platform): void {
  if (platform === 'linux') return;
  throw new MeshError(
    'unsupported',
    `A drill needs Linux, for loopback addresses 127.*.*.* and /proc; this is ${platform}.`,
  );
}

/** The kernel takes 107 bytes as the path of a unix socket; the rest of ours is at most 50. */
const tmpLengthMax = 57;

function checkSocketLength(id: string): void {
  const prefix = join(tmpdir(), `isthmus-${id}-`);
  if (Buffer.byteLength(prefix) <= tmpLengthMax) return;
  const why = `too long for the path of a unix socket: ${Buffer.byteLength(prefix)} bytes, at most ${tmpLengthMax}`;
  throw new MeshError('invalid', `The temporary folder ${tmpdir()} is ${why}. Set TMPDIR to a shorter one.`);
}

/** Generous: a busy machine must not fail a drill before it has begun. */
const raiseTimeoutMs = 60_000;

async function raise(world: World, say: (line: string) => void): Promise<void> {
  const of = (...kinds: string[]) => world.parts.filter((part) => kinds.includes(part.kind));
  const envoys = of('ingress', 'egress', 'sidecar', 'caller');
  say(`starting ${of('control').length} control planes and ${of('app').length} instances`);
  world.start(of('control', 'dns', 'app', 'other'));
  await world.ready(of('control'), raiseTimeoutMs);
  // Not earlier: an Envoy without its control plane waits longer and longer between retries.
  say(`starting ${envoys.length} Envoys`);
  world.start(envoys);
  await world.ready(envoys, raiseTimeoutMs);
  say('sending a request through every path');
  await world.warm(raiseTimeoutMs);
}
