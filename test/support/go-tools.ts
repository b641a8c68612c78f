import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Programs in Go that tests run: other people's clients. `make go-tools` builds them. */
export type GoTool = 'grpcurl' | 'xdscaller';

/**
 * The path of a Go program; undefined where it was not built, as where there is no Go: then a test has nothing to run. With
 * GO_TOOLS=required, as `make test-go` sets it, that is an error.
 */
export function goTool(name: GoTool): string | undefined {
  const path = fileURLToPath(new URL(`../../.cache/test/bin/${name}`, import.meta.url));
  if (existsSync(path)) return path;
  if (process.env.GO_TOOLS === 'required') throw new Error(`there is no ${path}: run make go-tools`);
  return undefined;
}
