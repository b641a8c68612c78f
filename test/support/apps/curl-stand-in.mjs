// What docs/quickstart.md asks of curl, for machines that lack it: -f, -s, -o, -H 'Host: …', --retry.
import { writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    fail: { type: 'boolean', short: 'f' },
    silent: { type: 'boolean', short: 's' },
    output: { type: 'string', short: 'o' },
    header: { type: 'string', short: 'H' },
    retry: { type: 'string', default: '0' },
    'retry-delay': { type: 'string', default: '1' },
    'retry-all-errors': { type: 'boolean' },
  },
});

/** One try: the status, 0 where nobody answers, and the body. */
function attempt() {
  const [name, value] = values.header?.split(': ') ?? [];
  const headers = name === undefined ? {} : { [name]: value };
  return new Promise((resolve) => {
    const sent = request(positionals[0], { headers, agent: false }, async (response) => {
      let body = '';
      for await (const text of response.setEncoding('utf8')) body += text;
      resolve({ status: response.statusCode, body });
    });
    sent.once('error', () => resolve({ status: 0, body: '' }));
    sent.end();
  });
}

const isWrong = ({ status }) => status === 0 || (values.fail && status >= 400);
let answer = await attempt();
for (let left = Number(values.retry); left > 0 && isWrong(answer); left -= 1) {
  await sleep(Number(values['retry-delay']) * 1_000);
  answer = await attempt();
}
if (isWrong(answer)) process.exitCode = answer.status === 0 ? 7 : 22;
else if (values.output === undefined) process.stdout.write(answer.body);
else writeFileSync(values.output, answer.body);
