// Loaded into a process (`node: ['--import', turns]`, `env: {ISTHMUS_TEST_TURNS: file}`): writes to a file
// how much processor time each long turn of its event loop took, in milliseconds, a line each. Other
// processes make a turn later, but not larger.
import { openSync, writeSync } from 'node:fs';

const [lookMs, longMs] = [2, 5];
const fd = openSync(process.env.ISTHMUS_TEST_TURNS ?? '/dev/null', 'a');
const usedMs = () => {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
};
let before = usedMs();
setInterval(() => {
  const ms = usedMs() - before;
  if (ms >= longMs) writeSync(fd, `${ms.toFixed(2)}\n`);
  before = usedMs();
}, lookMs).unref();
