// Entry point of an instance's process: answers every request with 200. Prints its port; ends when standard
// input closes.
import { createServer } from 'node:http';

const server = createServer((_, response) => response.end('served'));
server.listen(0, '127.0.0.1', () => console.log((server.address() as { port: number }).port));
process.stdin.on('end', () => process.exit(0)).resume();
