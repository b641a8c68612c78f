// One attack of the table, as a process of its own: `node attack-main.ts NAME PORT SCOPE`. It goes on until its stdin ends, and
// says on stdout how its calls and connections ended.
import { setPriority } from 'node:os';
import { attacks } from './table.ts';

const [name, port, scope = ''] = process.argv.slice(2);
const attack = attacks.find((one) => one.name === name);
if (attack === undefined) throw new Error(`there is no attack '${name}'`);
// What it computes for itself must not be what is measured.
setPriority(19);
const stop = new AbortController();
const late = new Promise<string[]>((resolve) => {
  process.stdin
    .once('end', () => {
      stop.abort();
      // What is paced may wait for long before it has gone out.
      setTimeout(resolve, 15_000, ['still open']);
    })
    .resume();
});
process.stdout.write('begun\n');
const at = { address: '127.0.0.1', port: Number(port) };
const ends = await Promise.race([attack.run({ at, scope: JSON.parse(scope), signal: stop.signal }), late]);
process.stdout.write(`${JSON.stringify(ends.map((end) => end.slice(0, 300)))}\n`, () => process.exit());
