// The wheel: what was drawn is the server's word; this only shows it.
import { ask as asked } from '/page/ask.js';
import { when } from '/page/when.js';

const COLOURS = ['#ffe0a3', '#ffd0c4', '#cfe9d6', '#fff2cf', '#e9ddf5', '#d5e6f7'];
const STATES = {
  NEW: '积分发放中…',
  APPLIED: '积分已到账',
  REJECTED: '未能发放',
  REVERSED: '已撤回',
  HELD: '人工处理中',
};
const UNKNOWN = Array.from({ length: 6 }, () => ({ title: '?' }));
const [POLL_MS, TURN_MS] = [800, 2600];
const STILL = matchMedia('(prefers-reduced-motion: reduce)');

const shown = (name) => document.querySelector(name);
const [frame, wheel] = [shown('.wheel'), shown('.wheel svg')];
const [button, said] = [shown('#spin'), shown('#said')];
let turned = 0;
let fields = UNKNOWN;
let following = false;
let turning = false;
// What the button does: it turns the wheel once the player is known.
let press = spin;

function say(text, tone) {
  said.textContent = text;
  said.className = tone;
}

function cell(name, text) {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}

function drawWheel() {
  const step = 360 / fields.length;
  const point = (angle, radius) => {
    const turn = ((angle - 90) * Math.PI) / 180;
    return `${radius * Math.cos(turn)} ${radius * Math.sin(turn)}`;
  };
  const whole = `M0 -48 A48 48 0 1 1 0 48 A48 48 0 1 1 0 -48 Z`;
  wheel.replaceChildren();
  fields.forEach((field, place) => {
    const slice = document.createElementNS('http://www.w3.org/2000/svg', 'path');
    const [from, to] = [place * step - step / 2, place * step + step / 2];
    const part = `M0 0 L${point(from, 48)} A48 48 0 ${step > 180 ? 1 : 0} 1 ${point(to, 48)} Z`;
    slice.setAttribute('d', fields.length === 1 ? whole : part);
    slice.setAttribute('fill', COLOURS[place % COLOURS.length]);
    slice.setAttribute('stroke', '#e0a030');
    const text = document.createElementNS('http://www.w3.org/2000/svg', 'text');
    text.setAttribute('transform', `rotate(${place * step}) translate(0 -33)`);
    text.textContent = field.title;
    wheel.append(slice, text);
  });
}

function disclose({ version, frozenAt }) {
  // In millionths, as they were disclosed: written out they are exact.
  const odds = (field) => `${field.oddsPpm / 10_000}%`;
  shown('#odds').replaceChildren(
    ...fields.map((field) => {
      const row = document.createElement('tr');
      const count = field.count === null ? '—' : field.count.toLocaleString('zh-CN');
      row.append(cell('td', field.title), cell('td', count), cell('td', odds(field)));
      return row;
    }),
  );
  shown('#version').textContent = `公示第 ${version} 版，${when(frozenAt, { year: 'numeric' })}。`;
  shown('#disclosure').hidden = false;
}

function show({ wins, spinsLeft, pointsArrived }) {
  shown('#left').textContent = spinsLeft;
  shown('#arrived').textContent = pointsArrived;
  shown('#standing').hidden = false;
  const prizes = wins.filter((win) => win.points > 0);
  shown('#mine').hidden = prizes.length === 0;
  shown('#wins').replaceChildren(
    ...prizes.map((win) => {
      const item = document.createElement('li');
      const what = cell('span', win.title);
      what.append(cell('time', when(win.won_at)));
      const state = cell('span', STATES[win.state] ?? win.state);
      state.className = `state ${win.state}`;
      item.append(what, state);
      return item;
    }),
  );
  if (wins.some((win) => win.state === 'NEW')) follow();
}

function ask(path, body) {
  const options = body && { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
  return asked(path, options, '网络开小差了，请稍后再试。');
}

async function follow() {
  if (following) return;
  following = true;
  for (;;) {
    await new Promise((done) => setTimeout(done, POLL_MS));
    try {
      // While the wheel turns, nothing tells what it will say.
      const told = turning ? null : await ask('/api/wins');
      if (told && !turning && !told.wins.some((win) => win.state === 'NEW')) {
        following = false;
        show(told);
        return;
      }
    } catch {
      // It is asked again.
    }
  }
}

async function learn() {
  if (fields !== UNKNOWN) return;
  const told = await ask('/api/wheel');
  fields = told.fields;
  drawWheel();
  disclose(told);
}

async function enter() {
  button.disabled = true;
  say('', '');
  const token = new URLSearchParams(location.hash.slice(1)).get('bind');
  try {
    await learn();
    const told = await ask('/api/enter', { bindToken: token });
    forgetToken();
    frame.classList.remove('idle');
    show(told);
    press = spin;
    button.textContent = '转一次';
    button.disabled = false;
  } catch (problem) {
    const isRefused = problem.status === 401 || problem.status === 403;
    if (isRefused) forgetToken();
    say(problem.message, 'problem');
    shown('#home').hidden = !isRefused;
    button.hidden = isRefused;
    press = enter;
    button.textContent = '再试一次';
    button.disabled = false;
  }
}

function forgetToken() {
  // The token is good once: it does not stay where it could be shared. Until somebody has answered
  // it stays, for without it the page would go on as whoever played here before.
  history.replaceState(null, '', location.pathname);
}

async function spin() {
  button.disabled = true;
  say('', '');
  turning = true;
  try {
    const told = await ask('/api/spin', {});
    const step = 360 / fields.length;
    turned += 1440 - (turned % 360) - told.place * step;
    wheel.style.transform = `rotate(${turned}deg)`;
    await new Promise((done) => setTimeout(done, STILL.matches ? 0 : TURN_MS));
    turning = false;
    const [newest] = told.wins;
    if (newest.points > 0) say(`恭喜获得 ${newest.title}！`, 'won');
    else say(`${newest.title}，下次好运。`, 'lost');
    show(told);
  } catch (problem) {
    say(problem.message, 'problem');
  }
  turning = false;
  button.disabled = false;
}

button.addEventListener('click', () => press());
// A link with another token, opened where the page is open already.
addEventListener('hashchange', () => location.reload());
drawWheel();
enter();
