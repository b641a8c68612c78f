import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { MeshError } from '../../src/base/error.ts';
import { failureText } from '../../src/base/failure-text.ts';

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const { NODE_OPTIONS: _, ISTHMUS_DEBUG: __, ...env } = process.env;

/** Runs a command in which a fault was planted: a module that is loaded before it. */
function planted(fault: string, args: readonly string[], more: Readonly<Record<string, string>> = {}) {
  const before = `data:text/javascript,${encodeURIComponent(fault)}`;
  const command = ['--import', before, main, ...args];
  return spawnSync(process.execPath, command, { encoding: 'utf8', env: { ...env, ...more } });
}

/** The command fails as it prints a bootstrap. */
const atOnce = `
  const { stringify } = JSON;
  JSON.stringify = (value, ...rest) => {
    if (Object.hasOwn(Object(value), 'static_resources')) throw new TypeError('planted\\nsecond line');
    return stringify(value, ...rest);
  };`;
/** Something fails that no command waits for. */
const later = (how: string) => `
  const { stdout } = process;
  const write = stdout.write.bind(stdout);
  stdout.write = (...args) => {
    setImmediate(() => { ${how} });
    return write(...args);
  };`;
/** A package is not there. */
const incomplete = `
  import { registerHooks } from 'node:module';
  registerHooks({ resolve: (name, context, next) => next(name === 'commander' ? 'commander-is-gone' : name, context) });`;

const printing = ['bootstrap', '--role', 'egress', '--idc', 'sh-a', '--id', 'e-1', '-o', 'json'];
const watching = ['status', '--watch', '--admin', '127.0.0.1:1'];
const oneLine =
  /^isthmus: internal error: planted\. This is a fault of Isthmus \d\S* \(Node v\d\S*\), please report it; ISTHMUS_DEBUG=1 prints the stack too\.\n$/;

t.test('an internal error is one line; with ISTHMUS_DEBUG its stack follows', async (t) => {
  t.match(spawnSync(process.execPath, [main, ...printing], { encoding: 'utf8', env }), {
    status: 0,
    stderr: '',
  });
  t.match(planted(atOnce, printing), { status: 2, stderr: oneLine });
  t.match(planted(atOnce, printing, { ISTHMUS_DEBUG: '0' }), { status: 2, stderr: oneLine });
  const { stderr } = planted(atOnce, printing, { ISTHMUS_DEBUG: '1' });
  t.match(stderr, /^isthmus: internal error: planted\. .*\nTypeError: planted\nsecond line\n {4}at /);
  t.match(stderr, /src\/cli\/commands\/bootstrap\.ts:\d+/, 'of where it was thrown');
});

t.test('so is one that no command waits for', async (t) => {
  for (const how of ["throw new TypeError('planted')", "Promise.reject(new TypeError('planted'))"])
    t.match(planted(later(how), watching), { status: 2, stderr: oneLine }, how);
});

t.test('a package that is missing is told as an incomplete installation', async (t) => {
  t.match(planted(incomplete, ['--version']), {
    status: 2,
    stderr:
      /^isthmus: the installation is incomplete: Cannot find package 'commander-is-gone'.*Install Isthmus again\.\n$/,
  });
});

t.test('errors of ours and of system calls are told as they are', async (t) => {
  t.equal(failureText(new MeshError('invalid', 'wrong', { ref: 'a.yaml:1' })), 'a.yaml:1: wrong');
  t.equal(
    failureText(new MeshError('invalid', 'a.yaml:1 is wrong', { ref: 'a.yaml:1' })),
    'a.yaml:1 is wrong',
  );
  const full = Object.assign(new Error('EACCES: permission denied'), {
    code: 'EACCES',
    syscall: 'mkdir',
    path: '/x',
  });
  t.equal(failureText(full), 'mkdir /x: no permission (EACCES)');
  t.equal(failureText(MeshError.from(full)), 'mkdir /x: no permission (EACCES)');
  t.match(failureText(MeshError.from('planted'), {}), /^internal error: planted\. [^\n]*$/);
  t.match(failureText(undefined, { ISTHMUS_DEBUG: '1' }), /^internal error: undefined\. [^\n]*\nundefined$/);
});

t.test('what an error quotes cannot control a terminal, and its lines stay', async (t) => {
  const error = new MeshError('unavailable', 'first \x1b]0;title\x07\r\nsecond \u202e');
  t.equal(failureText(error), 'first \\u{1b}]0;title\\u{7}\\u{d}\nsecond \\u{202e}');
});

t.test('neither can what an error of the options quotes', async (t) => {
  for (const args of [['who', 'a', '--nope\x1b[2J'], ['\x1b[2Jstatus'], ['status', '-o', '\x1b[2J']]) {
    const { status, stderr } = spawnSync(process.execPath, [main, ...args], { encoding: 'utf8', env });
    t.equal(status, 2);
    t.notMatch(stderr, '\x1b');
    t.match(stderr, /\\u\{1b\}\[2J/);
    t.match(stderr, /\n$/);
  }
});
