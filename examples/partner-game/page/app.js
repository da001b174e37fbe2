// The member's home: read once, then followed by the subscription.
const KINDS = { EARN: '获得', REDEEM: '使用', REVERSE: '撤回', EXPIRE: '过期' };
const entries = document.querySelector('#entries');
const points = document.querySelector('#points');
const said = document.querySelector('#said');
const SHOWN = 5;

function line(entry) {
  const item = document.createElement('li');
  const amount = document.createElement('span');
  amount.className = entry.amount > 0 ? 'plus' : 'minus';
  amount.textContent = `${entry.amount > 0 ? '+' : ''}${entry.amount}`;
  item.append(entry.reason ?? KINDS[entry.kind] ?? entry.kind, amount);
  return item;
}

async function home() {
  const { data } = await (await fetch('/app/home')).json();
  document.querySelector('#name').textContent = data.me.nickname ?? '会员';
  points.textContent = data.me.points.available;
  entries.replaceChildren(...data.me.ledger.edges.map((edge) => line(edge.node)));
}

const source = new EventSource('/app/points');
source.addEventListener('next', (event) => {
  const told = JSON.parse(event.data).data.pointsChanged;
  points.textContent = told.available;
  document.querySelector('#card').classList.add('fresh');
  if (told.entry) entries.prepend(line(told.entry));
  while (entries.children.length > SHOWN) entries.lastChild.remove();
});
// What happened while nobody listened is in the page that is read anew.
source.addEventListener('open', home);
home();

document.querySelector('#play').addEventListener('click', async () => {
  const answer = await (await fetch('/app/play', { method: 'POST' })).json();
  const payload = answer.data?.createGameBinding;
  if (!payload?.binding) {
    said.textContent = payload?.userErrors?.[0]?.message ?? '请稍后再试。';
    return;
  }
  // Behind the #, where no server and no log sees it.
  open(`/#bind=${encodeURIComponent(payload.binding.bindToken)}`, '_blank');
});
