// Look-ups for the server of a storefront: Next.js, Remix or plain Node.js 18 and later, without
// dependencies. Keep one client for the whole process.

/** The store has no answer that may be used. Show a page that says so, and ask again later. */
export class Unavailable extends Error {
  constructor(code, retryAfter) {
    super(`the store has no answer: ${code}`);
    this.code = code;
    /** Seconds. */
    this.retryAfter = retryAfter;
  }
}

/** The request is wrong, and stays wrong: a bug of the caller, or what a visitor typed. */
export class Refused extends Error {
  constructor(status, problem) {
    super(problem.detail ?? `the store answered ${status}`);
    this.status = status;
    this.code = problem.code;
  }
}

export class Tingkat {
  // What was answered, the oldest first. Products are `no-cache` with an ETag: asking again costs a
  // 304 without a body, and what is held here is what a page shows while the service is away.
  #held = new Map();

  constructor(url, { timeout = 2_000, most = 5_000 } = {}) {
    this.url = url;
    this.timeout = timeout;
    this.most = most;
  }

  /**
   * Looks up a path such as `/v1/products/7`: `{ value, stale }`, where `value` is null if it is known
   * that there is no such thing, and `stale` tells that the answer is not known to be current.
   *
   * `position`: the answer shows at least this write. `current`: it is current now, for a checkout.
   * With either of them nothing old is ever returned; there is `Unavailable` instead.
   */
  async lookUp(path, { position, current = false } = {}) {
    const held = this.#held.get(path);
    const headers = {};
    if (held) headers['if-none-match'] = held.etag;
    if (position) headers['tingkat-position'] = position;
    // Where there is none, `fetch` adds `no-cache` to what is not to be stored, and each look-up would
    // wait until the service has asked its database.
    headers['cache-control'] = current ? 'no-cache' : 'max-stale';
    const mayBeOld = held && !position && !current;

    let response;
    let body;
    try {
      response = await fetch(new URL(path, this.url), {
        headers,
        // Next.js keeps answers by itself unless it is told not to; there are enough caches here.
        cache: 'no-store',
        signal: AbortSignal.timeout(this.timeout),
      });
      body = response.status === 304 ? held.value : await response.json();
    } catch (error) {
      if (mayBeOld) return { value: held.value, stale: true };
      throw new Unavailable(error.name === 'TimeoutError' ? 'timeout' : 'unreachable', 1);
    }

    if (response.ok || response.status === 304) {
      this.#hold(path, { etag: response.headers.get('etag'), value: body });
      const stale = /;\s*detail=stale/.test(response.headers.get('cache-status') ?? '');
      return { value: body, stale };
    }
    if (response.status === 404) {
      this.#held.delete(path);
      return { value: null, stale: false };
    }
    // 503 is over soon, 504 took too long, and 500 is a bug that others do not have.
    if (response.status >= 500) {
      if (mayBeOld) return { value: held.value, stale: true };
      throw new Unavailable(body.code, Number(response.headers.get('retry-after') ?? 1));
    }
    throw new Refused(response.status, body);
  }

  #hold(path, answer) {
    this.#held.delete(path);
    if (answer.etag) this.#held.set(path, answer);
    if (this.#held.size > this.most) this.#held.delete(this.#held.keys().next().value);
  }
}
