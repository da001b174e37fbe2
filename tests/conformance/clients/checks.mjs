// What every client script is made of: checks with a name, run one after the other, told as JSON.
//
// The server is told by the environment: GRAPHQL_URL, MEMBER_TOKEN, SHOP_TOKEN and so on. A check
// passes unless it throws; what it returns is printed in the summary.

const results = [];

/** Run one check; a failure is told and does not keep the others from running. */
export async function check(name, work) {
  try {
    const detail = await within(20_000, work());
    results.push({ name, passed: true, detail: detail ?? "" });
  } catch (failure) {
    results.push({ name, passed: false, detail: `${failure?.stack ?? failure}` });
  }
}

/** Tell all results and end, whatever sockets are still open. */
export function finish() {
  process.stdout.write(JSON.stringify(results), () => process.exit(0));
}

/** The value of a promise that settles in time. */
export function within(milliseconds, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`nothing came within ${milliseconds} ms`)), milliseconds);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** The value of a setting that the tests must have given. */
export function setting(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set`);
  return value;
}

/** The failure of a promise; what it gives instead is told. */
export async function failure(promise) {
  let value;
  try {
    value = await promise;
  } catch (failed) {
    return failed;
  }
  throw new Error(`it gave ${JSON.stringify(value)}`);
}

/** A promise and the function that resolves it. */
export function signal() {
  let resolve, reject;
  const promise = new Promise((one, other) => {
    resolve = one;
    reject = other;
  });
  return { promise, resolve, reject };
}
