// The shop of the demo: it records purchases, and so a member's points change.
import { setting } from "./checks.mjs";

const RECORD = `mutation ($input: RecordPurchasesInput!) {
  recordPurchases(input: $input) {
    batch { receipts { status pointsEarned } }
    userErrors { code message }
  }
}`;

let orders = 0;

/** Record one purchase of the member's; returns the points that it earned. */
export async function buy(amount = 10_000) {
  const name = `conformance-${process.pid}-${Date.now()}-${orders++}`;
  const order = {
    externalId: name,
    member: { id: setting("MEMBER_ID") },
    placedAt: new Date(Date.now() - 60_000).toISOString(),
    paid: amount,
    lines: [{ lineId: "1", productCode: "tea-01", quantity: 1, amount }],
  };
  const response = await fetch(setting("GRAPHQL_URL"), {
    method: "POST",
    headers: {
      "content-type": "application/json",
      authorization: `Bearer ${setting("SHOP_TOKEN")}`,
    },
    body: JSON.stringify({ query: RECORD, variables: { input: { batchId: name, orders: [order] } } }),
  });
  const { data, errors } = await response.json();
  if (errors) throw new Error(JSON.stringify(errors));
  const [receipt] = data.recordPurchases.batch.receipts;
  if (receipt.status !== "APPLIED") throw new Error(JSON.stringify(receipt));
  return receipt.pointsEarned;
}
