import { join } from 'node:path';
import t from 'tap';
import { runDrill } from '../../../src/drill/drill.ts';

// One after the other: requests in circles take what processors there are.
for (const { name, shows } of [
  { name: 'spoof', shows: /^MISSED +Hostile requests for a Group in this IDC do not cross/m },
  { name: 'loop3', shows: /^MISSED +Requests that visited an IDC twice/m },
]) {
  t.test(`the negative control of the drill ${name} fails, for the right reason`, async (t) => {
    const said: string[] = [];
    const code = await runDrill({
      ...{ name, unprotected: true, expectFail: true, quick: true },
      reportDir: join(t.testdir(), 'report'),
      say: (line) => said.push(line),
    });
    t.equal(code, 0, 'expected to fail, and failed for the right reason');
    if (code !== 0) t.comment(said.join('\n'));
    t.match(said.join('\n'), shows);
  });
}
