// Run as a process of its own: @grpc/grpc-js-xds reads its bootstrap from the environment as it is loaded.
// Calls the target given until it is told to stop, and prints each answer as a line.
import { Client, credentials } from '@grpc/grpc-js';
import { register } from '@grpc/grpc-js-xds';

register();
const client = new Client(process.argv[2] ?? 'xds:///greeter', credentials.createInsecure());
const bytes = (buffer: Buffer) => buffer;

function call(): Promise<string> {
  return new Promise((resolve) => {
    const deadline = performance.timeOrigin + performance.now() + 60_000;
    client.makeUnaryRequest('/greeter/Hello', bytes, bytes, Buffer.alloc(0), { deadline }, (error, answer) =>
      resolve(error === null ? `${answer}` : `error ${error.details}`),
    );
  });
}

process.on('SIGTERM', () => process.exit(0));
for (;;) {
  process.stdout.write(`${await call()}\n`);
  await new Promise((resolve) => setTimeout(resolve, 10));
}
