import { isDeepStrictEqual } from 'node:util';
import { MeshError } from '../base/error.ts';
import {
  decideTrail,
  outcomeHeader,
  refusalGrpcStatus,
  refusalStatus,
  refusalText,
  trailCounters,
  trailHeader,
  visitedHeader,
} from '../model/trail.ts';
import { type FilterPolicy, policyRef } from './canonical.ts';
import { trailVectors } from './vectors.ts';
import { type FilterAnswer, FilterHost, type HeaderLine } from './wasm-host.ts';

/**
 * Runs a filter against the policy's vectors. Throws MeshError: 'invalid' if the bytes do not load,
 * 'internal' if they differ from the model, with the first difference.
 */
export async function checkFilter(policy: FilterPolicy, bytes: Uint8Array): Promise<void> {
  const host = await FilterHost.load(bytes);
  const memoryBytes = host.memoryBytes;
  expectSame(policy, 'its metrics', trailCounters(policy), host.metrics);
  for (const { name, lines } of trailVectors(policy)) {
    const headers = requestHeaders(lines);
    expectSame(
      policy,
      `'${name}' ${JSON.stringify(lines)}`.slice(0, 300),
      expectedAnswer(policy, headers),
      answerOf(host, headers),
    );
  }
  for (const setsMax of [0, 1]) {
    host.limitSets(setsMax);
    for (const lines of [[], [policy.idc], policy.peers.slice(0, 1)]) {
      const answer = answerOf(host, requestHeaders(lines));
      const passed = typeof answer === 'string' || answer.passed;
      const what = `a request that cannot be marked, ${JSON.stringify(lines)}`;
      expectSame(policy, what, { passed: false }, { passed });
    }
  }
  expectSame(policy, 'its memory', memoryBytes, host.memoryBytes);
}

/**
 * A request with these trail lines, with headers that the filter must not touch and one that it must
 * overwrite.
 */
export function requestHeaders(lines: readonly string[]): readonly HeaderLine[] {
  return [
    [':method', 'GET'],
    [':path', '/'],
    [':authority', 'checkout.example'],
    [visitedHeader, 'forged'],
    ...lines.map((line): HeaderLine => [trailHeader, line]),
    ['x-isthmus', 'kept'],
    [visitedHeader, 'forged too'],
  ];
}

/** The model's result for a request, in the form of the host's answer. Lines that are set go to the end. */
export function expectedAnswer(policy: FilterPolicy, headers: readonly HeaderLine[]): FilterAnswer {
  const lines = headers.filter((line) => line[0] === trailHeader).map((line) => line[1]);
  const verdict = decideTrail(policy, lines);
  const counted = verdict.counter === undefined ? [] : [verdict.counter];
  if (verdict.action === 'pass') {
    const others = headers.filter((line) => line[0] !== trailHeader && line[0] !== visitedHeader);
    const set: HeaderLine[] = [
      [trailHeader, verdict.trail],
      [visitedHeader, verdict.visited],
    ];
    return { passed: true, headers: [...others, ...set], local: undefined, counted };
  }
  const local = {
    status: refusalStatus(policy.listener, verdict.outcome),
    grpcStatus: refusalGrpcStatus,
    headers: [[outcomeHeader, verdict.outcome]] as const,
    body: refusalText(policy, verdict.outcome),
  };
  return { passed: false, headers, local, counted };
}

function answerOf(host: FilterHost, headers: readonly HeaderLine[]): FilterAnswer | string {
  try {
    return host.request(headers);
  } catch (reason) {
    return `trap: ${String(reason)}`;
  }
}

function expectSame(policy: FilterPolicy, what: string, expected: unknown, actual: unknown): void {
  if (isDeepStrictEqual(expected, actual)) return;
  const difference = `${what} gives ${shown(actual)}, expected ${shown(expected)}`;
  throw new MeshError('internal', `The compiled filter is wrong, and is not used: ${difference}.`, {
    ref: policyRef(policy),
  });
}

function shown(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > 600 ? `${text.slice(0, 600)}…` : text;
}
