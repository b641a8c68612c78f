import type { Served } from '../../test/support/planes/served.ts';

/**
 * Registers an instance of `echo.shop`, as `/shop/echo-N`, for an hour. A kept connection may be closed while
 * it is used again; the request is idempotent and is then sent a second time (RFC 9110, 9.2.2). Rejects when
 * the API refuses it.
 */
export async function registerInstance(served: Served, instance: number, address: string): Promise<void> {
  const body = { address, ports: { http: 80 }, labels: { app: 'echo' }, ttl: '3600s' };
  const put = () => served.api('PUT', `/shop/echo-${instance}`, body);
  const { status } = await put().catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ECONNRESET') throw error;
    return put();
  });
  if (status >= 300) throw new Error(`PUT was answered ${status}`);
}
