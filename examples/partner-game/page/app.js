// The member's home: read once, then followed by the subscription.
import { ask as asked } from '/page/ask.js';
import { when } from '/page/when.js';

const KINDS = { EARN: '获得积分', REDEEM: '使用积分', REVERSE: '撤回', EXPIRE: '积分过期' };
const SOURCES = {
  purchase: '购物积分',
  refund: '退货扣回',
  game: '游戏奖励',
  checkout: '积分抵现',
  reward: '兑换礼品',
  cancellation: '取消兑换',
  adjustment: '人工调整',
  transfer: '积分转赠',
  expiry: '积分过期',
  merge: '账户合并',
  opening: '期初积分',
};
const [SHOWN, AGAIN_MS] = [8, 3000];

const shown = (name) => document.querySelector(name);
const [entries, points, said, trouble, play] = ['#entries', '#points', '#said', '#trouble', '#play'].map(shown);
let hosts = {};
let source = null;
let timer = null;

function titleOf({ kind, reason, source: from }) {
  if (reason) return reason;
  const known = SOURCES[from.kind];
  if (from.kind !== 'game') return known ?? KINDS[kind] ?? kind;
  // The reference of a game's entry begins with the code of whoever gave it.
  const host = hosts[from.reference.split(':')[0]];
  const what = kind === 'REVERSE' ? '游戏奖励撤回' : known;
  return host ? `${what} · ${host}` : what;
}

function line(entry) {
  const item = document.createElement('li');
  const [what, time, amount] = ['span', 'time', 'span'].map((name) => document.createElement(name));
  time.textContent = when(entry.occurredAt);
  what.append(titleOf(entry), time);
  amount.className = entry.amount > 0 ? 'amount plus' : 'amount minus';
  amount.textContent = `${entry.amount > 0 ? '+' : ''}${entry.amount}`;
  item.append(what, amount);
  return item;
}

const ask = (path, options) => asked(path, options, '网络连不上，请稍后再试。');

function reached() {
  if (!trouble.hidden) said.textContent = '';
  trouble.hidden = true;
}

function lost(problem) {
  trouble.textContent = problem.message;
  trouble.hidden = false;
  source?.close();
  clearTimeout(timer);
  timer = setTimeout(listen, AGAIN_MS);
}

async function home() {
  try {
    const { me } = await ask('/app/home');
    hosts = Object.fromEntries(me.gameBindings.map(({ partner }) => [partner.code, partner.name]));
    shown('#name').textContent = me.nickname ?? '会员';
    points.textContent = me.points.available;
    entries.replaceChildren(...me.ledger.edges.map((edge) => line(edge.node)));
    shown('#latest').hidden = entries.children.length === 0;
    reached();
    return true;
  } catch (problem) {
    lost(problem);
    return false;
  }
}

// The page is read first: where that fails no stream is opened either, and it is tried again.
async function listen() {
  source?.close();
  if (!(await home())) return;
  source = new EventSource('/app/points');
  // What happened before the stream was open is in the page that is read anew.
  source.addEventListener('open', home);
  source.addEventListener('error', () => lost(new Error('连接断了，正在重试…')));
  source.addEventListener('next', (event) => {
    const told = JSON.parse(event.data).data.pointsChanged;
    points.textContent = told.available;
    shown('#card').classList.add('fresh');
    if (told.entry) entries.prepend(line(told.entry));
    while (entries.children.length > SHOWN) entries.lastChild.remove();
    shown('#latest').hidden = entries.children.length === 0;
  });
}

play.addEventListener('click', async () => {
  play.disabled = true;
  said.textContent = '';
  try {
    const { createGameBinding: payload } = await ask('/app/play', { method: 'POST' });
    if (!payload.binding) throw new Error(payload.userErrors[0]?.message ?? '请稍后再试。');
    // In this very tab: a window that opens after an answer came is one that phones block. The
    // token is behind the #, where no server and no log sees it.
    location.href = `/#bind=${encodeURIComponent(payload.binding.bindToken)}`;
  } catch (problem) {
    // Where the line above says why already, this says what to do.
    said.textContent = trouble.hidden ? problem.message : '现在还去不了，请稍后再点一次。';
    said.className = 'problem';
    play.disabled = false;
  }
});

// Whoever comes back finds the page as it was left: it is read anew.
addEventListener('pageshow', (event) => {
  play.disabled = false;
  if (event.persisted) listen();
});
addEventListener('pagehide', () => source?.close());
listen();
