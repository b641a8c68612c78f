import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import { keepProcess, sleep, systemClock } from '../base/clock.ts';
import { MeshError } from '../base/error.ts';
import { exitCode } from '../base/exit.ts';
import { seededRandom } from '../base/random.ts';
import { describeSystemError } from '../base/system-error.ts';
import { createLeaseKeeper, type LeaseKeeper } from '../client/lease-keeper.ts';
import type { KeptInstance } from '../client/lease-plane.ts';
import type { StatusRange } from '../model/health.ts';
import { showAddress } from '../model/values/listen-address.ts';
import { type Probe, probe } from '../probe/probe.ts';
import {
  addressOf,
  clientsOf,
  type InstanceFlags,
  type InstancePort,
  instanceName,
} from './options/instance.ts';
import { tellUser } from './show/tell.ts';

/** Options of `isthmus run`. */
export interface RunFlags extends InstanceFlags {
  readonly group: string;
  readonly port: InstancePort;
  readonly label: Readonly<Record<string, string>>;
  readonly locality?: string;
  readonly weight?: number;
  readonly ttl: number;
  readonly health?: string;
  readonly healthStatuses: readonly StatusRange[];
  readonly wait: boolean;
  readonly drainTimeout: number;
  readonly linger: number;
}

const clock = systemClock;
const probePauseMs = 100;
/** How long deregistration may delay the exit of a crashed CMD. */
const crashMsMax = 3_000;
/** Signals that end CMD, before which the instance is deregistered. */
const endings = ['SIGTERM', 'SIGINT'] as const;
/** Signals for CMD only. */
const others = ['SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGQUIT', 'SIGWINCH', 'SIGCONT'] as const;

/**
 * Runs a command as an instance of a Group; resolves to its exit code, 128 + n when signal n ended it, 127
 * when there is no such command, 126 when it cannot be run.
 */
export async function run(command: string, args: readonly string[], flags: RunFlags): Promise<number> {
  const { planes, find, close } = clientsOf(flags);
  const keeper = createLeaseKeeper({ planes, find, clock, random: seededRandom(process.pid), say });
  const stop = new AbortController();
  // Timers of the clock do not keep the process alive; CMD's end ends it.
  const letEnd = keepProcess();
  let stopSignal: NodeJS.Signals | undefined;
  let failure: MeshError | undefined;
  const child = start(command, args);
  const ended = exitOf(child, command);
  const leaseEnd = keepWhenHealthy().catch((reason) => {
    failure = MeshError.from(reason);
    say(`${failure.message}: CMD is ended, as an instance that is not registered gets no requests`);
    child.kill('SIGTERM');
  });

  async function keepWhenHealthy(): Promise<void> {
    const instance = await describe(flags, stop.signal);
    if (instance === undefined) return;
    if (await healthy(instance.probe, stop.signal)) await keeper.keep(instance.kept, stop.signal);
  }

  async function leave(signal: NodeJS.Signals): Promise<void> {
    if (stopSignal !== undefined) {
      say(`${signal} again: passed on without waiting any longer`);
      child.kill(signal);
      return;
    }
    stopSignal = signal;
    stop.abort();
    await leaseEnd;
    if (!keeper.isKnown) {
      child.kill(signal);
      return;
    }
    await takeOut(keeper, flags);
    child.kill(signal);
  }

  const stopListening = listen(
    (signal) => void leave(signal),
    (signal) => void child.kill(signal),
  );
  try {
    const { code, words } = await ended;
    stop.abort();
    if (stopSignal === undefined) {
      if (words !== undefined && failure === undefined) say(words);
      await leaseEnd;
      if (failure === undefined) await keeper.remove(false, crashMsMax);
    }
    if (failure?.code === 'internal') throw failure;
    return failure === undefined ? code : exitCode.unusable;
  } finally {
    stopListening();
    letEnd();
    await close();
  }
}

