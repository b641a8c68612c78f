import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

// Other people's clients and a browser, which are not built where their tool chain is not: then a test has
// nothing to run. `make test-go`, `make test-java` and `make test-browser` set GO_TOOLS, JAVA_TOOLS and
// BROWSER_TOOLS to `required`: then that is an error.

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

/** A Chromium, and the variables that it needs. */
interface BrowserTool {
  readonly path: string;
  readonly env: Readonly<Record<string, string>>;
}

/**
 * A Chromium: that of the variable CHROMIUM, or the one of `make browser-tools`; undefined where there is
 * none.
 */
export function browserTool(): BrowserTool | undefined {
  const own = process.env.CHROMIUM;
  if (own) return { path: own, env: {} };
  const path = built('browser/chromium', 'BROWSER_TOOLS', 'make browser-tools');
  if (path === undefined) return undefined;
  const fonts = { FONTCONFIG_PATH: pathOf('browser') };
  return { path, env: { ...fonts, LD_LIBRARY_PATH: pathOf('browser/lib') } };
}

/** The source of axe-core, which finds violations of accessibility; undefined where it is not installed. */
export function axeSource(): string | undefined {
  const path = built('browser/node_modules/axe-core/axe.min.js', 'BROWSER_TOOLS', 'make browser-tools');
  return path === undefined ? undefined : readFileSync(path, 'utf8');
}

const pathOf = (below: string) => fileURLToPath(new URL(`../../.cache/test/${below}`, import.meta.url));

function built(below: string, variable: string, how: string): string | undefined {
  const path = pathOf(below);
  if (existsSync(path)) return path;
  if (process.env[variable] === 'required') throw new Error(`there is no ${path}: run ${how}`);
  return undefined;
}
