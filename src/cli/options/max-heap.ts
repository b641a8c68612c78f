import { readFileSync } from 'node:fs';
import { InvalidArgumentError } from 'commander';
import { parseSizeBytes } from '../../model/values/size.ts';

/** Where Linux says how much memory the own cgroup may take: version 2, version 1. */
const limitFiles = ['/sys/fs/cgroup/memory.max', '/sys/fs/cgroup/memory/memory.limit_in_bytes'] as const;

/** Part of a memory limit that the heap may take: the rest is code, stacks, and what the allocator keeps. */
const heapPart = 0.8;

const heapBytesMin = 64 * 2 ** 20;

/**
 * Reads `--max-heap`: a size, or `cgroup` for 0.8 of what this cgroup may take. `read` gives a file's text,
 * or undefined.
 */
export function parseMaxHeap(
  text: string,
  read: (file: string) => string | undefined = readOrNothing,
): number {
  if (text === 'cgroup') {
    for (const file of limitFiles) {
      const limit = Number(read(file)?.trim());
      // Version 1 writes "no limit" as a number that no machine has.
      if (limit > 0 && limit < 2 ** 50) return Math.floor(limit * heapPart);
    }
    throw new InvalidArgumentError('this cgroup has no memory limit: give a size, such as 2Gi.');
  }
  const bytes = parseSizeBytes(text);
  if (bytes === undefined)
    throw new InvalidArgumentError(`'${text}' is not a size: give one like 2Gi, or cgroup.`);
  if (bytes < heapBytesMin)
    throw new InvalidArgumentError(`${text} is too small for an Envoy: give at least 64Mi.`);
  return bytes;
}

function readOrNothing(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
