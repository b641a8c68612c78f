import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const root = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const lines = readFileSync(root('Dockerfile'), 'utf8').split('\n');
const of = (word: string) =>
  lines.filter((line) => line.startsWith(`${word} `)).map((line) => line.slice(word.length + 1));

t.test('the image has bases that can be replaced, and runs as nobody in particular', async (t) => {
  t.match(of('ARG'), [/^BUILD_IMAGE=\S+$/, /^RUNTIME_IMAGE=\S+-slim$/]);
  t.match(of('FROM'), [/^\$\{BUILD_IMAGE\} AS build$/, /^\$\{RUNTIME_IMAGE\}$/]);
  t.strictSame(of('USER'), ['65532:65532'], 'by number: runAsNonRoot cannot look up names');
});

t.test('what it copies is there, and is given to the build', async (t) => {
  const given = readFileSync(root('.dockerignore'), 'utf8').split('\n');
  const copied = of('COPY')
    .filter((rest) => !rest.startsWith('--from'))
    .flatMap((rest) => rest.split(' ').slice(0, -1));
  t.ok(copied.length > 10);
  for (const path of copied) {
    t.ok(existsSync(root(path)), path);
    t.ok(given.includes(`!${path.split('/')[0]}`), `${path} is not ignored`);
  }
  const files: string[] = JSON.parse(readFileSync(root('package.json'), 'utf8')).files;
  t.ok(
    files.includes('wasm/assembly') && copied.includes('wasm/assembly'),
    'filters are compiled where it runs',
  );
});
