// A process with a child that ends with it, or not; it prints the child's number and waits to be killed.
import { spawn } from 'node:child_process';
import { endsWithMe } from './ends-with-me.ts';

const child = spawn('sleep', ['1000'], { stdio: 'ignore' });
if (process.argv[2] === 'watched') endsWithMe(child);
process.stdout.write(`${child.pid}\n`);
setInterval(() => {}, 1_000);
