// An instance: answers each request after 20 ms. SIGTERM ends it at once, as most servers do; it says what it
// cut off.
import { createServer } from 'node:http';

const [port, text, status = '0'] = process.argv.slice(2);
let open = 0;
const server = createServer((request, response) => {
  open += 1;
  request.resume();
  setTimeout(() => {
    open -= 1;
    response.end(text);
  }, 20);
});
server.listen(Number(port), '127.0.0.1');
process.on('SIGTERM', () => {
  process.stdout.write(`cut off: ${open}\n`);
  process.exit(Number(status));
});
