// A client that sends documents by their hash, and uses what the generated types promise.
import {
  HomeDocument,
  RecordPurchasesDocument,
  SignInWithWeChatDocument,
  type TypedDocumentString,
} from "./generated/graphql";

type Answer<Result> = { data?: Result | null; errors?: { message: string }[] };

export async function send<Result, Variables>(
  url: string,
  document: TypedDocumentString<Result, Variables>,
  variables: Variables,
): Promise<Answer<Result>> {
  const documentId = document.__meta__?.["hash"] as string;
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ documentId, variables }),
  });
  return (await response.json()) as Answer<Result>;
}

export async function pointsAtHome(url: string): Promise<number | undefined> {
  const answer = await send(url, HomeDocument, {});
  const points: number | undefined = answer.data?.me?.points?.available;
  return points;
}

export async function signIn(url: string, code: string): Promise<string> {
  const answer = await send(url, SignInWithWeChatDocument, { input: { appId: "wx", code } });
  const payload = answer.data?.signInWithWeChat;
  const refusal: string | undefined = payload?.userErrors[0]?.code;
  return payload?.session?.accessToken ?? refusal ?? "";
}

// What does not fit is told at build time.
export const wrong = [
  // @ts-expect-error: a code is missing
  () => send("", SignInWithWeChatDocument, { input: { appId: "wx" } }),
  // @ts-expect-error: orders are a list
  () => send("", RecordPurchasesDocument, { input: { batchId: "1", orders: "none" } }),
  // @ts-expect-error: there is no such field
  async () => (await send("", HomeDocument, {})).data?.me?.nothing,
];
