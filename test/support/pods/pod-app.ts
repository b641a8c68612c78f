// What a Pod of a drill runs: answers after a while with its address, and ends at once when it is told to.
import { createServer } from 'node:http';

const workMs = 300;
const { POD_IP: address = '', PORT: port = '' } = process.env;
createServer((request, response) => {
  request.resume();
  setTimeout(() => response.end(address), workMs);
}).listen(Number(port), address);
process.on('SIGTERM', () => process.exit(0));
