// Logs some 10 MB and says on stdout that it got through; then stays until its stdin closes, and logs one
// more line.
import { createLogger } from '../../../src/cli/process/log.ts';

const logger = createLogger('info');
for (let number = 0; number < 10_000; number++)
  logger.info(`a line ${number % 100}`, { number, text: 'x'.repeat(1_000) });
process.stdout.write('through\n');
process.stdin.on('end', () => {
  logger.info('the last line');
  void logger.close();
});
process.stdin.resume();
