// Ask our own server: the JSON of the answer, or an Error with its message and `status` (0: none came).
export async function ask(path, options, unreached) {
  let answer;
  let told;
  try {
    answer = await fetch(path, options);
    told = await answer.json();
  } catch {
    throw Object.assign(new Error(unreached), { status: 0 });
  }
  if (!answer.ok) throw Object.assign(new Error(told.message), { status: answer.status });
  return told;
}
