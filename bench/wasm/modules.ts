import { existsSync, mkdirSync } from 'node:fs';
import { copyFile, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { run } from '../support/process.ts';

const filters = fileURLToPath(new URL('./filters/', import.meta.url));
const sdkManifest = fileURLToPath(new URL('./sdk/', import.meta.url));
const cache = fileURLToPath(new URL('../../.cache/bench/sdk/', import.meta.url));
const asc = fileURLToPath(new URL('../../node_modules/assemblyscript/bin/asc.js', import.meta.url));

/** Compiles `filters/NAME.ts`, with the flags by which a filter without an SDK is smallest and fastest. */
export function bareModule(name: 'noop' | 'append'): Promise<Uint8Array> {
  return compile(filters, name, ['--runtime', 'stub', '--use', 'abort=']);
}

/**
 * Compiles `filters/sdk.ts` with the AssemblyScript SDK, which is installed into .cache the first time.
 * Rejects where it cannot be.
 */
export async function sdkModule(): Promise<Uint8Array> {
  mkdirSync(cache, { recursive: true });
  if (!existsSync(`${cache}node_modules/@gcoredev`)) {
    process.stderr.write('installing the AssemblyScript SDK for comparison, into .cache/bench/sdk\n');
    for (const file of ['package.json', 'package-lock.json'])
      await copyFile(`${sdkManifest}${file}`, `${cache}${file}`);
    await run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: cache });
  }
  await copyFile(`${filters}sdk.ts`, `${cache}sdk.ts`);
  const shim = 'node_modules/@assemblyscript/wasi-shim/asconfig.json';
  return compile(cache, 'sdk', ['--runtime', 'incremental', '--config', shim]);
}

async function compile(folder: string, name: string, flags: readonly string[]): Promise<Uint8Array> {
  mkdirSync(cache, { recursive: true });
  const out = `${cache}${name}.wasm`;
  const common = ['--noAssert', '-O3', '--exportStart', '_initialize', '--noColors', '--outFile', out];
  await run(process.execPath, [asc, `${name}.ts`, ...common, ...flags], { cwd: folder });
  return readFile(out);
}
