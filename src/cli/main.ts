#!/usr/bin/env node
import { useCompileCache } from './compile-cache.ts';

useCompileCache();
await import('./program.ts');
