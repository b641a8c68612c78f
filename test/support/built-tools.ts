import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

// Other people's clients, which are not built where their tool chain is not: then a test has nothing to run.
// `make test-go` and
// `make test-java` set GO_TOOLS and JAVA_TOOLS to `required`: then that is an error.

/** Programs in Go that tests run. `make go-tools` builds them. */
export type GoTool = 'grpcurl' | 'xdscaller';

/** The path of a Go program; undefined where it is not built. */
export function goTool(name: GoTool): string | undefined {
  return built(`bin/${name}`, 'GO_TOOLS', 'make go-tools');
}

/** The command of a Java program; undefined where it is not built. `make java-tools` builds it. */
export function javaTool(name: 'XdsCaller'): readonly string[] | undefined {
  const main = built(`java/classes/${name}.class`, 'JAVA_TOOLS', 'make java-tools');
  if (main === undefined) return undefined;
  // The machine is for the mesh: no second compiler.
  return [
    'java',
    '-XX:TieredStopAtLevel=1',
    '-cp',
    `${pathOf('java/classes')}:${pathOf('java/lib')}/*`,
    name,
  ];
}

const pathOf = (below: string) => fileURLToPath(new URL(`../../.cache/test/${below}`, import.meta.url));

function built(below: string, variable: string, how: string): string | undefined {
  const path = pathOf(below);
  if (existsSync(path)) return path;
  if (process.env[variable] === 'required') throw new Error(`there is no ${path}: run ${how}`);
  return undefined;
}