/** Takes the instance out, and lets what was on its way be answered. */
async function takeOut(keeper: LeaseKeeper, flags: RunFlags): Promise<void> {
  const since = clock.now();
  const isGone = await keeper.remove(flags.wait, flags.drainTimeout);
  if (isGone && flags.wait)
    say(`no proxy sends requests here any more (${Math.round(clock.now() - since)} ms)`);
  // Requests in flight when the last proxy confirmed still need an answer.
  if (flags.wait) await sleep(clock, flags.linger);
}

/** Listens for signals; returns what ends that. */
function listen(onEnding: (signal: NodeJS.Signals) => void, onOther: (signal: NodeJS.Signals) => void) {
  for (const signal of endings) process.on(signal, onEnding);
  for (const signal of others) process.on(signal, onOther);
  return () => {
    for (const signal of endings) process.off(signal, onEnding);
    for (const signal of others) process.off(signal, onOther);
  };
}

/**
 * Starts CMD in a process group of its own: Ctrl-C in a terminal must not reach it before it is deregistered.
 */
function start(command: string, args: readonly string[]): ChildProcess {
  return spawn(command, args, { stdio: 'inherit', detached: true });
}

function exitOf(child: ChildProcess, command: string): Promise<{ code: number; words?: string }> {
  return new Promise((resolve) => {
    child.once('error', (error: NodeJS.ErrnoException) => {
      const isMissing = error.code === 'ENOENT';
      const why = isMissing ? 'there is no such command' : describeSystemError(error);
      resolve({ code: isMissing ? 127 : 126, words: `CMD cannot be run: ${command}: ${why}` });
    });
    child.once('exit', (status, signal) => {
      if (signal !== null)
        resolve({ code: 128 + constants.signals[signal], words: `CMD was ended by ${signal}` });
      else resolve({ code: status ?? 1, ...(status === 0 ? {} : { words: `CMD ended with ${status}` }) });
    });
  });
}

interface Described {
  readonly kept: KeptInstance;
  readonly probe: Probe;
}

/** The instance; waits for the control plane if the address depends on it. */
async function describe(flags: RunFlags, signal: AbortSignal): Promise<Described | undefined> {
  let address: string | undefined;
  for (let tries = 0; address === undefined; tries += 1) {
    try {
      address = await addressOf(flags);
    } catch (reason) {
      if (tries === 0 && !signal.aborted) say(`${MeshError.from(reason).message}; trying again, CMD goes on`);
      await sleep(clock, 1_000, signal).catch(() => {});
      if (signal.aborted) return undefined;
    }
  }
  const { name: portName, number: port } = flags.port;
  const name = flags.name ?? instanceName(flags.group, address, port);
  const body = {
    address,
    ports: { [portName]: port },
    labels: { app: flags.group, ...flags.label },
    ttl: `${flags.ttl}ms`,
    ...(flags.locality === undefined ? {} : { locality: flags.locality }),
    ...(flags.weight === undefined ? {} : { weight: flags.weight }),
  };
  return {
    kept: { key: { namespace: flags.namespace, name }, body, ttlMs: flags.ttl },
    probe: probeOf(flags, address, port),
  };
}

function probeOf(flags: RunFlags, host: string, port: number): Probe {
  const { health, healthStatuses: statuses } = flags;
  if (health === undefined) return { host, port };
  if (/^grpc(?::|$)/.test(health)) return { grpc: { host, port, service: health.slice('grpc:'.length) } };
  if (!health.startsWith('/')) return { url: health, statuses };
  return { url: `http://${showAddress({ address: host, port })}${health}`, statuses };
}

/** Waits until CMD is healthy; false if aborted. */
async function healthy(target: Probe, signal: AbortSignal): Promise<boolean> {
  let saidAt = clock.now();
  while (!signal.aborted) {
    const why = await probe(target);
    if (why === undefined) return !signal.aborted;
    if (clock.now() - saidAt > 10_000) {
      say(`not healthy yet, so not registered: ${why}`);
      saidAt = clock.now();
    }
    await sleep(clock, probePauseMs, signal).catch(() => {});
  }
  return false;
}

function say(words: string): void {
  tellUser(`${new Date(clock.wall()).toISOString()} isthmus run: ${words}`);
}
