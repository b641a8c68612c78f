/** The workload: an HTTP server that says its name. */
export const appText = `import { createServer } from 'node:http';

const [name, address, port] = process.argv.slice(2);
createServer((_, response) => response.end(\`Hello from \${name}\\n\`)).listen(Number(port), address);
`;
