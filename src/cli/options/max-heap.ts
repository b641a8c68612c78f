import { readFileSync } from 'node:fs';
import { InvalidArgumentError } from 'commander';
import { parseSizeBytes } from '../../model/values/size.ts';

/** Linux's memory limit of the own cgroup: version 2, version 1. */
const limitFiles = ['/sys/fs/cgroup/memory.max', '/sys/fs/cgroup/memory/memory.limit_in_bytes'] as const;

/** Part of a memory limit for the heap: the rest is code, stacks, and the allocator's. */
const heapPart = 0.8;

const heapBytesMin = 64 * 2 ** 20;

/**
 * Parses `--max-heap`: a size, or `cgroup` for 0.8 of this cgroup's limit. `read` returns a file's text, or
 * undefined.
 */
export function parseMaxHeap(
  text: string,
  read: (file: string) => string | undefined = readOrNothing,
): number {
  if (text === 'cgroup') {
    for (const file of limitFiles) {
      const limit = Number(read(file)?.trim());
      // Version 1 writes "no limit" as a huge number.
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
