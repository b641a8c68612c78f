import { existsSync, mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { output } from './machine.ts';
import { run } from './process.ts';

const here = fileURLToPath(new URL('..', import.meta.url));
const binaries = fileURLToPath(new URL('../../.cache/bench/bin', import.meta.url));

/** The bench's Go programs: name → folder. */
const programs = { xdsload: 'xdsload', gcp: 'peers/go-control-plane', gofloor: 'peers/gofloor' } as const;
export type GoProgram = keyof typeof programs;

/** Whether Go is there. Where it is not, what needs it is skipped, with a word. */
export function hasGo(): boolean {
  return output('go', ['version']) !== '';
}

/** Builds a Go program into the cache, from what is unchanged in no time. Returns the path of its binary. */
export async function buildGo(program: GoProgram): Promise<string> {
  mkdirSync(binaries, { recursive: true });
  const binary = `${binaries}/${program}`;
  if (!existsSync(binary)) process.stderr.write(`building ${program} (the first time: a minute or two)\n`);
  await run('go', ['build', '-o', binary, '.'], { cwd: `${here}${programs[program]}` });
  return binary;
}
