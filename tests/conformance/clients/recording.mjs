// A fetch that remembers what was asked and what came back.

/** A list of requests, and the `fetch` that fills it. */
export function recorder() {
  const requests = [];
  const recordingFetch = async (url, options = {}) => {
    const response = await fetch(url, options);
    const body = options.body ? JSON.parse(options.body) : {};
    const answer = await response
      .clone()
      .json()
      .catch(() => ({}));
    requests.push({
      method: options.method ?? "GET",
      // Whether the document itself was sent, not only its hash.
      text: Boolean(body.query ?? new URL(url).searchParams.get("query")),
      status: response.status,
      codes: (answer.errors ?? []).map((error) => error.extensions.code),
    });
    return response;
  };
  return { requests, recordingFetch };
}
