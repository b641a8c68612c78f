#!/usr/bin/env node
// The entry point. It imports nothing before it knows the version of Node: on an older one the imports fail.
export {};

/** The oldest major version of Node that runs the commands; `isthmus/xds` runs on older ones. */
const nodeMajorMin = 24;

if (Number.parseInt(process.versions.node, 10) < nodeMajorMin) {
  process.stderr.write(
    `isthmus: needs Node.js ${nodeMajorMin} or newer; this is ${process.version} (${process.execPath}). Install a newer one, or put it first in PATH.\n`,
  );
  // The exit code of what could not run (`../base/exit.ts`).
  process.exitCode = 2;
} else {
  const { useCompileCache } = await import('./process/compile-cache.ts');
  useCompileCache();
  const { endAtUncaught } = await import('./process/uncaught.ts');
  endAtUncaught();
  await import('./program.ts');
}
