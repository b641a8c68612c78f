import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { renderProblem } from '../../../src/cli/validate.ts';
import { checkFolder } from '../../../src/registry/check/check-inputs.ts';

const cases = new URL('bad/', import.meta.url).pathname;

// Each folder is a mesh with one kind of fault; problems.txt is what people are told of it, to the letter.
// UPDATE_GOLDEN=1 rewrites it: read the difference.
for (const name of readdirSync(cases)) {
  t.test(`bad input: ${name}`, async (t) => {
    const folder = join(cases, name);
    const { problems } = await checkFolder(folder);
    const told = problems
      .map((problem) => `${renderProblem(problem).replaceAll(`${folder}/`, '')}\n`)
      .join('');
    const golden = join(folder, 'problems.txt');
    if (process.env.UPDATE_GOLDEN) writeFileSync(golden, told);
    t.equal(told, readFileSync(golden, 'utf8'));
    for (const { where, message } of problems) {
      t.match(where, /\.yaml:\d+/, 'file and line');
      t.match(message, /[.?]$/, 'a sentence');
    }
  });
}
