// Follows the changes of a store and purges a page cache: `node purge.mjs`.
//
//   TINGKAT_URL         one node or a balancer in front of many   [http://127.0.0.1:8080]
//   PURGE_URL           what is told to purge, by POST
//   PURGE_TOKEN         its secret, as a bearer
//   CURSOR_FILE         where the cursor is kept                  [./purge.cursor]
//   PURGE_AGAIN_AFTER   milliseconds; longer than a page renders  [10000]
//
// No dependencies; Node 20 or later. A purge may come twice, and the first one never not at all. The
// second, for pages that were being rendered meanwhile, is lost if this program ends before it: such
// a page then lives until it expires.

import { readFile, rename, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';

// A stream that is silent for longer is dead: a heartbeat comes every 15 seconds.
const SILENCE = 45_000;
const LONGEST_PAUSE = 30_000;

/** The server-sent events of a stream of bytes, with the id that was last seen. */
export async function* events(body) {
  const decoder = new TextDecoder();
  let rest = '';
  let event = { name: 'message', data: [], id: undefined };
  for await (const bytes of body) {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split('\n');
    rest = lines.pop();
    for (const line of lines) {
      if (line === '') {
        // One without data is a heartbeat, and may move the cursor.
        yield { ...event, data: event.data.join('\n') };
        event = { name: 'message', data: [], id: undefined };
        continue;
      }
      const [, field, value] = /^([^:]*):? ?(.*)$/.exec(line);
      if (field === 'event') event.name = value;
      if (field === 'data') event.data.push(value);
      if (field === 'id') event.id = value;
    }
  }
}

/** The tags that pages carry for a change, as `revalidateTag` and surrogate keys know them. */
export function tags({ kind, dep }) {
  // A pattern may match any key of its entity.
  return kind === 'pattern' ? [`${dep.split(':', 1)[0]}.*`] : [dep];
}

async function post(url, token, body) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(10_000),
  });
  if (!response.ok) throw new Error(`the page cache answered ${response.status}`);
}

/** Purges, and again once every page that was being rendered meanwhile is done. */
async function purge(config, what) {
  await post(config.purgeUrl, config.purgeToken, what);
  setTimeout(() => {
    post(config.purgeUrl, config.purgeToken, what).catch((error) =>
      console.error(`the second purge failed, pages live until they expire: ${error.message}`),
    );
  }, config.again).unref?.();
}

/** Follows one stream until it ends. */
async function follow(config, state) {
  const abort = new AbortController();
  let watchdog = setTimeout(() => abort.abort(), SILENCE);
  try {
    const url = new URL('/v1/changes', config.url);
    const headers = state.cursor ? { 'last-event-id': state.cursor } : {};
    const response = await fetch(url, { headers, signal: abort.signal });
    if (response.status === 400) {
      // Not a cursor of this service (any more): begin anew.
      state.cursor = undefined;
      return;
    }
    if (!response.ok) throw new Error(`the store answered ${response.status}`);
    for await (const event of events(response.body)) {
      clearTimeout(watchdog);
      watchdog = setTimeout(() => abort.abort(), SILENCE);
      if (event.name === 'reset') {
        await purge(config, { everything: true });
      } else if (event.name === 'changes') {
        const { changes } = JSON.parse(event.data);
        const all = [...new Set(changes.flatMap(tags))];
        // `*` is everything.
        await purge(config, all.includes('*') ? { everything: true } : { tags: all });
      }
      // After the purge: one that failed is repeated from the cursor before it.
      if (event.id !== undefined && event.id !== state.cursor) {
        state.cursor = event.id;
        await writeFile(`${config.cursorFile}.new`, event.id);
        await rename(`${config.cursorFile}.new`, config.cursorFile);
      }
      state.pause = 1_000;
    }
  } finally {
    clearTimeout(watchdog);
    abort.abort();
  }
}

export async function run(config) {
  const saved = await readFile(config.cursorFile, 'utf8').catch(() => '');
  const state = { cursor: saved.trim() || undefined, pause: 1_000 };
  for (;;) {
    try {
      await follow(config, state);
    } catch (error) {
      console.error(`the stream ended: ${error.message}`);
    }
    await sleep(state.pause * (0.5 + Math.random()));
    state.pause = Math.min(state.pause * 2, LONGEST_PAUSE);
  }
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { env } = process;
  if (!env.PURGE_URL) {
    console.error('PURGE_URL is not set');
    process.exit(2);
  }
  await run({
    url: env.TINGKAT_URL ?? 'http://127.0.0.1:8080',
    purgeUrl: env.PURGE_URL,
    purgeToken: env.PURGE_TOKEN ?? '',
    cursorFile: env.CURSOR_FILE ?? './purge.cursor',
    again: Number(env.PURGE_AGAIN_AFTER ?? 10_000),
  });
}
