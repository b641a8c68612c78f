import { MeshError } from '../../base/error.ts';
import { exitCode } from '../../base/exit.ts';
import { readBounded } from '../../base/files/bounded-file.ts';
import { describeSystemError } from '../../base/system-error.ts';
import { printable } from '../../base/text/safe-excerpt.ts';
import { injectText } from '../../inject/inject-text.ts';
import { streamBytesMax } from '../../registry/check/read-inputs.ts';
import { type InjectFlags, readInjectSettings } from '../options/injection.ts';
import { readStandardInput } from '../process/standard-input.ts';

/** Options of `isthmus inject`. */
export interface InjectCommandFlags extends InjectFlags {
  readonly filename: string;
  readonly namespace: string;
}

/** Where it writes. */
export interface InjectStreams {
  out(text: string): void;
  err(text: string): void;
}

/**
 * The command `isthmus inject`: the objects with sidecars on standard output, what was left alone on standard
 * error. Nothing is written where there is a fault. Returns the exit code; throws MeshError `invalid` and
 * `not-found` where nothing can be read.
 */
export async function runInject(flags: InjectCommandFlags, streams: InjectStreams): Promise<number> {
  const settings = await readInjectSettings(flags);
  const [name, bytes] = await read(flags.filename);
  const { text, skipped, faults } = injectText(name, bytes.toString('utf8'), settings, flags.namespace);
  for (const line of skipped) streams.err(`isthmus inject: ${printable(line)}\n`);
  for (const line of faults) streams.err(`${printable(line)}\n`);
  if (faults.length > 0) return exitCode.failed;
  streams.out(text);
  return exitCode.ok;
}

async function read(path: string): Promise<readonly [string, Buffer]> {
  try {
    return path === '-' ? ['<stdin>', await readStandardInput()] : [path, readBounded(path, streamBytesMax)];
  } catch (reason) {
    throw new MeshError('not-found', `-f ${path} cannot be read: ${describeSystemError(reason)}`);
  }
}
